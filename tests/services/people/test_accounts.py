"""An account belongs to whoever reads the mailbox of its address."""

import pytest
from allauth.account.models import EmailAddress

from batchapp.models import AuditEvent, AuditKind, PortalKey, User
from batchapp.services.people import accounts
from tests.make import PASSWORD, make_portal_key, make_project, make_user

pytestmark = pytest.mark.django_db


def make_unproven(email: str) -> User:
    return User.objects.create_user(email, PASSWORD, is_verified=False)


def test_an_account_of_a_proven_address_is_handed_over_to_nobody() -> None:
    person = make_user()

    assert not accounts.hand_over(person)

    assert person.check_password(PASSWORD)
    assert not AuditEvent.objects.exists()


def test_portal_keys_from_before_the_proof_end_with_either_answer_of_the_owner() -> None:
    """Older versions let such a person make a key."""
    handed, closed = make_user("nina@example.com"), make_user("paul@example.com")
    project = make_project(handed, closed)
    for person in (handed, closed):
        make_portal_key(person, project)
    EmailAddress.objects.update(verified=False)

    accounts.hand_over(handed)
    accounts.take_address_back(EmailAddress.objects.get(user=closed))

    assert not PortalKey.objects.filter(revoked_at=None).exists()
    closed.refresh_from_db()
    assert (handed.is_active, closed.is_active) == (True, False)
    assert not EmailAddress.objects.filter(user=closed).exists()


def test_a_closed_account_leaves_its_address_to_the_owner() -> None:
    accounts.take_address_back(EmailAddress.objects.get(user=make_unproven("nina@example.com")))

    assert make_user("nina@example.com").has_verified_address
    (event,) = AuditEvent.objects.filter(kind=AuditKind.ADDRESS_TAKEN_BACK)
    assert event.data == {"email": "nina@example.com", "is_closed": True}
