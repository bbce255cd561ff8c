"""The way to the provider of single sign-on and back, which also ends well if it is away."""

import logging

from allauth.socialaccount.providers.openid_connect import views
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from requests import RequestException

logger = logging.getLogger(__name__)


@login_not_required
def sso_start(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    try:
        response: HttpResponseBase = views.login(request, provider_id)
    except RequestException as exc:
        return _is_away(request, exc)
    return response


@login_not_required
def sso_end(request: HttpRequest, provider_id: str) -> HttpResponseBase:
    try:
        response: HttpResponseBase = views.callback(request, provider_id)
    except RequestException as exc:
        return _is_away(request, exc)
    return response


def _is_away(request: HttpRequest, exc: RequestException) -> HttpResponseBase:
    logger.warning("The provider of single sign-on does not answer: %s", exc)
    return render(request, "socialaccount/authentication_error.html", status=502)
