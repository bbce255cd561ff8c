"""Requests and responses of the pages: fragments, downloads, and the limit of a body."""

import csv
from collections.abc import Callable, Iterable
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.shortcuts import redirect, render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.utils.http import content_disposition_header
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from batchapp.models import User

MIB = 1024 * 1024

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class Request(HttpRequest):
    """A request behind the sign-in."""

    user: User
    htmx: HtmxDetails


class BodyTooLarge(MultiPartParserError):
    """The body is larger than the portal reads; the message is a sentence for the person."""


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
    writer = csv.writer(_Echo())
    return download(map(writer.writerow, rows), filename, "text/csv; charset=utf-8")


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


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Write files to disk, and refuse a body beyond ``MAX_UPLOAD_MIB`` by its announced length.

    WSGI servers pass on no more than was announced, so the length is all there is to check. As
    much again is read and dropped before we respond: a browser that is cut off while it sends
    shows a broken connection instead of our sentence.
    """

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: dict[str, str],  # noqa: N803  # Django's name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        # Django parses a form for its CSRF token before any view checks who sends it.
        is_signed_in = self.request is not None and self.request.user.is_authenticated
        if content_length > MIB and not is_signed_in:
            raise BodyTooLarge("Sign in first: until then the portal takes no files.")
        limit = settings.MAX_UPLOAD_MIB * MIB
        if content_length <= limit:
            return
        for _ in range(settings.MAX_UPLOAD_MIB):
            if not input_data.read(MIB):
                break
        raise BodyTooLarge(
            f"What you sent has {content_length / MIB:,.0f} MiB, and the portal takes at most "
            f"{settings.MAX_UPLOAD_MIB:,} MiB at once. Send fewer files at once, or split the "
            "file into smaller ones."
        )
