"""The page behind the link of an e-mail that switches off such e-mails, without a sign-in."""

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from batchapp.models import NoticeKind
from batchapp.presenters.notice_text import KINDS
from batchapp.services.notifications import email_links, preferences


# A program that reads mail sends the POST by itself, without a cookie or a token of a form: the
# signed link is what allows it, and switching off e-mails is all that it allows.
@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def notice_email_off(request: HttpRequest, token: str) -> HttpResponse:
    """Ask before the e-mails are switched off, since programs open the links of e-mails."""
    link = email_links.read_token(token)
    if link is None:
        raise Http404
    is_done = request.method == "POST"
    if is_done:
        preferences.switch_off_emails(link.person, link.kinds)
    context = {
        "is_done": is_done,
        "is_all": len(link.kinds) == len(NoticeKind),
        "labels": [KINDS[kind].label for kind in link.kinds],
    }
    return render(request, "batchapp/notifications/email_off.html", context)
