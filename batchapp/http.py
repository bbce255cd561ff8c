"""Requests and responses of the pages: fragments, downloads, and the limit of a body."""

import csv
import errno
import hashlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import chain
from typing import Any

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import (
    HttpRequest,
    HttpResponse,
    QueryDict,
    StreamingHttpResponse,
    UnreadablePostError,
)
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.datastructures import MultiValueDict
from django.utils.http import content_disposition_header
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from batchapp.models import User
from batchapp.models.audit.origin import AuditSource, coming_from

MIB = 1024 * 1024
BOM = "\ufeff"  # the first character of a CSV, by which Excel knows UTF-8
# The disk, or the share of it that a person or a process may use, has no room.
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class Request(HttpRequest):
    """A request behind the sign-in."""

    user: User
    htmx: HtmxDetails


class BodyTooLarge(MultiPartParserError):
    """The body is larger than the portal reads; the message is a sentence for the person."""


class NoRoom(MultiPartParserError):
    """The disk has no room for what was sent; the message is a sentence for the person."""


def wants_fragment(request: Request) -> bool:
    """Return True if htmx will put the response into a page rather than show it as a page."""
    htmx = request.htmx
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render_partial(
    request: Request, template: str, partial: str, context: dict[str, Any]
) -> HttpResponse:
    """Render ``template``, or only its ``partial`` when htmx asked for a fragment.

    ``Vary`` keeps the browser from showing a cached fragment when the user presses Back.
    """
    name = f"{template}#{partial}" if wants_fragment(request) else template
    response = render(request, name, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def etag_for(request: HttpRequest, version: str) -> str:
    """Return the ETag of a fragment for this browser: its token for forms is in the fragment."""
    browser = [request.COOKIES.get(name) for name in (settings.CSRF_COOKIE_NAME, "theme")]
    text = repr((version, request.get_full_path(), browser))
    return f'"{hashlib.sha256(text.encode()).hexdigest()}"'


def redirect_page(request: Request, url: str) -> HttpResponse:
    """Redirect to another page, also from a request for a fragment."""
    return HttpResponseClientRedirect(url) if wants_fragment(request) else redirect(url)


def download(
    content: Iterable[bytes] | Iterable[str],
    filename: str,
    content_type: str = "application/jsonl",
) -> StreamingHttpResponse:
    """Stream ``content`` as a file to save, which no cache keeps."""
    disposition = content_disposition_header(as_attachment=True, filename=filename)
    headers = {"Content-Disposition": disposition, "Cache-Control": "private, no-store"}
    return StreamingHttpResponse(content, content_type=content_type, headers=headers)


class _Echo:
    """A file that returns each text written to it, so that CSV rows can be streamed."""

    def write(self, text: str) -> str:
        return text


def download_csv(rows: Iterable[Iterable[Any]], filename: str) -> StreamingHttpResponse:
    """Stream ``rows`` as a CSV that Excel reads as UTF-8."""
    lines = map(csv.writer(_Echo()).writerow, rows)
    return download(chain([BOM], lines), filename, "text/csv; charset=utf-8")


def client_address(request: HttpRequest) -> str:
    """Return the network address of the person, as far as proxies are trusted."""
    return str(get_adapter(request).get_client_ip(request))[:45]


def note_origin(get_response: GetResponse) -> GetResponse:
    """Middleware that lets the audit know from where a request came."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        with coming_from(AuditSource.PAGE, client_address(request)):
            return get_response(request)

    return respond


def private(get_response: GetResponse) -> GetResponse:
    """Middleware that keeps pages out of caches that several people share."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        return response

    return respond


class PageCompression(GZipMiddleware):
    """Compress pages, which a portal without a proxy would send several times as large.

    Downloads stay as they are: they stream, and compressing them takes a worker's time. Django
    hides each CSRF token and the exact size of a page from who guesses at them (BREACH).
    """

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        is_page = response.get("Content-Type", "").startswith("text/html")
        if not is_page or response.streaming:
            return response
        compressed: HttpResponseBase = super().process_response(request, response)
        return compressed


class CountedBody:
    """The body of a request, and how many bytes of it were received so far."""

    def __init__(self, body: Any) -> None:
        self._body, self.received = body, 0

    def read(self, size: int) -> bytes:
        chunk: bytes = self._body.read(size)
        self.received += len(chunk)
        return chunk


class UploadHandler(TemporaryFileUploadHandler):
    """Write files to disk, and leave nothing there of a file that did not arrive whole."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        try:
            super().receive_data_chunk(raw_data, start)
        except OSError as exc:
            self.discard()
            raise (no_room() if exc.errno in DISK_FULL else exc) from exc

    def file_complete(self, file_size: int) -> "UploadedFile[bytes] | None":
        try:
            file: UploadedFile[bytes] | None = super().file_complete(file_size)
        except OSError as exc:  # the last bytes are written only now
            self.discard()
            raise (no_room() if exc.errno in DISK_FULL else exc) from exc
        self._is_whole = True
        return file

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        self._is_whole = False
        super().new_file(*args, **kwargs)

    def handle_raw_input(
        self,
        input_data: Any,
        META: dict[str, Any],  # noqa: N803 (the name in Django)
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> tuple[QueryDict, MultiValueDict[str, Any]] | None:
        """Read the body and count its bytes: Django takes what arrived for the whole.

        Raises:
            UnreadablePostError: the body ended before its announced length.
        """
        if isinstance(input_data, CountedBody):  # the parser below asks as well
            return None
        body: Any = CountedBody(input_data)  # of which the parser calls nothing but ``read``
        post, files = MultiPartParser(META, body, [self], encoding).parse()
        # The length of a body in chunks is a limit: reading one that breaks off has raised.
        if "HTTP_TRANSFER_ENCODING" not in META and body.received < content_length:
            for file in chain.from_iterable(each for _, each in files.lists()):
                file.close()
            raise UnreadablePostError("The body ended before its announced length.")
        return post, files

    def discard(self) -> None:
        """Delete the file that has not arrived whole, if there is one."""
        if not getattr(self, "_is_whole", True):
            self._is_whole = True
            with suppress(OSError):  # bytes that wait to be written are lost as well
                self.file.close()


def no_room() -> NoRoom:
    return NoRoom(
        "The portal's disk has no room for this. Nothing of it was stored, and all that was here "
        "before is still here. tell the administrator, and send it again when there is room."
    )
