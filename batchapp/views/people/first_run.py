"""The page that makes the first person of an empty portal, and the middleware that leads there."""

import logging
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from batchapp.forms.person_details import FirstAdministratorForm
from batchapp.http import GetResponse
from batchapp.services.people import first_administrator
from batchapp.services.people.first_administrator import PortalNotEmpty

logger = logging.getLogger(__name__)

# Addresses for machines and the icons of every page, by their URL names.
OPEN_WHILE_EMPTY = {"first_run", "healthz", "readyz", "icons", "webhook_receive"}


class FirstRun:
    """Middleware: while nobody has an account, every page leads to the first run."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self._get_response(request)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        match = request.resolver_match
        if (match and match.url_name in OPEN_WHILE_EMPTY) or request.user.is_authenticated:
            return None
        return redirect("first_run") if first_administrator.is_portal_empty() else None


@login_not_required
@never_cache
@sensitive_post_parameters("password1", "password2")
@require_http_methods(["GET", "HEAD", "POST"])
def first_run(request: HttpRequest) -> HttpResponse:
    """Make the administrator; only for whoever has the link that the server printed."""
    if not first_administrator.is_portal_empty():
        raise Http404
    token = request.GET.get("token", "")
    if not first_administrator.is_setup_token(token):
        logger.warning(
            "Nobody has an account yet. Make the administrator at %s",
            first_administrator.setup_link(),
        )
        return render(request, "batchapp/people/first_run.html", {"is_wrong": bool(token)})
    form = FirstAdministratorForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "batchapp/people/first_run.html", {"form": form})
    cleaned = form.cleaned_data
    try:
        user = first_administrator.create_first_administrator(
            cleaned["email"],
            cleaned["password1"],
            first_name=cleaned["first_name"],
            last_name=cleaned["last_name"],
        )
    except PortalNotEmpty:
        raise Http404 from None
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    UserSession.objects.create_from_request(request)
    messages.success(request, "You are the administrator of this portal, and signed in.")
    return redirect("home")
