"""The list of all files of a project: those of requests, and two of the results of each batch."""

from collections.abc import Iterator
from datetime import datetime
from operator import itemgetter
from typing import Any, Literal, NamedTuple
from uuid import UUID

from ninja import Field, Schema

from batchapp.api.file_object import PURPOSES, result_file_object, upload_object
from batchapp.api.ids import parse_file_id
from batchapp.api.pages import DEFAULT_LIMIT, Position, page_size, rows_after, unknown_cursor
from batchapp.domain.results.outcome import storable_text
from batchapp.http import Request
from batchapp.models import Batch, ResultChunk, Upload
from batchapp.services.results.result_files import result_file_sizes

LONGEST_SEARCH = 200  # characters


class FileFilters(Schema):
    after: str = ""
    limit: int = Field(DEFAULT_LIMIT, ge=1)
    order: Literal["asc", "desc"] = "desc"
    purpose: Literal["", "batch", "batch_output", "batch_error"] = ""
    search: str = Field("", max_length=LONGEST_SEARCH)


class _Place(NamedTuple):
    """The place of a file in the list; a batch has two files at the same moment."""

    created_at: datetime
    pk: UUID
    purpose: str


def file_page(request: Request, filters: FileFilters) -> list[dict[str, Any]]:
    """Return the files after the cursor, and one more if there is a next page.

    Raises:
        ApiError: there is no file with the id of the cursor.
    """
    after = _place_of(request, filters.after) if filters.after else None
    is_descending = filters.order == "desc"
    rows = [*_uploads(request, filters, after), *_result_files(request, filters, after)]
    rows.sort(key=itemgetter(0), reverse=is_descending)
    if after:
        rows = [row for row in rows if (row[0] < after if is_descending else row[0] > after)]
    return [file for _place, file in rows[: page_size(filters.limit) + 1]]


def _place_of(request: Request, after: str) -> _Place:
    file = parse_file_id(after)
    if file is None:
        raise unknown_cursor(after)
    rows: Any = Batch.objects if file.kind else Upload.objects
    row = rows.visible_to(request.user).filter(pk=file.pk).only("created_at").first()
    if row is None:
        raise unknown_cursor(after)
    return _Place(row.created_at, row.pk, PURPOSES[file.kind] if file.kind else "batch")


def _uploads(
    request: Request, filters: FileFilters, after: _Place | None
) -> Iterator[tuple[_Place, dict[str, Any]]]:
    if filters.purpose not in {"", "batch"}:
        return
    rows = Upload.objects.visible_to(request.user).with_content().defer("report_fields")
    rows = rows.select_related("uploaded_by", "project")
    if search := storable_text(filters.search):
        rows = rows.filter(name__icontains=search)
    position = Position(after.created_at, after.pk) if after else None
    is_ascending = filters.order == "asc"
    for row in rows_after(rows, position, limit=filters.limit, oldest_first=is_ascending):
        yield _Place(row.created_at, row.pk, "batch"), upload_object(row)


def _result_files(
    request: Request, filters: FileFilters, after: _Place | None
) -> Iterator[tuple[_Place, dict[str, Any]]]:
    kinds = [kind for kind, purpose in PURPOSES.items() if filters.purpose in {"", purpose}]
    if not kinds or filters.search:  # their names are ids, which nobody searches for
        return
    rows = Batch.objects.visible_to(request.user).filter(purged_at=None)
    rows = rows.select_related("created_by", "project")
    is_ascending = filters.order == "asc"
    # From the row of the cursor on, whose other file may follow.
    position = Position(after.created_at, after.pk) if after else None
    page = rows_after(rows, position, limit=filters.limit, oldest_first=is_ascending)
    if after and after.purpose != "batch":
        page = [*rows.filter(pk=after.pk), *page]
    sizes = result_file_sizes(row.pk for row in page)
    for row in page:
        for kind in kinds:
            size = sizes.get((row.pk, kind), 0)
            place = _Place(row.created_at, row.pk, PURPOSES[kind])
            yield place, result_file_object(row, kind, size)


def result_file(batch: Batch, kind: ResultChunk.Kind) -> dict[str, Any]:
    """Describe one result file of a batch."""
    size = result_file_sizes([batch.pk]).get((batch.pk, kind), 0)
    return result_file_object(batch, kind, size)
