"""Corrected files: request a correction on a page, and write its bytes in a worker."""

import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

import msgspec
from django.utils import timezone

from batchapp import access
from batchapp.domain.corrections.corrected_file import Correction, Example, Preview, preview
from batchapp.domain.corrections.correction_rules import STRUCTURE, Choice, CorrectionKind
from batchapp.domain.corrections.corrector import Corrector
from batchapp.domain.corrections.plan import Plan, make_plan
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.request_files.check_file import Finding, Report
from batchapp.models import Upload, User
from batchapp.models.files.upload import numbered_name
from batchapp.services.files.marked_file import MarkedFile
from batchapp.storage.blob_storage import StorageUnavailable

logger = logging.getLogger(__name__)

OTHER_ENDING = re.compile(r"\.(jsonl|json|ndjson|txt)$", re.IGNORECASE)  # of requests
# Corrections whose effect on a line depends on the lines around it.
NEEDS_OTHER_LINES = STRUCTURE | {CorrectionKind.SUFFIX_DUPLICATES, CorrectionKind.DROP_REPEATED}
PLAN_BYTES = 256 * 1024  # at the start of a file; more than a few long requests
PREVIEW_BYTES = 2 * 1024 * 1024  # at the start of a file; a person waits for the preview


class Trial(msgspec.Struct, frozen=True):
    """The preview of a correction; ``is_whole`` if it covers all lines of the file."""

    preview: Preview
    is_whole: bool


def request_correction(
    original: Upload, user: User, choice: Choice, *, submission: UUID
) -> Upload:
    """Create the row of a corrected file of ``original``; a worker writes the bytes.

    ``submission`` is the id of the form: the same id with the same choice is the same file.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_write(user, original.project)
    seed = (
        f"{original.pk} {user.pk} {sorted(choice.corrections)} {choice.model!r} "
        f"{choice.max_tokens} {choice.every_model} {choice.url}"
    )
    if choice.marking:
        seed += f" {choice.marking}"
    if choice.every_marker:
        seed += " every marker"
    number = original.versions.filter(selection__isnull=True).count() + 1
    return Upload.objects.insert_once(
        Upload(
            pk=uuid5(submission, seed),
            project=original.project,
            uploaded_by=user,
            name=numbered_name(
                OTHER_ENDING.sub("", original.name),
                "-marked" if choice.marking else "-corrected",
                number,
            ),
            size=0,
            made_from=original,
            retry_of=original.retry_of,
            table_id=original.table_id,
            correction_fields=msgspec.to_builtins(Correction(choice, original.name)),
            next_check_at=timezone.now(),
        )
    )


def plan_corrections(original: Upload, report: Report) -> Plan | None:
    """Plan the corrections that turn a file into requests, on its first lines.

    Return None for a file that needs none, or where a person must decide first.

    Raises:
        OSError: the bytes of the file cannot be read.
    """
    if report.is_valid or report.is_gzip:
        return None
    head, is_whole = _read_head(original, PLAN_BYTES)
    limits = original.project.connection.check_limits
    return make_plan(head, report.finding_totals, limits, is_whole=is_whole)


def _read_head(original: Upload, size: int) -> tuple[bytes, bool]:
    """Return about the first ``size`` bytes, and whether they are the whole file."""
    head, is_whole = bytearray(), True
    for chunk in original.chunks(0, size):
        head += chunk
        if len(head) >= size:
            is_whole = len(head) == original.size
            break
    return bytes(head), is_whole


def try_correction(original: Upload, choice: Choice) -> Trial:
    """Preview ``choice`` on the first lines of a file; nothing is stored.

    Raises:
        OSError: the bytes of the file cannot be read.
    """
    head, is_whole = _read_head(original, PREVIEW_BYTES)
    limits = original.project.connection.check_limits
    return Trial(preview(head, choice, limits, is_whole=is_whole), is_whole)


def first_example(original: Upload, choice: Choice, finding: Finding | None) -> Example | None:
    """Preview ``choice`` on the line of ``finding``, else on the first lines that it changes.

    Raises:
        OSError: the bytes of the file cannot be read.
    """
    needs_others = choice.corrections & NEEDS_OTHER_LINES
    if finding is None or needs_others:
        return next(iter(try_correction(original, choice).preview.examples), None)
    line = bytearray()
    for chunk in original.chunks(finding.offset, PREVIEW_BYTES):
        line += chunk
        if b"\n" in chunk:
            break
    data = bytes(line.partition(b"\n")[0])
    examples = preview(data, choice, original.project.connection.check_limits).examples
    return msgspec.structs.replace(examples[0], line=finding.line) if examples else None


def write_corrected_file(upload: Upload) -> bool:
    """Write the bytes of a requested correction; return False if the row failed instead.

    Raises:
        StaleRow: another worker has the row now; the bytes of this worker are dropped.
        StorageUnavailable: nothing was stored; write the file again later.
    """
    original, correction = upload.made_from, upload.correction
    if original is None or correction is None:
        upload.move_to(Upload.Status.FAILED, problem=Problem(ProblemCode.ORIGINAL_DELETED))
        return False
    limits, marking = upload.project.connection.check_limits, correction.choice.marking
    marked = MarkedFile(marking, limits) if marking else None
    corrector = marked or Corrector(correction.choice, limits)
    renew_lease = upload.lease_renewer()

    def chunks() -> Iterator[bytes]:
        for chunk in original.chunks():
            renew_lease(0)
            yield chunk

    def final_fields() -> dict[str, Any]:
        applied = msgspec.structs.replace(correction, changed=dict(corrector.changed))
        return {"correction_fields": msgspec.to_builtins(applied)}

    try:
        upload.write_content(corrector.run(chunks), final_fields)
    except StorageUnavailable:  # the step is run again
        raise
    except OSError as exc:
        logger.exception("upload %s: cannot be written from %s", upload.pk, original.pk)
        data = {"file": original.name, "reason": exc.strerror or str(exc)}
        problem = Problem(ProblemCode.CORRECTION_NOT_WRITTEN, data)
        upload.move_to(Upload.Status.FAILED, problem=problem)
        return False
    return True
