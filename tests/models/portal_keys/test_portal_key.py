"""Portal keys: the states that pages tell, and the last use, which is written once a minute."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import PortalKey, PortalKeySecret
from tests.make import make_portal_key, make_project, make_user


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("days", "is_expired", "expires_soon"),
    [(None, False, False), (30, False, False), (5, False, True), (-1, True, False)],
)
def test_a_key_says_when_it_is_about_to_end(
    days: int | None, is_expired: bool, expires_soon: bool
) -> None:
    expires_at = None if days is None else timezone.now() + timedelta(days=days)

    key = PortalKey(expires_at=expires_at)

    assert (key.is_expired, key.expires_soon) == (is_expired, expires_soon)


def test_a_key_without_a_choice_allows_every_model() -> None:
    assert PortalKey().allows_model("a")
    assert PortalKey(model_names=["a"]).allows_model("a")
    assert not PortalKey(model_names=["a"]).allows_model("b")


@pytest.mark.django_db
def test_the_last_use_is_written_once_a_minute(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    user = make_user()
    secret = make_portal_key(user, make_project(user)).key.secrets.get()
    start = timezone.now()

    PortalKeySecret.objects.record_use(secret, "192.0.2.1", start)
    secret.refresh_from_db()
    with django_assert_num_queries(0):
        PortalKeySecret.objects.record_use(secret, "192.0.2.2", start + timedelta(seconds=59))
    PortalKeySecret.objects.record_use(secret, "192.0.2.3", start + timedelta(seconds=60))

    secret.refresh_from_db()
    assert secret.last_used_at == start + timedelta(seconds=60)
    assert secret.last_used_address == "192.0.2.3"


@pytest.mark.django_db(transaction=True)
def test_of_many_uses_at_once_one_is_written() -> None:
    user = make_user()
    secret = make_portal_key(user, make_project(user)).key.secrets.get()
    now = timezone.now()

    def use(number: int) -> None:
        PortalKeySecret.objects.record_use(secret, f"192.0.2.{number}", now)
        connection.close()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(16)))
    written = PortalKeySecret.objects.get().last_used_address
    PortalKeySecret.objects.record_use(secret, "192.0.2.99", now)

    assert written.startswith("192.0.2.")
    assert PortalKeySecret.objects.get().last_used_address == written
