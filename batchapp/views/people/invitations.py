"""Invite people to a project or to the portal, and answer an invitation."""

from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.core import ratelimit
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.core.mail import send_mail
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from batchapp import access
from batchapp.domain.refused import Refused
from batchapp.forms.invitations import (
    AcceptForm,
    InvitationForm,
    PortalInvitationForm,
    ProjectInvitationForm,
)
from batchapp.http import Request
from batchapp.models import Invitation, OutgoingEmail, Project, User
from batchapp.presenters.invitation_text import (
    invitation_link,
    invitation_mail,
    open_invitation,
)
from batchapp.presenters.mail_text import trouble_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.people import invitations
from batchapp.services.people.invitations import AddressTaken, InvitationGone
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page

TOO_MANY = (
    "You sent many invitations within the last hour. Wait a while, or copy a link and send it "
    "yourself."
)
GONE = "This invitation was answered or revoked in the meantime."


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_list(request: Request, slug: str) -> HttpResponse:
    """List the open invitations of a project; its owners invite, make new links and revoke."""
    project = project_of(request, slug)
    require_owner(request, project)
    return _invitation_page(request, project)


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def portal_invitation_list(request: Request) -> HttpResponse:
    """List the open invitations to the portal alone."""
    access.require_administer(request.user)
    return _invitation_page(request, None)


def invitation_context(request: Request, project: Project | None) -> dict[str, Any]:
    """Return what the list of open invitations and the form of a new one show."""
    rows = invitations.list_open(project, request.user)
    return {
        "invitations": [open_invitation(row) for row in rows],
        "invitation_form": _form(project),
        "has_mail_server": bool(settings.EMAIL_SERVER),
        "invitations_url": reverse("invitation_list", args=[project.slug])
        if project
        else reverse("portal_invitation_list"),
    }


def _form(project: Project | None, *args: Any, **options: Any) -> PortalInvitationForm:
    if project:
        return ProjectInvitationForm(*args, project=project, **options)
    return PortalInvitationForm(*args, **options)


def _invitation_page(request: Request, project: Project | None) -> HttpResponse:
    """Show the page. A new link is part of the answer to its POST, as it is stored nowhere."""
    new: dict[str, Any] = {}
    action = request.POST.get("action")
    if action in {"mail", "link"}:
        new = _invite(request, project)
    elif request.method == "POST":
        new = _change(request, project)
    if request.method == "POST" and not new:
        return redirect(invitation_context(request, project)["invitations_url"])
    context = project_page(request, project, "member_list") if project else {"nav": "people"}
    context |= invitation_context(request, project) | new
    return render(request, "batchapp/people/invitation_list.html", context)


def _invite(request: Request, project: Project | None) -> dict[str, Any]:
    """Make an invitation; return the form with its errors, or what came of it."""
    by_mail = request.POST["action"] == "mail"
    form = _form(project, request.POST, by_mail=by_mail)
    if not form.is_valid():
        return {"invitation_form": form}
    if by_mail and not ratelimit.consume(request, action="invite_by_email", user=request.user):
        form.add_error("email", TOO_MANY)
        return {"invitation_form": form}
    cleaned = form.cleaned_data
    email, days = cleaned["email"], cleaned["days"]
    try:
        if project:
            invitation, token = invitations.invite_to_project(
                project, request.user, role=cleaned["role"], email=email, days=days
            )
        else:
            invitation, token = invitations.invite_to_portal(request.user, email=email, days=days)
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
        return {"invitation_form": form}
    if by_mail:
        return _mail(request, invitation, token)
    return {"invitation": invitation, "link": invitation_link(token)}


def _mail(request: Request, invitation: Invitation, token: str) -> dict[str, Any]:
    """Leave the e-mail to the workers; without a mail server the link is shown instead."""
    link = invitation_link(token)
    if not settings.EMAIL_SERVER:
        problem = trouble_text(OutgoingEmail.Trouble.NO_SERVER, "")
        return {"invitation": invitation, "link": link, "mail_problem": problem}
    subject, text = invitation_mail(invitation, link)
    send_mail(subject, text, None, [invitation.email])
    invitations.mark_mailed(invitation, request.user)
    messages.success(request, f"The invitation is on its way to {invitation.email}.")
    return {}


