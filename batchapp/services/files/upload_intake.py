"""Receive a file, store its bytes unchanged, and check it line by line."""

import hashlib
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import lines
from batchapp.domain.request_files.reading.gunzip import GZIP_SIGNATURE, UnpackedFile
from batchapp.domain.request_files.rules.request_warnings import find_secret
from batchapp.models import AuditEvent, AuditKind, BatchImport, Project, SourceTable, Upload, User
from batchapp.models.audit.origin import AuditSource, current_origin
from batchapp.models.files.upload import (
    CHUNK_BYTES,
    NAME_LENGTH,
    PROGRESS_SECONDS,
    sha256_of,
)
from batchapp.models.people.user import portal_key_of
from batchapp.storage import blobs
from batchapp.storage.blob_storage import ByteRange, StorageUnavailable

logger = logging.getLogger(__name__)

SAMPLES = settings.BASE_DIR / "batchapp/data/samples"
EXCERPT_LENGTH = 120  # characters of a line: enough for a person to find it
EXCERPT_BYTES = 4 * EXCERPT_LENGTH + 4  # a character has 4 bytes at most
FIRST_REQUEST_BYTES = 64 * 1024  # of the request that the check shows; a longer one is not shown
EXCERPT_CHUNKS = 64  # of a MiB each; further lines have no excerpt, the page would wait for them


def receive_file(
    project: Project,
    user: User,
    content: "File[bytes]",
    *,
    name: str,
    submission: UUID | None = None,
) -> Upload:
    """Store ``content`` as a file of ``project``, to be checked next.

    ``submission`` is the id of the form or script that sends the file: the same bytes under the
    same name are stored once for one id, and sending them again returns the same file, unless its
    requests were deleted meanwhile.

    A gzip archive is unpacked first, since providers take JSONL alone. A broken archive is stored
    packed, and the check reports why. The bytes are stored before the row: a row without bytes
    never exists.

    Raises:
        NotAllowed: nothing was stored.
    """
    access.require_write(user, project)
    with unpacked(content, project) as plain:
        if plain is not content:
            name = name.removesuffix(".gz")
        return store(project, user, plain, name=name, submission=submission)


def store(
    project: Project,
    user: User,
    content: "File[bytes]",
    *,
    name: str,
    submission: UUID | None,
    leased_until: datetime | None = None,
) -> Upload:
    """Store the bytes, then a row that is to be checked; see ``receive_file``.

    With ``leased_until`` the caller has the lease of a new row.

    Raises:
        NotAllowed: the project was archived or deleted meanwhile; nothing was stored.
    """
    # The end of a long name tells more files apart than its beginning.
    name = presentable(name[-NAME_LENGTH:].strip(), NAME_LENGTH) or "requests.jsonl"
    sha256 = sha256_of(content)
    pk = uuid5(submission, f"{project.pk} {user.pk} {sha256} {name}") if submission else uuid4()
    while submission and (stored := Upload.objects.filter(pk=pk).first()):
        if stored.purged_at is None:
            return stored
        # Its requests were deleted since: what is sent now has to be a file that can be used.
        pk = uuid5(pk, "after its deletion")
    upload = Upload(
        pk=pk,
        project=project,
        uploaded_by=user,
        name=name,
        size=content.size or 0,
        sha256=sha256,
        next_check_at=timezone.now(),
        leased_until=leased_until,
        portal_key=(key := portal_key_of(user)),
        source=AuditSource.KEY if key else current_origin().source,
    )
    upload.blob.save("requests.jsonl", content, save=False)
    stored = None
    try:
        with transaction.atomic():
            # What comes after a deletion would stay for good: no rule looks at the project again.
            access.require_open(project)
            stored = Upload.objects.insert_once(upload)
    finally:
        if stored is not upload:
            upload.blob.delete(save=False)
    return stored


