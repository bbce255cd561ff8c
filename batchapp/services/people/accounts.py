"""Keep the e-mail address that each person signs in with.

An address that is not verified cannot be used to sign in: whoever chose it first has to open a
link that is sent there. Addresses that an administrator or a command vouches for are verified from
the start, and so is the address that an invitation was sent to.
"""

from uuid import uuid4

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from allauth.usersessions.models import UserSession
from django.db import transaction

from batchapp.models import AuditEvent, AuditKind, PortalKey, User


def forget_waiting_addresses(person: User) -> None:
    """Forget the address that ``person`` is to have once a link that went there is opened."""
    waiting = EmailAddress.objects.filter(user=person, verified=False)
    waiting.exclude(email=person.email).delete()


@transaction.atomic
def hand_over(person: User) -> bool:
    """Give an account to the owner of its address, who came by the mailbox or single sign-on.

    Whoever made the account with an address that was never verified has to leave it. Roles stay,
    since they were given to the address. Returns False, and changes nothing, if the address is
    verified.
    """
    if person.has_verified_address:
        return False
    _end_access(person)
    verify_address(person)
    AuditEvent.objects.record(AuditKind.ACCOUNT_HANDED_OVER, person, person=person.email)
    return True


@transaction.atomic
def take_address_back(address: EmailAddress) -> None:
    """Take an unverified address from an account, as its owner says that the account is foreign.

    An account with another, verified address keeps that. Any other is closed, as its person could
    never sign in again: what was done stays, and an administrator can give it another address.
    """
    person: User = address.user
    is_closed = not person.has_verified_address
    AuditEvent.objects.record(
        AuditKind.ADDRESS_TAKEN_BACK, None, email=address.email, is_closed=is_closed
    )
    address.delete()
    if is_closed:
        _end_access(person)
        person.is_active = False
        person.email = f"taken-back.{uuid4()}@batchapp.invalid"
        person.save(update_fields=["is_active", "email"])


def _end_access(person: User) -> None:
    """End password, sessions, second factors, portal keys and single sign-on of ``person``."""
    person.set_unusable_password()
    person.save(update_fields=["password"])
    for session in UserSession.objects.filter(user=person):
        session.end()
    for model in (Authenticator, SocialAccount):
        model.objects.filter(user=person).delete()
    PortalKey.objects.filter(user=person).revoke(person)


@transaction.atomic
def verify_address(person: User) -> None:
    """Make ``person.email`` the one address of the person, and verified.

    Another address that waits for its verification is forgotten, and so is that of anybody
    else who wanted to change to this one.
    """
    EmailAddress.objects.filter(user=person).exclude(email=person.email).delete()
    waiting = EmailAddress.objects.filter(email=person.email, verified=False)
    waiting.exclude(user=person).delete()
    EmailAddress.objects.update_or_create(
        user=person, email=person.email, defaults={"verified": True, "primary": True}
    )
