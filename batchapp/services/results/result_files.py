"""The files of answers and of errors of a batch, which scripts read while it runs."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Sum

from batchapp import access
from batchapp.models import Batch, ResultChunk, User
from batchapp.storage.pieces import Piece, byte_range, end_of_lines, total_bytes

Kind = ResultChunk.Kind


@dataclass(frozen=True, slots=True)
class ResultLines:
    """Some lines of a file, and the number of lines up to the last of them.

    ``has_more`` is True if the file has further lines now.
    """

    pieces: list[Piece]
    last_line: int
    has_more: bool


def read_result_lines(
    batch: Batch, user: User, kind: Kind, *, skip: int = 0, limit: int | None = None
) -> ResultLines:
    """Return the lines of a result file after the first ``skip``, at most ``limit`` of them.

    The lines stand in the order in which they were stored: new ones come after those that a
    script has read, also of a batch that is sent in several provider batches. A retry in place
    takes the errors that it clears out of the file.

    Raises:
        NotAllowed: nothing was read.
        Refused: the answers were deleted.
    """
    access.require_see(user, batch.project)
    batch.require_content()
    chunks = ResultChunk.objects.filter(provider_batch__batch=batch, kind=kind).order_by("pk")
    pieces: list[Piece] = []
    before = total = 0
    for chunk in chunks:
        if total + chunk.lines <= skip:
            before += chunk.lines
        else:
            pieces.append(Piece(chunk.blob, 0, chunk.size))
        total += chunk.lines
    start, _ = end_of_lines(pieces, max(skip - before, 0))
    pieces = byte_range(pieces, start, total_bytes(pieces))
    if limit is None:
        return ResultLines(pieces, max(skip, total), has_more=False)
    end, lines = end_of_lines(pieces, limit)
    return ResultLines(byte_range(pieces, 0, end), skip + lines, has_more=skip + lines < total)


def result_file_sizes(batches: Iterable[UUID]) -> dict[tuple[UUID, str], int]:
    """Return (batch, kind) -> bytes of the file so far, with one query; empty files are absent."""
    rows = ResultChunk.objects.filter(provider_batch__batch__in=list(batches)).order_by()
    sums = rows.values_list("provider_batch__batch", "kind").annotate(bytes=Sum("size"))
    return {(batch, kind): size for batch, kind, size in sums}
