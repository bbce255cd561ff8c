"""Notes when a browser was seen, and signs a person out in others."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from batchapp.http import GetResponse, Request
from batchapp.models import User
from batchapp.services.people import sessions
from batchapp.templatetags.words import count


class SessionActivity:
    """Middleware that notes when a person used a page, and in which browser."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., Any], *_: Any) -> None:
        if not getattr(view, "login_required", True) or not isinstance(request.user, User):
            return
        if request.user.portal_key is None:  # a script has no session
            sessions.note_activity(request, request.user)
            # A page that is left open asks by itself, also when nobody reads it.
            if "HX-Request" not in request.headers:
                sessions.note_presence(request, request.user)


@require_POST
def session_end(request: Request) -> HttpResponse:
    """Sign the person out in one other browser, or in all others."""
    pk = request.POST.get("session", "")
    if not pk:
        ended = sessions.end_other_sessions(request.user, request.session.session_key)
    else:
        ended = int(pk.isdecimal() and sessions.end_session(request.user, int(pk[:18])))
    messages.success(request, f"Signed out in {count(ended, 'other browser')}.")
    return redirect("profile_edit")
