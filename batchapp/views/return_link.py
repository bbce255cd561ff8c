"""The link back to the page from which a person went to add a missing key."""

from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme

FIELD = "next"


def return_url(request: HttpRequest) -> str:
    """Return the page of this portal that ``next`` names; "" if there is none."""
    url = request.POST.get(FIELD) or request.GET.get(FIELD) or ""
    if not url.startswith("/") or not url_has_allowed_host_and_scheme(
        url, allowed_hosts=None, require_https=request.is_secure()
    ):
        return ""
    try:
        resolve(urlsplit(url).path)
    except Resolver404:
        return ""
    return url


def back_context(request: HttpRequest) -> dict[str, str]:
    """Return the context of pages that show the link and keep it in their forms and links."""
    url = return_url(request)
    name = resolve(urlsplit(url).path).url_name or "" if url else ""
    is_batch = name.startswith(("batch_", "order_"))
    label = "Back to the batch" if is_batch else "Back to where you came from"
    return {"back": url, "back_label": label, "back_query": urlencode({FIELD: url}) if url else ""}


def with_return_url(request: HttpRequest, url: str) -> str:
    """Add the ``next`` of this request to ``url``."""
    back = return_url(request)
    path, hash_mark, fragment = url.partition("#")
    return f"{path}?{urlencode({FIELD: back})}{hash_mark}{fragment}" if back else url
