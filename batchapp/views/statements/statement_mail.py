"""The pages behind the links of e-mails with statements, which work without a sign-in."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from batchapp.models import StatementRecipient
from batchapp.services.statements import recipients


@csrf_exempt  # the signed link is what allows it, and it allows nothing else
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def statement_mail_confirm(request: HttpRequest, token: str) -> HttpResponse:
    """Ask before the address is confirmed, since programs open the links of e-mails."""
    recipient = recipients.asked_by(token)
    if recipient is None:
        raise Http404
    if request.method == "POST":
        recipients.confirm(recipient)
    return _page(request, recipient, "confirm")


# A program that reads mail sends the POST by itself, without a cookie or a token of a form.
@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def statement_mail_stop(request: HttpRequest, token: str) -> HttpResponse:
    """Ask before the address gets no more statements."""
    recipient = recipients.stopped_by(token)
    if recipient is None:
        raise Http404
    if request.method == "POST":
        recipients.stop(recipient)
    return _page(request, recipient, "stop")


def _page(request: HttpRequest, recipient: StatementRecipient, page: str) -> HttpResponse:
    """Show the address and whose statements it gets, which its reader knows from the e-mail."""
    context = {"recipient": recipient, "page": page}
    return render(request, "batchapp/statements/statement_mail.html", context)
