"""The page of the link that proves an e-mail address, and what its owner answers there.

Somebody else may have made the account, and know its password. So only the browser that gave the
password, or is signed in, confirms with one click. Elsewhere the owner of the address chooses a
new password, by which everything ends that was there before, or takes the address back.
"""

from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.email_verification import verify_email_and_resume
from allauth.account.models import EmailAddress, EmailConfirmationHMAC
from allauth.account.utils import user_pk_to_url_str
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from batchapp.models import Invitation, User
from batchapp.services.people import accounts

GAVE_PASSWORD = "gave_password_of"  # noqa: S105  # in the session: the id of a person
PAGE = "account/email_confirm.html"


def note_password_given(request: HttpRequest, person: User) -> None:
    """Remember that ``person`` gave the password in this browser, and has to prove the address."""
    request.session[GAVE_PASSWORD] = person.pk


@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def address_confirm(request: HttpRequest, key: str) -> HttpResponse:
    confirmation = EmailConfirmationHMAC.from_key(key)
    if confirmation is None or not _counts(confirmation.email_address):
        # Also for a second click, whose answer is all that the person sees.
        return render(request, PAGE, status=404 if request.method == "POST" else 200)
    address = confirmation.email_address
    context = _facts(request, address)
    action = request.POST.get("action")
    if action == "deny":
        return _deny(request, address)
    if action == "choose-password" and not context["is_change"]:
        return redirect(_new_password_url(address.user))
    if request.method == "POST" and context["is_known_browser"]:
        return _confirm(request, confirmation)
    return render(request, PAGE, context)


def _counts(address: EmailAddress) -> bool:
    return bool(address.can_set_verified()) and address.user.is_active


def _facts(request: HttpRequest, address: EmailAddress) -> dict[str, Any]:
    """Return whose account it is, and whether this browser belongs to its person."""
    person: User = address.user
    is_known = person.pk in {request.user.pk, request.session.get(GAVE_PASSWORD)}
    accepted = Invitation.objects.filter(accepted_by=person).select_related("project")
    return {
        "email": address.email,
        "person": person,
        "is_change": person.has_verified_address,
        "is_known_browser": is_known,
        "invitation": accepted.order_by("accepted_at").first(),
    }


def _confirm(request: HttpRequest, confirmation: EmailConfirmationHMAC) -> HttpResponse:
    request.session.pop(GAVE_PASSWORD, None)
    _, response = verify_email_and_resume(request, confirmation)
    return response or redirect("home")


def _new_password_url(person: User) -> str:
    """Return the page that a link for a new password leads to: the mailbox is proven already."""
    key = default_token_generator.make_token(person)
    return reverse("account_reset_password_from_key", args=[user_pk_to_url_str(person), key])


def _deny(request: HttpRequest, address: EmailAddress) -> HttpResponse:
    accounts.take_address_back(address)
    messages.success(request, f"Nobody uses {address.email} here any more.")
    return redirect("login")
