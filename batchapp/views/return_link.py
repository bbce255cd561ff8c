"""Back to where a person came from, once what was missing there is added."""

from urllib.parse import urlencode, urlsplit

from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils.http import url_has_allowed_host_and_scheme

FIELD = "next"


def way_back(request: HttpRequest) -> str:
    """The page of this portal that ``next`` names; "" if it names none."""
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
    """For pages that show the link, and keep it in their own forms and links."""
    url = way_back(request)
    name = resolve(urlsplit(url).path).url_name or "" if url else ""
    is_batch = name.startswith(("batch_", "order_"))
    label = "Back to the batch" if is_batch else "Back to where you came from"
    return {"back": url, "back_label": label, "keep": urlencode({FIELD: url}) if url else ""}


def keeping(request: HttpRequest, url: str) -> str:
    """``url``, from which the way back is still known."""
    back = way_back(request)
    path, hash_mark, fragment = url.partition("#")
    return f"{path}?{urlencode({FIELD: back})}{hash_mark}{fragment}" if back else url
