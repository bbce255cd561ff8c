"""The page about e-mail: a test, and the e-mails that were not sent."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.http import Request
from batchapp.models import OutgoingEmail
from batchapp.presenters.mail_text import email_text, trouble_text
from batchapp.services.mail import outbox


@require_http_methods(["GET", "HEAD", "POST"])
def mail_show(request: Request) -> HttpResponse:
    """Show how e-mails are sent and which were not, and send a test to the administrator."""
    emails = outbox.unsent(request.user)
    if request.method == "POST":
        if request.POST.get("action") == "again":
            count = outbox.try_again(request.user)
            messages.success(request, f"The portal tries {count} again now.")
        else:
            _send_test(request)
        return redirect("mail_show")
    context: dict[str, Any] = {
        "emails": [(email, email_text(email)) for email in emails],
        "number": outbox.count_unsent(request.user),
        "server": settings.EMAIL_SERVER,
        "sender": settings.DEFAULT_FROM_EMAIL,
        "nav": "mail",
    }
    return render(request, "batchapp/administration/mail_show.html", context)


def _send_test(request: Request) -> None:
    try:
        outbox.send_test(request.user)
    except outbox.NotSent as exc:
        messages.error(request, trouble_text(exc.trouble, exc.said))
    else:
        messages.success(request, f"The mail server took the test for {request.user.email}.")


@require_safe
def mail_read(request: Request, pk: UUID) -> HttpResponse:
    """Show the text of one e-mail, so that an administrator can pass it on."""
    try:
        email = outbox.read(request.user, pk)
    except OutgoingEmail.DoesNotExist as exc:
        raise Http404 from exc
    context = {"email": email, "state": email_text(email)}
    return render(request, "batchapp/administration/mail_read.html", context | {"nav": "mail"})
