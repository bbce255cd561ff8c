"""Lists of the addresses to which statements are mailed: of a project, and of cost centres."""

from typing import Any
from uuid import UUID

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.core.mail import send_mail
from django.db import transaction
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from batchapp import access
from batchapp.domain.refused import Refused
from batchapp.forms.statements.recipients import CostCentreRecipientForm, RecipientForm
from batchapp.http import Request
from batchapp.models import Project, StatementRecipient
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.statements import recipients
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page
from batchapp.views.statements.statement_pages import NAV

TOO_MANY = "You entered many addresses within the last hour. Wait a while, then try again."
Status = StatementRecipient.Status
TONES = {Status.ASKED: "quiet", Status.CONFIRMED: "good", Status.STOPPED: "warn"}
ICONS = {Status.ASKED: "clock", Status.CONFIRMED: "check", Status.STOPPED: "stop"}


@require_http_methods(["GET", "HEAD", "POST"])
def statement_recipient_list(request: Request, slug: str) -> HttpResponse:
    """Show to which addresses the statement of the project is mailed, and add one."""
    project = project_of(request, slug)
    require_owner(request, project)
    form = RecipientForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and _added(request, project, form):
        return redirect("statement_recipient_list", slug)
    context = project_page(request, project, "project_settings") | _list(request, project, form)
    return render(request, "batchapp/statements/recipient_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def cost_centre_recipient_list(request: Request) -> HttpResponse:
    """Show to which addresses the statements of cost centres are mailed, and add one."""
    access.require_administer(request.user)
    form = CostCentreRecipientForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and _added(request, None, form):
        return redirect("cost_centre_recipient_list")
    context = NAV | _list(request, None, form)
    return render(request, "batchapp/statements/recipient_list.html", context)


@require_POST
def statement_recipient_remove(request: Request, slug: str, recipient: UUID) -> HttpResponse:
    project = project_of(request, slug)
    require_owner(request, project)
    _remove(request, project, recipient)
    return redirect("statement_recipient_list", slug)


@require_POST
def cost_centre_recipient_remove(request: Request, recipient: UUID) -> HttpResponse:
    access.require_administer(request.user)
    _remove(request, None, recipient)
    return redirect("cost_centre_recipient_list")


def _remove(request: Request, project: Project | None, pk: UUID) -> None:
    recipient = get_object_or_404(StatementRecipient, pk=pk, project=project)
    recipients.remove(recipient, request.user)
    messages.success(request, f"Nothing is mailed to {recipient.email} any more.")


def _added(request: Request, project: Project | None, form: Form) -> bool:
    """Add the address of a valid form, and ask its reader; False if the form has errors now."""
    if not form.is_valid():
        return False
    action = "ask_statement_recipient"
    if not ratelimit.consume(request, action=action, user=request.user):
        form.add_error(None, TOO_MANY)
        return False
    try:
        with transaction.atomic():
            recipient = recipients.add(project, request.user, **form.cleaned_data)
            _ask(recipient)
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
        return False
    messages.success(
        request, f"{recipient.email} is asked to confirm. Nothing else is mailed before."
    )
    return True


def _ask(recipient: StatementRecipient) -> None:
    """Leave the e-mail that asks the reader of the address with the outbox."""
    context = {
        "recipient": recipient,
        "portal": settings.PUBLIC_URL,
        "confirm_url": _url("statement_mail_confirm", recipients.confirm_token(recipient)),
        "off_url": _url("statement_mail_stop", recipients.stop_token(recipient)),
    }
    text = render_to_string("batchapp/statements/recipient_confirm.txt", context)
    send_mail("Statements by e-mail: please confirm", text, None, [recipient.email])


def _url(name: str, token: str) -> str:
    return settings.PUBLIC_URL + reverse(name, args=[token])


def _list(request: Request, project: Project | None, form: Form) -> dict[str, Any]:
    rows = recipients.recipients_of(project, request.user)
    return {
        "rows": [(row, TONES[Status(row.status)], ICONS[Status(row.status)]) for row in rows],
        "form": form,
        "limit": recipients.MAX_RECIPIENTS,
        "has_mail_server": bool(settings.EMAIL_SERVER),
    }
