"""``manage.py rotate_keys`` says what is left to do, and does it."""

from io import StringIO

import pytest
from cryptography.fernet import Fernet
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from batchapp.models import ProviderKey
from tests.make import make_key, make_project

pytestmark = pytest.mark.django_db


def run(*args: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *args, stdout=out)
    return out.getvalue()


def test_the_steps_of_a_rotation(settings: LazySettings) -> None:
    key = make_key(make_project(), secret="sk-rotated-000001")
    newest = Fernet.generate_key()
    settings.ENCRYPTION_KEYS = [newest, *settings.ENCRYPTION_KEYS]

    with pytest.raises(CommandError, match="An older key has encrypted 1 secret: run rotate_keys"):
        run("--check")
    said = run()
    checked = run("--check")

    assert "ProviderKey.ciphertext: 0 with the newest key, 1 encrypted again" in said
    assert "the older ones can be removed" in checked
    settings.ENCRYPTION_KEYS = [newest]
    assert ProviderKey.objects.get(pk=key.pk).secret() == "sk-rotated-000001"


def test_a_secret_that_cannot_be_read_ends_in_an_error(settings: LazySettings) -> None:
    key = make_key(make_project())
    settings.ENCRYPTION_KEYS = [Fernet.generate_key()]

    with pytest.raises(CommandError, match="No key of ENCRYPTION_KEYS reads 1 secret"):
        run()

    assert ProviderKey.objects.get(pk=key.pk).ciphertext == key.ciphertext
