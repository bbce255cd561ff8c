"""Record in the audit what django-allauth tells of: sign-ins, passwords, second factors."""

from typing import Any

from allauth.account import signals as account
from allauth.account.authentication import get_authentication_records
from allauth.core.internal.ratelimit import get_ip
from allauth.mfa import signals as factors
from allauth.socialaccount import signals as single_sign_on
from django.contrib.auth.signals import user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest

from batchapp.models import AuditEvent, AuditKind, User
from batchapp.services.people.failed_sign_ins import record_failed_sign_in

record = AuditEvent.objects.record


@receiver(account.user_logged_in)
def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    record(AuditKind.SIGNED_IN, user, methods=methods_of(request, user))


def methods_of(request: HttpRequest, user: User) -> list[str]:
    """Return how the person proved who it is, such as "password" and "totp"."""
    records = get_authentication_records(request, user)
    return [str(entry.get("type") or entry.get("method")) for entry in records]


@receiver(user_logged_out)
def signed_out(user: User | None, **_: Any) -> None:
    if isinstance(user, User):
        record(AuditKind.SIGNED_OUT, user)


@receiver(account.user_signed_up)
def signed_up(user: User, **_: Any) -> None:
    record(AuditKind.ACCOUNT_MADE, user, email=user.email)


@receiver([account.password_changed, account.password_set, account.password_reset])
def password_changed(signal: Any, user: User, **_: Any) -> None:
    record(AuditKind.PASSWORD_CHANGED, user, by_link=signal is account.password_reset)


@receiver(account.email_changed)
def address_changed(user: User, from_email_address: Any, to_email_address: Any, **_: Any) -> None:
    before = from_email_address.email if from_email_address else None
    after = to_email_address.email
    record(AuditKind.ADDRESS_CHANGED, user, before=before, after=after, person="")


@receiver(factors.authenticator_added)
def factor_added(user: User, authenticator: Any, **_: Any) -> None:
    record(AuditKind.SECOND_FACTOR_ADDED, user, type=authenticator.type, person="")


@receiver(factors.authenticator_removed)
def factor_removed(user: User, authenticator: Any, **_: Any) -> None:
    record(AuditKind.SECOND_FACTOR_REMOVED, user, type=authenticator.type, person="")


@receiver(factors.authenticator_reset)
def codes_made(user: User, **_: Any) -> None:
    record(AuditKind.RECOVERY_CODES_MADE, user)


@receiver(factors.authentication_failed)
def factor_failed(request: HttpRequest, user: User, **_: Any) -> None:
    record_failed_sign_in(user.email, get_ip(request), "second factor")


@receiver(single_sign_on.social_account_added)
def single_sign_on_linked(sociallogin: Any, **_: Any) -> None:
    record(
        AuditKind.SINGLE_SIGN_ON_LINKED, sociallogin.user, provider=sociallogin.account.provider
    )
