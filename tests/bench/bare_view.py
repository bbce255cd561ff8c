"""The addresses of the portal, and one that does nothing but let a portal key in.

Its requests pass the middleware of the portal as those of the API do.
"""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from batchapp.api.authentication import NAMESPACE
from config import urls


def bare(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(b'{"object":"nothing"}', content_type="application/json")


urlpatterns = [
    path("v1/", include(([path("bare", bare)], NAMESPACE))),
    *urls.urlpatterns,
]
