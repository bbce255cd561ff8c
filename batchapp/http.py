"""HTTP as our pages know it: who asks, whole page or fragment, how large a body may be."""

from collections.abc import Callable
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import patch_cache_control, patch_vary_headers
from django_htmx.middleware import HtmxDetails

from batchapp.models import User

MIB = 1024 * 1024

Answer = Callable[[HttpRequest], HttpResponseBase]


class Request(HttpRequest):
    """A request behind the sign-in."""

    user: User
    htmx: HtmxDetails


class BodyTooLarge(MultiPartParserError):
    """The body is larger than the portal reads; the message is a sentence for the person."""


def wants_fragment(request: Request) -> bool:
    """Whether htmx will put the answer into a page, rather than show it as one."""
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


def private(get_response: Answer) -> Answer:
    """Keep what a person is shown out of caches that others share."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if not response.has_header("Cache-Control"):
            patch_cache_control(response, private=True, no_cache=True)
        return response

    return answer


class BoundedUploadHandler(TemporaryFileUploadHandler):
    """Puts files on disk, and refuses a body beyond ``MAX_UPLOAD_MIB`` by its announced length.

    WSGI servers give us no more than was announced, so that is all there is to check. As much
    again is read and dropped before we answer: a browser that is cut off while it sends shows a
    broken connection instead of our sentence.
    """

    def handle_raw_input(
        self,
        input_data: IO[bytes],
        META: dict[str, str],  # noqa: N803  # Django's name
        content_length: int,
        boundary: str,
        encoding: str | None = None,
    ) -> None:
        if content_length > MIB and not _is_signed_in(self.request):
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


def _is_signed_in(request: HttpRequest | None) -> bool:
    """Django parses a form to check its token, before any view has asked who sends it."""
    return request is not None and request.user.is_authenticated
