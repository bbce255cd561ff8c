"""Decide who may send how much before anything of it is read.

A form is parsed for its CSRF token before any view sees it, and a file in it is on disk by then.
The middleware here comes first: it answers by the length that the request announces.
"""

import logging
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from batchapp import access
from batchapp.http import DISK_FULL, MIB, BodyTooLarge, GetResponse, no_room
from batchapp.views.permissions import memberships_of, project_of

logger = logging.getLogger(__name__)

FORM_BYTES = MIB  # a body up to this size is a form: it is read before anything is decided
RESERVE_BYTES = 16 * MIB  # of the disk, which uploads leave to the database
DRAIN_SECONDS = 30  # longest time that a body is read and dropped after its refusal
DRAIN_BYTES = 64 * 1024  # that are read at once

View = TypeVar("View", bound=Callable[..., HttpResponseBase])
Require = Callable[..., object]


def takes_files(require: Require) -> Callable[[View], View]:
    """Mark a view that receives files; ``require`` gets its arguments, and raises for others."""

    def mark(view: View) -> View:
        view.require_sender = require  # type: ignore[attr-defined]
        return view

    return mark


def require_writer(request: Any, slug: str) -> None:
    """Let only members of the project in the address send files to it."""
    access.require_write(request.user, project_of(request, slug))


def require_writer_somewhere(request: Any) -> None:
    """Let only people send files who may write in a project; the form names which."""
    projects = [membership.project for membership in memberships_of(request)]
    if not projects:
        raise Http404
    if not any(access.can_write(request.user, project) for project in projects):
        access.require_write(request.user, projects[0])


class UploadDoors:
    """Middleware that refuses a large body by its length, its sender or the room on the disk."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for handler in getattr(request, "_upload_handlers", ()):
            handler.discard()
        if _announced_bytes(request) > FORM_BYTES and "wsgi.input" in request.META:
            # A browser that is cut off while it sends shows a broken connection instead of our
            # sentence, so the rest is read and dropped once the response was sent.
            response._resource_closers.append(lambda: _drain(request))  # type: ignore[attr-defined]
        return response

    def process_view(
        self, request: HttpRequest, view: Any, _args: Any, kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Answer instead of the view if the body must not be read.

        Raises:
            BodyTooLarge, NoRoom: there is a sentence for the person.
            PermissionDenied: the sender may not send files there.
        """
        if request.method != "POST":
            return None
        if "CONTENT_LENGTH" not in request.META and "HTTP_TRANSFER_ENCODING" in request.META:
            return render(request, "411.html", status=411)
        length = _announced_bytes(request)
        if length <= FORM_BYTES:
            return None
        if not request.user.is_authenticated:
            raise BodyTooLarge("Sign in first: until then the portal takes no files.")
        if require := getattr(view, "require_sender", None):
            try:
                require(request, **kwargs)
            except Http404:  # the handler of this error would read the form for its token
                return render(request, "404.html", status=404)
        elif length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise BodyTooLarge("This page takes no files. Upload them under New batch or Files.")
        if length > settings.MAX_UPLOAD_MIB * MIB:
            raise BodyTooLarge(
                f"What you sent has {length / MIB:,.0f} MiB, and the portal takes at most "
                f"{settings.MAX_UPLOAD_MIB:,} MiB at once. Send fewer files at once, or split the "
                "file into smaller ones."
            )
        if length + RESERVE_BYTES > shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free:
            raise no_room()
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer with a sentence if the disk is full while a view stores what was sent."""
        if isinstance(exception, OSError) and exception.errno in DISK_FULL:
            logger.error("The disk is full: %s", exception)
            return render(request, "507.html", {"sentence": str(no_room())}, status=507)
        return None


def _announced_bytes(request: HttpRequest) -> int:
    length = request.META.get("CONTENT_LENGTH") or "0"
    return int(length) if length.isdecimal() else 0


def _drain(request: HttpRequest) -> None:
    """Read and drop the rest of the body, within limits of its size and of time."""
    stream = request.META["wsgi.input"]
    ends_at = time.monotonic() + DRAIN_SECONDS
    left = min(_announced_bytes(request), settings.MAX_UPLOAD_MIB * MIB)
    with suppress(Exception):  # the sender has gone, and nobody reads an answer any more
        while left > 0 and time.monotonic() < ends_at:
            chunk = stream.read(min(DRAIN_BYTES, left))
            left = left - len(chunk) if chunk else 0
