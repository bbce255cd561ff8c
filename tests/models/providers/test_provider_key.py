"""Provider keys: facts about a secret are cleared when it changes."""

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.utils import timezone

from tests.make import make_key, make_user
from tests.sentences import problem

pytestmark = pytest.mark.django_db


def test_of_a_new_secret_nothing_is_known_yet() -> None:
    key = make_key(make_user())
    key.tested_at, key.is_refused, key.problem = timezone.now(), True, problem("It was refused.")

    key.set_secret("sk-another-one-1234")

    assert (key.tested_at, key.is_refused, key.problem) == (None, False, None)


def test_a_key_is_readable_until_its_encryption_key_is_gone(settings: LazySettings) -> None:
    key = make_key(make_user())
    assert key.is_readable

    settings.ENCRYPTION_KEYS = [Fernet.generate_key()]

    assert not key.is_readable