def _change(request: Request, project: Project | None) -> dict[str, Any]:
    form = InvitationForm(request.POST, project=project)
    if not form.is_valid():
        messages.error(request, GONE)
        return {}
    invitation: Invitation = form.cleaned_data["invitation"]
    if request.POST.get("action") == "renew":
        try:
            token = invitations.renew_link(invitation, request.user)
        except InvitationGone:
            messages.error(request, GONE)
            return {}
        return {"invitation": invitation, "link": invitation_link(token), "is_renewed": True}
    if invitations.revoke(invitation, request.user):
        messages.success(request, "The invitation is revoked. Its link does nothing any more.")
    else:
        messages.error(request, GONE)
    return {}


@login_not_required
@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def invitation_accept(request: HttpRequest, token: str) -> HttpResponse:
    """The page of a link: it makes an account, or lets the person who is signed in accept.

    Whatever the reason is for which a link does not count, the answer is the same.
    """
    invitation = invitations.find_invitation(token)
    if invitation is None:
        return _gone(request)
    if isinstance(request.user, User):
        return _accept_signed_in(request, invitation, request.user)
    return _accept_as_new_person(request, invitation)


def _accept_as_new_person(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    # As for the open sign-up: each account sends an e-mail, and tells whether an address is known.
    if request.method == "POST" and not ratelimit.consume(request, action="signup"):
        too_many: HttpResponse = ratelimit.respond_429(request)
        return too_many
    form = AcceptForm(request.POST if request.method == "POST" else None, invitation=invitation)
    if not form.is_valid():
        return _accept_page(request, invitation, form=form)
    cleaned = form.cleaned_data
    try:
        user = invitations.accept_as_new_person(
            invitation,
            email=cleaned.get("email", ""),
            password=cleaned["password1"],
            first_name=cleaned["first_name"],
            last_name=cleaned["last_name"],
        )
    except InvitationGone:
        return _gone(request)
    except AddressTaken:
        form.add_error(None, "Somebody with this address has an account. Sign in to accept.")
        return _accept_page(request, invitation, form=form)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    UserSession.objects.create_from_request(request)
    if not user.has_verified_address:
        _ask_to_confirm_address(request, user)
    return _go_on(request, invitation)


def _ask_to_confirm_address(request: HttpRequest, user: User) -> None:
    """Send the link that proves the address; the next sign-in needs it, and sends it again."""
    EmailAddress.objects.get_for_user(user, user.email).send_confirmation(request)


def _accept_signed_in(request: HttpRequest, invitation: Invitation, user: User) -> HttpResponse:
    if not invitation.is_for(user):
        return _accept_page(request, invitation, is_for_another=True)
    if invitation.project and access.can_see(user, invitation.project):
        messages.info(request, f"You are in {invitation.project} already.")
        return redirect(invitation.project)
    if request.method != "POST":
        return _accept_page(request, invitation)
    try:
        invitations.accept(invitation, user)
    except InvitationGone:
        return _gone(request)
    return _go_on(request, invitation)


def _accept_page(request: HttpRequest, invitation: Invitation, **context: Any) -> HttpResponse:
    context |= {"invitation": invitation}
    return render(request, "batchapp/people/invitation_accept.html", context)


def _gone(request: HttpRequest) -> HttpResponse:
    return render(request, "batchapp/people/invitation_gone.html", status=404)


def _go_on(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    if invitation.project is None:
        messages.success(request, "Your account is ready.")
        return redirect("home")
    role = invitation.get_role_display().lower()
    messages.success(request, f"You are in {invitation.project} now, as {role}.")
    return redirect(invitation.project)


@require_POST
def invitation_answer(request: Request, pk: UUID) -> HttpResponse:
    """Accept or decline an invitation that the home page shows."""
    rows = Invitation.objects.filter(invitee=request.user).select_related("project", "invited_by")
    invitation = get_object_or_404(rows, pk=pk)
    answer = request.POST.get("answer")
    if answer not in {"accept", "decline"}:
        raise Http404
    try:
        if answer == "accept":
            invitations.accept(invitation, request.user)
            return _go_on(request, invitation)
        invitations.decline(invitation, request.user)
    except InvitationGone:
        messages.error(request, "This invitation is not valid any more.")
    return redirect("home")
