"""Decide who may send how much before anything of it is read.

A form is parsed for its CSRF token before any view sees it, and a file in it is on disk by then.
The middleware here comes first: it answers by the length that the request announces, and gives a
body that comes in chunks, whose length nobody knows, a limit at which reading it ends.
"""

import logging
import shutil
from collections.abc import Callable
from io import IOBase
from typing import Any, TypeVar

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from batchapp import access
from batchapp.http import DISK_FULL, MIB, BodyTooLarge, GetResponse, no_room
from batchapp.storage.blob_storage import StorageUnavailable
from batchapp.views.permissions import memberships_of, project_of

logger = logging.getLogger(__name__)

FORM_BYTES = MIB  # a body up to this size is a form: it is read before anything is decided
RESERVE_BYTES = 16 * MIB  # of the disk, which uploads leave to the database
NO_FILES = "This page takes no files. Upload them under New batch or Files."

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
    """Middleware that refuses a large body by its length, its sender or the room on the disk.

    The web server reads and drops the rest of a body that was refused.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for handler in getattr(request, "_upload_handlers", ()):
            handler.discard()
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
        length = _announced_bytes(request)
        if length is not None and length <= FORM_BYTES:
            return None
        if not request.user.is_authenticated:
            raise BodyTooLarge("Sign in first: until then the portal takes no files.")
        require = getattr(view, "require_sender", None)
        if require:
            try:
                require(request, **kwargs)
            except Http404:  # the handler of this error would read the form for its token
                return render(request, "404.html", status=404)
        limit = settings.MAX_UPLOAD_MIB * MIB if require else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if length is None:
            size = f"more than {settings.MAX_UPLOAD_MIB:,}"
            _let_in_chunks(request, limit, _too_large(size) if require else NO_FILES)
            return None
        if length > limit:
            raise BodyTooLarge(_too_large(f"{length / MIB:,.0f}") if require else NO_FILES)
        if length + RESERVE_BYTES > _free_bytes():
            raise no_room()
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer with a sentence if a view finds the disk full, or the storage away."""
        if isinstance(exception, OSError) and exception.errno in DISK_FULL:
            logger.error("The disk is full: %s", exception)
            return render(request, "507.html", {"sentence": str(no_room())}, status=507)
        if isinstance(exception, StorageUnavailable):
            logger.error("The storage is away: %s", exception)
            return render(request, "503.html", status=503)
        return None


class LimitedBody(IOBase):
    """A body that comes in chunks, read to its end or to ``limit``, in bytes."""

    def __init__(self, body: Any, limit: int, sentence: str) -> None:
        self._body, self._left, self._sentence = body, limit, sentence

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, and none after the last.

        Raises:
            BodyTooLarge, NoRoom: there is a sentence for the person.
            OSError: the body does not come whole.
        """
        most = self._left + 1
        chunk: bytes = self._body.read(most if size < 0 else min(size, most))
        self._left -= len(chunk)
        if self._left < 0:
            raise BodyTooLarge(self._sentence)
        if chunk and _free_bytes() < RESERVE_BYTES:
            raise no_room()
        return chunk


def _let_in_chunks(request: HttpRequest, limit: int, sentence: str) -> None:
    """Let Django read a body in chunks, which it takes for empty, up to ``limit`` bytes."""
    request.META["CONTENT_LENGTH"] = str(limit)
    request._stream = LimitedBody(request.META["wsgi.input"], limit, sentence)  # type: ignore[assignment]


def _announced_bytes(request: HttpRequest) -> int | None:
    """Return the length of the body; None if it comes in chunks, and the server ends it."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length == "0" and "HTTP_TRANSFER_ENCODING" in request.META:
        return None if request.META.get("wsgi.input_terminated") else 0
    return int(length) if length.isdecimal() else 0


def _free_bytes() -> int:
    return shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free


def _too_large(size: str) -> str:
    return (
        f"What you sent has {size} MiB, and the portal takes at most "
        f"{settings.MAX_UPLOAD_MIB:,} MiB at once. Send fewer files at once, or split the "
        "file into smaller ones."
    )
