"""The room before the first: a table comes in, is read, and goes when nobody uses it."""

import tempfile
from datetime import timedelta
from typing import BinaryIO, cast

import msgspec
from django.conf import settings
from django.core.files.base import File
from django.db.models import QuerySet
from django.utils import timezone

from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables import table_reader, workbooks
from batchapp.domain.tables.table_reader import Asked, TableError
from batchapp.models import Project, PromptTemplateVersion, SourceTable, User
from batchapp.models.files.source_table import KEPT_FOR

NAME_LENGTH = 255

MAX_TABLE_MIB = 100
"""Of a table as it is sent; the rows of a workbook may take some times as much."""

QUICK_BYTES = {"text": 2 * 1024 * 1024, "workbook": 64 * 1024}
"""Up to this size a table is read while the person waits: well below a second."""

QUICK_UNPACKED = 1024 * 1024
"""Of a workbook, which may have been packed to a thousandth."""

SILENT_LEASES = 5
"""The texts of a workbook are all read before its first row is."""

ROWS_PER_SIGN = 500


class Refused(Exception):
    """It is no table that can be taken; the message is a sentence for the person."""


def receive_table(
    project: Project,
    user: User,
    content: "File[bytes]",
    *,
    name: str,
    used: PromptTemplateVersion | None = None,
) -> SourceTable:
    """Keep ``content`` as a table of ``project``, to be read next and made as ``used`` says.

    Raises:
        Refused: it is no table, or too large; nothing is kept.
    """
    if (content.size or 0) > max_mib() * 1024 * 1024:
        raise Refused(
            f"A table may have {max_mib():,} MiB at most. Split it, or leave out columns that no "
            "prompt needs."
        )
    head = content.read(table_reader.SNIFFED)
    content.seek(0)
    try:
        table_reader.recognise(head)
    except TableError as finding:
        raise Refused(str(finding)) from finding
    table = SourceTable(
        project=project,
        created_by=user,
        name=presentable(name[-NAME_LENGTH:].strip(), NAME_LENGTH) or "table.csv",
        size=content.size or 0,
        read_as=list(Asked()),
        next_check_at=timezone.now(),
        prompt_settings_fields=used.prompt_settings_fields if used else None,
        used=used,
    )
    table.blob.save("table", content, save=False)
    try:
        table.save(force_insert=True)
    except BaseException:
        table.blob.delete(save=False)
        raise
    return table


def max_mib() -> int:
    """Of a table as it is sent."""
    return min(MAX_TABLE_MIB, settings.MAX_UPLOAD_MIB)


def is_quickly_read(table: SourceTable) -> bool:
    """Whether a person can wait for ``read``."""
    with table.blob.open("rb") as sent:
        kind = table_reader.recognise(sent.read(table_reader.SNIFFED))
        is_quick = table.size <= QUICK_BYTES[kind]
        if is_quick and kind == "workbook":
            return workbooks.unpacked(cast(BinaryIO, sent.file)) <= QUICK_UNPACKED
    return is_quick


def read_table(table: SourceTable) -> None:
    """Write the rows of ``table`` out as JSON, so that every later step finds them quickly.

    Raises:
        StaleRow: another worker has it now; what this one read is dropped.
    """
    table.renew_lease(leases=SILENT_LEASES)
    sign = table.lease_renewer()
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as fresh:
        try:
            with table.blob.open("rb") as sent:
                found = table_reader.read(cast(BinaryIO, sent.file), table.asked)
                for row in found:
                    fresh.write(msgspec.json.encode(row) + b"\n")
                    if found.rows % ROWS_PER_SIGN == 0:
                        sign(found.rows)
        except TableError as finding:
            _refuse(table, str(finding))
            return
        if not found.rows:
            _refuse(table, "The table has a header and no rows. Add a row for each request.")
            return
        before = table.cells.name or ""
        fresh.seek(0)
        table.cells.save("rows", File(fresh), save=False)
    try:
        _note_read(table, found)
    except BaseException:
        table.cells.delete(save=False)
        raise
    if before:
        table.cells.storage.delete(before)


def _note_read(table: SourceTable, found: table_reader.Table) -> None:
    table.move_to(
        SourceTable.Status.KEPT,
        **SourceTable.unused_from_now(),
        cells=table.cells.name,
        read_as=list(found.read_as),
        sheets=found.sheets,
        columns=found.columns,
        renamed=found.renamed,
        rows=found.rows,
        ragged=found.ragged,
        error_cells=found.error_cells,
        error="",
    )


def _refuse(table: SourceTable, error: str) -> None:
    table.move_to(SourceTable.Status.REFUSED, **SourceTable.unused_from_now(), error=error)


def read_again(table: SourceTable, asked: Asked) -> None:
    """Put ``table`` back in line, to be read in another way.

    Raises:
        StaleRow: somebody else was faster.
    """
    table.move_to(
        SourceTable.Status.READING, read_as=list(asked), findings=[], finding_total=0, error=""
    )


def forget(table: SourceTable) -> None:
    """Delete a table that nobody used for days; what was made of it stays.

    A message that comes late finds one that was used meanwhile.
    """
    rest = table.used_at + KEPT_FOR - timezone.now()
    if rest > timedelta(0):
        table.postpone(rest)
        return
    rows = SourceTable.objects.filter(pk=table.pk, leased_until=table.leased_until)
    _discard(table, rows)
    table.next_check_at = None


def discard(table: SourceTable) -> None:
    """Delete a table that its person does not need; a worker that has it notices."""
    _discard(table, SourceTable.objects.filter(pk=table.pk))


def _discard(table: SourceTable, rows: "QuerySet[SourceTable]") -> None:
    if rows.delete()[0]:
        for blob in (table.blob, table.cells):
            if blob.name:
                blob.storage.delete(blob.name)


def give_up(table: SourceTable) -> None:
    """Stop a table whose every attempt ended in a crash, where a person sees it."""
    sentence = (
        "This broke off several times. Try again with a smaller table; if it happens again, the "
        "portal's log says why."
    )
    if table.status == SourceTable.Status.READING:
        _refuse(table, sentence)
    elif table.status == SourceTable.Status.MAKING:
        table.move_to(SourceTable.Status.KEPT, **SourceTable.unused_from_now(), error=sentence)
    else:
        table.postpone(KEPT_FOR)
