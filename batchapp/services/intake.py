"""The first room: a file comes in, is kept as it is, and is checked line by line."""

import hashlib
import logging
import time
from pathlib import Path

import msgspec
from django.core.files.base import File
from django.utils import timezone

from batchapp.domain import jsonl
from batchapp.domain.faults import presentable
from batchapp.models import Project, Upload, User

logger = logging.getLogger(__name__)

CHUNK = 1024 * 1024

SAMPLES = Path(__file__).parent.parent / "data/samples"
"""Request files that come with the portal, to try it with."""

NAME_LENGTH = 255
"""Characters of a file's name; of a longer one its end is kept."""

REPORT_EVERY = 0.5
"""Seconds between two signs of life while checking: a page that polls sees it move."""


def receive(project: Project, user: User, content: "File[bytes]", *, name: str) -> Upload:
    """Keep ``content`` as a file of ``project``, to be checked next.

    The bytes are stored before the row: a row without bytes never exists.
    """
    upload = Upload(
        project=project,
        uploaded_by=user,
        name=presentable(name[-NAME_LENGTH:], NAME_LENGTH),
        size=content.size or 0,
        sha256=_sha256(content),
        next_check_at=timezone.now(),
    )
    upload.blob.save("requests.jsonl", content, save=False)
    try:
        upload.save()
    except BaseException:
        upload.blob.delete(save=False)
        raise
    return upload


def receive_sample(project: Project, user: User, sample: str) -> Upload:
    """Keep a copy of ``sample``, the stem of a JSONL file in ``SAMPLES``, as if it were sent."""
    path = SAMPLES / f"{sample}.jsonl"
    with path.open("rb") as content:
        return receive(project, user, File(content), name=path.name)


def check(upload: Upload) -> None:
    """Find every fault in ``upload``, and what it would use.

    Raises:
        StaleRow: another worker has it now; what this one found is dropped.
    """
    said = time.monotonic()

    def progress(lines: int) -> None:
        nonlocal said
        if time.monotonic() - said > REPORT_EVERY:
            upload.renew(lines_checked=lines)
            said = time.monotonic()

    try:
        report = jsonl.check(upload.chunks(), upload.project.connection.limits, progress=progress)
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
        findings=msgspec.to_builtins(report),
        checked_at=timezone.now(),
        error="",
    )


def check_again(upload: Upload) -> None:
    """Put a file whose check broke off back in line."""
    upload.move_to(Upload.Status.CHECKING, error="", lines_checked=0)


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
