"""The addresses below /v1.

The web server imports this module with the first request to one of them, so that commands and
workers do without the API and its libraries.
"""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from batchapp.api import files
from batchapp.api.openapi_document import openapi_document
from batchapp.api.portal_api import api
from batchapp.api.reference import api_reference

View = Callable[..., HttpResponseBase]


def answering_head(view: View) -> View:
    """Return ``view``, which answers HEAD as GET; the web server leaves the body out."""

    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        is_head = request.method == "HEAD"
        if is_head:
            request.method = "GET"
        try:
            response = view(request, *args, **kwargs)
        finally:
            request.method = "HEAD" if is_head else request.method
        if isinstance(response, HttpResponseNotAllowed):
            methods = set(response["Allow"].split(", "))
            response["Allow"] = ", ".join(
                sorted(methods | ({"HEAD"} if "GET" in methods else set()))
            )
        return response

    answer.csrf_exempt = True  # type: ignore[attr-defined]  # a header is no cookie
    return answer


# The routes that receive a large body -> who may send one. Of several methods at an address, the
# pattern has the name of the first.
LARGE_BODIES = {"file_create": files.require_submitter}


def patterns() -> list[URLPattern]:
    """Return the pattern of each route, with the name of its function."""
    found = [pattern for pattern in api.urls[0] if isinstance(pattern, URLPattern)]
    for pattern in found:
        pattern.callback = answering_head(pattern.callback)
        if require := LARGE_BODIES.get(str(pattern.name)):
            pattern.callback.require_sender = require  # type: ignore[attr-defined]
    # Without that of django-ninja, a link to its own documentation.
    return [pattern for pattern in found if pattern.name != "api-root"]


urlpatterns = [
    path("openapi.json", openapi_document, name="openapi_document"),
    path("reference", api_reference, name="api_reference"),
    *patterns(),
]
