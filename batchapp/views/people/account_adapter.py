"""The decisions that django-allauth leaves to the portal."""

from ipaddress import IPv6Address
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.core.internal.ratelimit import get_ip
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from batchapp.models import User
from batchapp.models.people.user import AnyUser
from batchapp.services.people import accounts
from batchapp.services.people.failed_sign_ins import record_failed_sign_in
from batchapp.views.people import account_events  # noqa: F401  # it listens to allauth
from batchapp.views.people.address_confirmation import note_password_given
from batchapp.views.people.sign_in import accepts_only_post

# The address of a page that asks who it is -> how a link calls it.
WAYS = {
    "/sign-in/again/": "By the password",
    "/sign-in/again/by-e-mail/": "By a code sent by e-mail",
    "/sign-in/again/second-factor/": "By a code of the app, or a recovery code",
    "/sign-in/again/passkey/": "By a passkey",
}


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The e-mail address and the password do not belong together. "
        "Check both; capitals matter in the password.",
        "too_many_login_attempts": "There were too many wrong passwords in a row. Wait a quarter "
        "of an hour, or choose a new password by “Forgot your password?”.",
        "incorrect_password": "This is not your password. Capitals matter.",
        "enter_current_password": "This is not your password. Capitals matter.",
        "email_taken": "The address belongs to another person here.",
        "duplicate_email": "This is your address already.",
        "incorrect_code": "The code is not right, or it has expired. Enter the one that is shown "
        "now.",
        "invalid_password_reset": "The link was used already, or it has expired.",
        "rate_limited": "That was too often in a row. Wait a few minutes, then try again.",
    }

    def is_safe_url(self, url: str) -> bool:
        """Return whether ``url`` is on the host of the request, and is a page to go to."""
        is_here = url_has_allowed_host_and_scheme(
            url, {self.request.get_host()}, require_https=self.request.is_secure()
        )
        return is_here and not accepts_only_post(url)

    def pre_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse | None:
        """Let nobody sign in as the service account of a project, by whatever means."""
        if user.is_service_account:
            return redirect("login")
        response: HttpResponse | None = super().pre_login(request, user, **more)
        return response

    def respond_email_verification_sent(
        self, request: HttpRequest, user: User | None
    ) -> HttpResponseBase:
        if user:
            note_password_given(request, user)
        response: HttpResponseBase = super().respond_email_verification_sent(request, user)
        return response

    def set_password(self, user: User, password: str) -> None:
        """Store a new password, and forget an address that the person is to have next.

        Whoever knew the old password may have asked for that address, and could still confirm it.
        """
        super().set_password(user, password)
        accounts.forget_waiting_addresses(user)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        record_failed_sign_in(str(credentials.get("email", "")), get_ip(request), "password")

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGN_UP_DOMAINS)

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the network address that a request came from, as far as proxies are trusted.

        A request that passed fewer proxies than there are counts as from its sender. A socket of
        the system has no address.
        """
        try:
            address: str = super().get_client_ip(request)
        except ImproperlyConfigured:
            return str(request.META["REMOTE_ADDR"])
        except PermissionDenied:
            return "0.0.0.0"  # noqa: S104  # nothing is bound to it
        return _without_wrapping(address)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        """Count by person and network address, so that a stranger elsewhere locks nobody out.

        Of an IPv6 address the network counts, since a person can choose the rest.
        """
        return f"{get_ip(request)} {credentials.get('email', '').strip().lower()}"

    def get_reauthentication_methods(self, user: AnyUser) -> list[dict[str, Any]]:
        """Return the ways to confirm who it is, in words of the portal, the usual one first."""
        ways: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        return [{**way, "description": WAYS.get(way["url"], way["description"])} for way in ways]

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        super().send_mail(template_prefix, email, context | {"public_url": settings.PUBLIC_URL})

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return reverse("profile_edit")

    def get_reset_password_from_key_url(self, key: str) -> str:
        user, _, token = key.partition("-")
        path = reverse("account_reset_password_from_key", args=[user, token])
        return settings.PUBLIC_URL + path

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        return settings.PUBLIC_URL + reverse("account_confirm_email", args=[emailconfirmation.key])


def _without_wrapping(address: str) -> str:
    """Return the IPv4 address in ``address``, as a socket for both kinds shows it in IPv6.

    Those addresses are all in one network of IPv6, and would be counted together.
    """
    try:
        wrapped = IPv6Address(address).ipv4_mapped
    except ValueError:
        return address
    return str(wrapped) if wrapped else address