@contextmanager
def unpacked(content: "File[bytes]", project: Project) -> Iterator["File[bytes]"]:
    """Yield the bytes inside a sound gzip archive, else ``content`` itself."""
    source = UnpackedFile(content.chunks(CHUNK_BYTES), project.connection.limits)
    if not source.is_gzip:
        content.seek(0)
        yield content
        return
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as unpacked:
        for piece in source:
            unpacked.write(piece)
        content.seek(0)
        unpacked.seek(0)
        yield content if source.finding else File(unpacked, name=content.name)


def fingerprint(content: "File[bytes]", name: str) -> str:
    """Return a digest of ``content`` and ``name``, by which the same call is known again."""
    return hashlib.sha256(f"{sha256_of(content)} {name}".encode(errors="replace")).hexdigest()


def find_earlier_copy(upload: Upload) -> Upload | None:
    """Return the oldest file of the same bytes in the same project, if it is older."""
    if upload.lacks_content:
        return None
    uploads = Upload.objects.with_content().filter(project=upload.project_id, sha256=upload.sha256)
    return uploads.filter(created_at__lt=upload.created_at).order_by("created_at", "pk").first()


def estimate_lines(upload: Upload) -> int:
    """Estimate the number of lines by the length of the first ones; 0 if nothing can be read."""
    try:
        head = next(upload.chunks(), b"")
    except OSError:
        return 0
    return head.count(b"\n") * upload.size // len(head) if head else 0


def read_excerpts(
    upload: Upload, numbers: set[int], offsets: Mapping[int, int] | None = None
) -> dict[int, str]:
    """Return line number -> beginning of the line, for those of ``numbers`` that can be found.

    ``offsets`` has the bytes where lines begin. Other lines, and all lines of an archive, are
    found only near the start.
    """
    try:
        excerpts = _excerpts_at(upload, offsets or {})
        if missing := numbers - excerpts.keys():
            excerpts |= _excerpts_of_head(upload, missing)
    except OSError:
        logger.warning("upload %s: its bytes cannot be read", upload.pk, exc_info=True)
        return {}
    return excerpts


def _excerpts_at(upload: Upload, offsets: Mapping[int, int]) -> dict[int, str]:
    ranges = [ByteRange(offset, EXCERPT_BYTES) for offset in offsets.values()]
    signature = ByteRange(0, len(GZIP_SIGNATURE))
    head, *pieces = blobs.read_ranges(upload.blob, [signature, *ranges])
    if head == GZIP_SIGNATURE:  # the offsets are of what is packed in it
        return {}
    lines_read = (piece.partition(b"\n")[0] for piece in pieces)
    return dict(zip(offsets, map(_excerpt, lines_read), strict=True))


def _excerpts_of_head(upload: Upload, numbers: set[int]) -> dict[int, str]:
    excerpts: dict[int, str] = {}
    head = islice(UnpackedFile(upload.chunks()), EXCERPT_CHUNKS)
    for line in lines.split(head, EXCERPT_BYTES):
        if line.number in numbers:
            excerpts[line.number] = _excerpt(line.data)
            if len(excerpts) == len(numbers):
                break
    return excerpts


def read_first_request(upload: Upload) -> bytes:
    """Return the first line that is not empty, cut after ``FIRST_REQUEST_BYTES``.

    The line is b"" if it holds a secret, or if the file cannot be read.
    """
    try:
        head = lines.split(UnpackedFile(upload.chunks()), FIRST_REQUEST_BYTES)
        line = next((line.data for line in head if lines.trim(line.data)), b"")
    except OSError:
        logger.warning("upload %s: its bytes cannot be read", upload.pk, exc_info=True)
        return b""
    return b"" if find_secret(line) else line


def _excerpt(data: bytes) -> str:
    if find_secret(data):  # a page must not repeat a secret
        return ""
    return presentable(" ".join(data.decode(errors="replace").split()), EXCERPT_LENGTH)


