"""Sign-ins, failed ones, passwords and second factors are in the audit, without a secret."""

import json
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from batchapp.models import AuditEvent, AuditKind, User
from batchapp.presenters.audit_text import audit_text
from batchapp.services.people import failed_sign_ins
from tests.make import PASSWORD, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def person() -> User:
    return make_user("ada@example.com")


def sign_in(client: Client, email: str = "ada@example.com", password: str = PASSWORD) -> Any:
    return client.post(reverse("login"), {"username": email, "password": password})


def told() -> list[str]:
    return [audit_text(event) for event in AuditEvent.objects.order_by("pk")]


def test_a_sign_in_says_how_and_from_where(client: Client, person: User) -> None:
    sign_in(client)
    client.post(reverse("logout"))

    assert told() == ["Signed in by password.", "Signed out."]
    signed_in = AuditEvent.objects.get(kind=AuditKind.SIGNED_IN)
    assert (signed_in.actor, signed_in.address, signed_in.source) == (
        person,
        "127.0.0.1",
        "page",
    )


def test_an_attack_on_a_person_leaves_few_events(client: Client, person: User) -> None:
    for _ in range(30):
        failed_sign_ins.record_failed_sign_in("ada@example.com", "192.0.2.1", "password")

    assert told() == [
        "A sign-in of ada@example.com failed (wrong password).",
        "A sign-in of ada@example.com failed (wrong password), 10 times in this hour.",
    ]


def test_an_attack_from_everywhere_leaves_few_events(
    person: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_sign_ins, "MOST_EVENTS", 5)

    for number in range(120):
        failed_sign_ins.record_failed_sign_in("ada@example.com", f"192.0.2.{number}", "password")

    assert AuditEvent.objects.count() == 7  # five, the tenth and the hundredth
    assert told()[-1].endswith("100 sign-ins of all people failed so far.")


def test_what_a_stranger_types_is_not_kept(client: Client, person: User) -> None:
    sign_in(client, email="my-secret-word@example.com", password="oops-password")
    sign_in(client, password="wrong-password")

    stored = json.dumps(list(AuditEvent.objects.values("data", "names")))
    assert told() == [
        "A sign-in of an address that nobody has here failed (wrong password).",
        "A sign-in of ada@example.com failed (wrong password).",
    ]
    for typed in ("my-secret-word", "oops-password", "wrong-password", PASSWORD):
        assert typed not in stored


def test_each_hour_is_counted_anew(person: User) -> None:
    failed_sign_ins.record_failed_sign_in("ada@example.com", "192.0.2.1", "password")
    cache.clear()
    failed_sign_ins.record_failed_sign_in("ada@example.com", "192.0.2.1", "password")

    assert AuditEvent.objects.count() == 2


def test_a_changed_password_is_told_and_not_shown(client: Client, person: User) -> None:
    sign_in(client)
    new = "another horse battery staple"
    client.post(
        reverse("password_change"),
        {"oldpassword": PASSWORD, "password1": new, "password2": new},
    )

    assert "Changed the password." in told()
    stored = json.dumps(list(AuditEvent.objects.values("data", "names")))
    assert new not in stored
    assert PASSWORD not in stored


def test_a_wrong_code_of_the_second_factor_is_a_failed_sign_in(
    client: Client, person: User
) -> None:
    TOTP.activate(person, generate_totp_secret())
    sign_in(client)

    client.post(reverse("mfa_authenticate"), {"code": "00000000"})

    assert told()[-1] == "A sign-in of ada@example.com failed (wrong second factor)."
