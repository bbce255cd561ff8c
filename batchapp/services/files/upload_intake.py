"""The first room: a file comes in, is kept as it is, and is checked line by line."""

import hashlib
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from uuid import UUID, uuid4, uuid5

import msgspec
from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.request_files.reading import lines
from batchapp.domain.request_files.reading.gunzip import UnpackedFile
from batchapp.domain.request_files.rules.request_warnings import find_secret
from batchapp.models import Project, Upload, User

logger = logging.getLogger(__name__)

CHUNK = 1024 * 1024

SAMPLES = settings.BASE_DIR / "batchapp/data/samples"
"""Request files that come with the portal, to try it with."""

NAME_LENGTH = 255
"""Characters of a file's name; of a longer one its end is kept."""

REPORT_EVERY = 0.5
"""Seconds between two signs of life while checking: a page that polls sees it move."""

SHARED_FROM = 16 * 1024 * 1024
"""Bytes of a file from which a second process is worth its start."""

EXCERPT_LENGTH = 120
"""Characters of a line that a page shows, so that a person finds it."""

EXCERPTS_FROM = 64
"""MiB at the start of a file in which lines are looked up for a page; beyond, it would wait."""


def receive_file(
    project: Project,
    user: User,
    content: "File[bytes]",
    *,
    name: str,
    submission: UUID | None = None,
) -> Upload:
    """Keep ``content`` as a file of ``project``, to be checked next.

    ``submission`` is made with the form or the script that sends: by the same one, the same bytes
    under the same name come in once, and are the same file when they are sent again.

    What is packed with gzip is unpacked first, since providers take JSONL alone; an archive that
    cannot be is kept as it came, for the check to say why.

    The bytes are stored before the row: a row without bytes never exists.
    """
    with _unpacked(content, project) as plain:
        if plain is not content:
            name = name.removesuffix(".gz")
        return _keep(project, user, plain, name=name, submission=submission)


def _keep(
    project: Project, user: User, content: "File[bytes]", *, name: str, submission: UUID | None
) -> Upload:
    name = presentable(name[-NAME_LENGTH:].strip(), NAME_LENGTH) or "requests.jsonl"
    sha256 = _sha256(content)
    upload = Upload(
        pk=uuid5(submission, f"{project.pk} {user.pk} {sha256} {name}") if submission else uuid4(),
        project=project,
        uploaded_by=user,
        name=name,
        size=content.size or 0,
        sha256=sha256,
        next_check_at=timezone.now(),
    )
    if submission and (before := Upload.objects.filter(pk=upload.pk).first()):
        return before
    upload.blob.save("requests.jsonl", content, save=False)
    try:
        with transaction.atomic():
            upload.save(force_insert=True)
    except IntegrityError:
        upload.blob.delete(save=False)
        if before := Upload.objects.filter(pk=upload.pk).first():  # sent twice at one instant
            return before
        raise
    except BaseException:
        upload.blob.delete(save=False)
        raise
    return upload


@contextmanager
def _unpacked(content: "File[bytes]", project: Project) -> Iterator["File[bytes]"]:
    """What is inside a sound archive, else ``content`` itself."""
    source = UnpackedFile(content.chunks(CHUNK), project.connection.limits)
    if not source.is_gzip:
        content.seek(0)
        yield content
        return
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as inside:
        for piece in source:
            inside.write(piece)
        content.seek(0)
        inside.seek(0)
        yield content if source.finding else File(inside, name=content.name)


def earlier_copy_of(upload: Upload) -> Upload | None:
    """The first file of the same bytes that came into the same project before, if any."""
    if upload.is_to_be_made:
        return None
    rows = Upload.objects.filter(project=upload.project_id, sha256=upload.sha256)
    return rows.filter(created_at__lt=upload.created_at).order_by("created_at", "pk").first()


def excerpts(upload: Upload, numbers: set[int]) -> dict[int, str]:
    """Line number -> how that line begins, of those lines that are quickly found."""
    found: dict[int, str] = {}
    try:
        head = islice(UnpackedFile(upload.chunks()), EXCERPTS_FROM)
        for line in lines.split(head, 4 * EXCERPT_LENGTH + 4):
            if line.number in numbers:
                found[line.number] = _beginning(line.data)
                if len(found) == len(numbers):
                    break
    except OSError:
        logger.warning("upload %s: its bytes cannot be read", upload.pk, exc_info=True)
    return found


def _beginning(data: bytes) -> str:
    """What a page may show of a line; a secret in it is not repeated."""
    if find_secret(data):
        return ""
    return presentable(" ".join(data.decode(errors="replace").split()), EXCERPT_LENGTH)


def receive_sample(project: Project, user: User, sample: str) -> Upload:
    """Keep a copy of ``sample``, the stem of a JSONL file in ``SAMPLES``, as if it were sent."""
    path = SAMPLES / f"{sample}.jsonl"
    with path.open("rb") as content:
        return receive_file(project, user, File(content), name=path.name)


def check_upload(upload: Upload) -> None:
    """Find every fault in ``upload``, and what it would use.

    Raises:
        StaleRow: another worker has it now; what this one found is dropped.
    """
    said = time.monotonic()

    def progress(lines: int) -> None:
        nonlocal said
        if time.monotonic() - said > REPORT_EVERY:
            upload.renew_lease(lines_checked=lines)
            said = time.monotonic()

    try:
        report = check_file.check(
            upload.chunks(),
            upload.project.connection.limits,
            progress=progress,
            with_second_process=upload.size >= SHARED_FROM,
        )
    except OSError as exc:
        logger.exception("upload %s: its bytes cannot be read", upload.pk)
        upload.move_to(
            Upload.Status.FAILED,
            error=f"The stored file could not be read ({exc.strerror or exc}). Try again; if it "
            "happens again, upload the file anew and tell whoever runs this portal.",
        )
        return
    upload.move_to(
        Upload.Status.READY if report.is_valid else Upload.Status.FAULTY,
        requests=report.requests,
        lines_checked=report.requests,
        report_fields=msgspec.to_builtins(report),
        checked_at=timezone.now(),
        error="",
    )


def check_again(upload: Upload) -> None:
    """Put a file back in line whose check broke off, or whose report cannot be read any more.

    Raises:
        StaleRow: somebody else was faster.
    """
    afresh = {"report_fields": None, "requests": None, "error": "", "lines_checked": 0}
    if upload.status == Upload.Status.FAILED:
        upload.move_to(Upload.Status.CHECKING, **afresh)
    else:
        now = timezone.now()
        upload.record(status=Upload.Status.CHECKING, next_check_at=now, claims=0, **afresh)


def remove(upload: Upload) -> bool:
    """Delete a file that no batch was made of, and its bytes; False if one was."""
    if upload.batches.exists():
        return False
    blob = upload.blob
    upload.delete()
    blob.delete(save=False)
    return True


def _sha256(content: "File[bytes]") -> str:
    digest = hashlib.sha256()
    for chunk in content.chunks(CHUNK):
        digest.update(chunk)
    content.seek(0)
    return digest.hexdigest()