def receive_sample(project: Project, user: User, sample: str) -> Upload:
    """Store a copy of ``sample``, the stem of a JSONL file in ``SAMPLES``."""
    path = SAMPLES / f"{sample}.jsonl"
    with path.open("rb") as content:
        return receive_file(project, user, File(content), name=path.name)


def check_upload(
    upload: Upload, further_fields: Callable[[Upload, Report], dict[str, Any]] | None = None
) -> None:
    """Check all lines of ``upload``, and store the report with its findings and its use.

    ``further_fields`` is called with the report, and returns more fields to store with it.

    Raises:
        StaleRow: another worker has the row now; the report of this worker is dropped.
        StorageUnavailable: nothing was stored; check again later.
    """
    renewed_at = time.monotonic()

    def progress(lines: int) -> None:
        nonlocal renewed_at
        if time.monotonic() - renewed_at > PROGRESS_SECONDS:
            upload.renew_lease(lines_checked=lines)
            renewed_at = time.monotonic()

    try:
        report = check_file.check(
            upload.chunks(),
            check_limits(upload),
            progress=progress,
        )
        fields = further_fields(upload, report) if further_fields else {}
    except StorageUnavailable:  # the step is run again
        raise
    except OSError as exc:
        logger.exception("upload %s: its bytes cannot be read", upload.pk)
        problem = Problem(ProblemCode.FILE_UNREADABLE, {"reason": exc.strerror or str(exc)})
        upload.move_to(Upload.Status.FAILED, problem=problem)
        return
    store_report(upload, report, fields)


def store_report(upload: Upload, report: Report, further_fields: dict[str, Any]) -> None:
    """End the check of ``upload``, which the caller has leased.

    Raises:
        StaleRow: another worker has the row now; nothing was written.
    """
    upload.move_to(
        Upload.Status.READY if report.is_valid else Upload.Status.FAULTY,
        requests=report.requests,
        lines_checked=report.requests,
        report_fields=msgspec.to_builtins(report),
        checked_at=timezone.now(),
        problem=None,
        **further_fields,
    )


def check_limits(upload: Upload) -> Limits:
    """Return the limits of the connection, with what the provider refuses of bodies and models.

    An imported batch runs already, so that none of this can make its file faulty.
    """
    connection = upload.project.connection
    if BatchImport.objects.filter(upload=upload).exists():
        return msgspec.structs.replace(
            connection.limits, reasoning_effort_only=False, reads_cache_markers=False
        )
    return connection.check_limits


def check_again(upload: Upload, user: User) -> None:
    """Queue the check again, after a broken-off check or for a report that cannot be read.

    Raises:
        NotAllowed: nothing was written.
        Refused: its requests were deleted; nothing was written.
        StaleRow: another person or worker changed the row first.
    """
    access.require_write(user, upload.project)
    upload.require_content()
    empty = {"report_fields": None, "requests": None, "problem": None, "lines_checked": 0}
    if upload.status == Upload.Status.FAILED:
        upload.move_to(Upload.Status.CHECKING, **empty)
    else:
        now = timezone.now()
        upload.record(status=Upload.Status.CHECKING, next_check_at=now, claims=0, **empty)


def remove(upload: Upload, user: User) -> bool:
    """Delete the file and its bytes; return False if a batch was made from the file.

    The table that the file was made of is deleted when it has not been used for its time.

    Raises:
        NotAllowed: nothing was deleted.
    """
    access.require_write(user, upload.project)
    if upload.batches.exists():
        return False
    with transaction.atomic():
        Upload.objects.filter(pk=upload.pk).delete()
        AuditEvent.objects.record(
            AuditKind.FILE_DELETED, user, upload.project, file=str(upload.pk), name=upload.name
        )
    # A batch that was ordered meanwhile fails the commit above, and still needs the bytes.
    upload.blob.delete(save=False)
    if upload.table_id:
        SourceTable.objects.filter(pk=upload.table_id).resume_retention()
    return True
