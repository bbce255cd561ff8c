"""Let a portal key in through the doors that are open to it, and answer in the API's way."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from allauth.account.adapter import get_adapter
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from batchapp.api.errors import invalid_key, missing_key, status_error
from batchapp.domain.portal_keys import bearer_secret
from batchapp.http import GetResponse
from batchapp.models import User
from batchapp.services.portal_keys.authenticate import authenticate

API = "/v1/"
# Nothing in these is secret.
OPEN_TO_ALL = frozenset({"/v1/openapi.json", "/v1/reference"})
NAMESPACE = "api"  # of the URL names below ``API``

# The names of pages that a portal key opens besides the API; every other address is as if it were
# not there. The rights of the key are still those of ``access``.
DOORS = frozenset(
    {
        *("batch_download", "batch_download_merged", "unmatched_line_download"),
        *("export_download", "batch_compare_csv", "cost_report_csv", "cross_tab_csv"),
        "project_audit_csv",
        "statement_csv",
    }
)
KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


class PortalKeyAuthentication:
    """Middleware that acts by the portal key in the ``Authorization`` header.

    It stands before the sessions: the cookies of a request with a key are dropped, so that the
    request is the key's alone. A header proves that no other site's page sent the request, so it
    needs no CSRF token. A key anywhere else than in the header is not looked at.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        # Taken out of the request, so that no error report and no log can show it.
        secret = bearer_secret(request.META.pop("HTTP_AUTHORIZATION", ""))
        is_api = request.path_info.startswith(API)
        if secret is None:
            needs_key = is_api and request.path_info not in OPEN_TO_ALL
            return missing_key() if needs_key else self.get_response(request)
        user = authenticate(secret, get_adapter(request).get_client_ip(request))
        if user is None:
            return invalid_key()
        request.COOKIES.clear()
        request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
        request.key_user = user  # type: ignore[attr-defined]
        response = in_envelope(request, self.get_response(request))
        patch_vary_headers(response, ["Authorization"])
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], _args: Any, _kwargs: Any
    ) -> HttpResponse | None:
        """Act as the person of the key from here on, if the address is open to keys."""
        user: User | None = getattr(request, "key_user", None)
        if user is None:
            return None
        if not is_door(request):
            return status_error(HTTPStatus.NOT_FOUND)
        request.user = user
        return None


def is_door(request: HttpRequest) -> bool:
    match = request.resolver_match
    if match is None:
        return False
    return match.namespaces == [NAMESPACE] or (not match.namespaces and match.url_name in DOORS)


def in_envelope(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    """Return ``response``, or the API's error in the place of a redirect or an error page.

    A redirect of a download leads to the form that shows what is wrong with the parameters.
    """
    if response.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return response
    if response.status_code == HTTPStatus.NOT_MODIFIED:
        return response
    if response.get("Content-Type", "").startswith("application/json"):
        return response
    status = response.status_code
    if status < HTTPStatus.BAD_REQUEST:
        status = HTTPStatus.BAD_REQUEST if is_door(request) else HTTPStatus.NOT_FOUND
    error = status_error(status)
    for name in KEPT_HEADERS:
        if response.has_header(name):
            error[name] = response[name]
    # Tasks for after the response, such as reading the rest of a large body.
    error._resource_closers.extend(response._resource_closers)  # type: ignore[attr-defined]
    return error
