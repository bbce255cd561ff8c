"""A corrected version of a file: decided on a page, made by a worker, checked like any other."""

import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

import msgspec
from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp.domain.corrections.corrected_file import Correction, Preview, preview
from batchapp.domain.corrections.corrector import Choice, Corrector
from batchapp.models import Upload, User

logger = logging.getLogger(__name__)

PREVIEWED = 2 * 1024 * 1024
"""Bytes at the start of a file that a page tries a choice on while a person waits."""

NAME_LENGTH = 255
ENDING = ".jsonl"
DELETED = (
    "The file that this version was to be made of is deleted, so there is nothing to correct. "
    "Delete this entry, and upload the file again."
)


class Trial(msgspec.Struct, frozen=True):
    """``is_whole``: all lines of the file were tried, so the numbers are the file's."""

    preview: Preview
    is_whole: bool


def request_correction(
    original: Upload, user: User, choice: Choice, *, submission: UUID
) -> Upload:
    """Decide on a corrected version of ``original``, whose bytes a worker makes.

    ``submission`` is made with the form: the same one with the same choice is the same file.
    """
    asked = f"{original.pk} {user.pk} {sorted(choice.corrections)} {choice.model!r}"
    pk = uuid5(submission, f"{asked} {choice.max_tokens} {choice.every_model}")
    if before := Upload.objects.filter(pk=pk).first():
        return before
    fresh = Upload(
        pk=pk,
        project=original.project,
        uploaded_by=user,
        name=_name(original),
        size=0,
        made_from=original,
        retry_of=original.retry_of,
        correction_fields=msgspec.to_builtins(Correction(choice, original.name)),
        next_check_at=timezone.now(),
    )
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:  # sent twice at one instant
        if before := Upload.objects.filter(pk=pk).first():
            return before
        raise
    return fresh


def try_correction(original: Upload, choice: Choice) -> Trial:
    """What ``choice`` does to the beginning of a file; nothing is kept.

    Raises:
        OSError: its bytes cannot be read.
    """
    head, is_whole = bytearray(), True
    for chunk in original.chunks():
        head += chunk
        if len(head) >= PREVIEWED:
            is_whole = len(head) == original.size
            break
    data = bytes(head if is_whole else head[: head.rfind(b"\n") + 1])
    return Trial(preview(data, choice, original.project.connection.limits), is_whole)


def write_corrected_file(upload: Upload) -> bool:
    """Write the bytes of a version that was begun; False if they cannot be, and why is recorded.

    Raises:
        StaleRow: another worker has it now; what this one wrote is dropped.
    """
    correction = upload.correction
    if upload.made_from is None or correction is None:
        upload.move_to(Upload.Status.FAILED, error=DELETED)
        return False
    original = upload.made_from
    corrector, alive = (
        Corrector(correction.choice, upload.project.connection.limits),
        upload.lease_renewer(),
    )

    def chunks() -> Iterator[bytes]:
        for chunk in original.chunks():
            alive(0)
            yield chunk

    def told() -> dict[str, Any]:
        done = msgspec.structs.replace(correction, changed=dict(corrector.changed))
        return {"correction_fields": msgspec.to_builtins(done)}

    try:
        upload.attach(corrector.run(chunks), told)
    except OSError as exc:
        logger.exception("upload %s: it cannot be made of %s", upload.pk, upload.made_from_id)
        upload.move_to(
            Upload.Status.FAILED,
            error=f"The corrected version could not be made: {original.name} could not be "
            f"read, or there is no room to write ({exc.strerror or exc}). Try again; if it "
            "happens again, tell whoever runs this portal.",
        )
        return False
    return True


def _name(original: Upload) -> str:
    """The original's with a word behind it, and a number from the second version on."""
    stem, number = (
        original.name.removesuffix(ENDING),
        original.versions.filter(selection__isnull=True).count() + 1,
    )
    mark = "-corrected" if number == 1 else f"-corrected-{number}"
    return f"{stem[: NAME_LENGTH - len(mark) - len(ENDING)]}{mark}{ENDING}"
