"""Receive a table, read its rows, and delete the table when nobody uses it any more."""

import hashlib
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.tables import table_reader, workbook_archive
from batchapp.domain.tables.read_options import ReadOptions
from batchapp.domain.tables.read_process import TableHead
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Project,
    PromptTemplateVersion,
    SourceTable,
    User,
)
from batchapp.models.files.source_table import PROGRESS_ROWS, RETENTION
from batchapp.models.files.upload import NAME_LENGTH, sha256_of
from batchapp.services.tables.open_table import open_table
from batchapp.storage import blobs

MAX_TABLE_MIB = 100  # as sent; the rows of a workbook may take several times as much

# Largest table, by kind, that is read while the person waits: well below a second.
QUICK_BYTES = {"text": 2 * 1024 * 1024, "json": 1024 * 1024, "workbook": 64 * 1024}
QUICK_UNPACKED_BYTES = 1024 * 1024  # of a workbook, which may be packed to a thousandth

SILENT_LEASES = 5  # a workbook reports no progress until all its texts are read


def receive_table(
    project: Project,
    user: User,
    content: "File[bytes]",
    *,
    name: str,
    version: PromptTemplateVersion | None = None,
) -> SourceTable:
    """Store ``content`` as a table of ``project``, to be read next.

    The table starts with the prompt settings of ``version``.

    Raises:
        NotAllowed: nothing was stored.
        Refused: the content is no table, or too large; nothing was stored.
    """
    fields = version.prompt_settings_fields if version else None
    return _store(
        project, user, content, name=name, prompt_settings_fields=fields, template_version=version
    )


def _store(
    project: Project, user: User, content: "File[bytes]", *, name: str, **fields: Any
) -> SourceTable:
    access.require_write(user, project)
    require_table(content)
    table = SourceTable(
        project=project,
        created_by=user,
        name=presentable(name[-NAME_LENGTH:].strip(), NAME_LENGTH) or "table.csv",
        size=content.size or 0,
        sha256=sha256_of(content),
        next_check_at=timezone.now(),
        **{"read_as": list(ReadOptions())} | fields,
    )
    table.blob.save("table", content, save=False)
    try:
        table.save(force_insert=True)
    except BaseException:
        table.blob.delete(save=False)
        raise
    return table


def require_table(content: "File[bytes]") -> None:
    """Refuse content that is certainly no table.

    Raises:
        Refused: the content is no table, or too large.
    """
    if (content.size or 0) > max_mib() * 1024 * 1024:
        raise Refused(Refusal.TABLE_TOO_LARGE, limit_mib=max_mib())
    content.seek(0)
    head = content.read(table_reader.HEAD_BYTES)
    content.seek(0)
    table_reader.detect_kind(head)


def max_mib() -> int:
    """Return the size limit of a table as sent."""
    return min(MAX_TABLE_MIB, settings.MAX_UPLOAD_MIB)


def is_quick_to_read(table: SourceTable) -> bool:
    """Return True if a person can wait for ``read_table``."""
    if table.is_from_answers:
        return False
    with table.blob.open("rb") as blob:
        kind = table_reader.detect_kind(blob.read(table_reader.HEAD_BYTES))
        is_quick = table.size <= QUICK_BYTES[kind]
        if is_quick and kind == "workbook":
            return (
                workbook_archive.unpacked_size(cast(BinaryIO, blob.file)) <= QUICK_UNPACKED_BYTES
            )
    return is_quick


def read_table(table: SourceTable) -> None:
    """Read the table once, and store its rows as JSON, which every later step reads quickly.

    Raises:
        StaleRow: another worker has the row now; the rows of this worker are dropped.
    """
    table.renew_lease(leases=SILENT_LEASES)
    renew_lease = table.lease_renewer()
    head: TableHead | None = None
    digest = hashlib.sha256()
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
        try:
            with (
                blobs.local_path(table.blob) as path,
                path.open("rb") as sent,
                open_table(sent, table.read_options) as reader,
            ):
                head = reader.head
                for rows, line in enumerate(reader.json_rows(), start=1):
                    content.write(line)
                    digest.update(line)
                    if rows % PROGRESS_ROWS == 0:
                        renew_lease(rows)
        except Refused as exc:
            refuse(table, exc.problem, head, exc.data.get("sheets", []))
            return
        totals = reader.totals
        if not totals.rows:
            refuse(table, Problem(ProblemCode.TABLE_WITHOUT_ROWS), head)
            return
        content.seek(0)
        keep_rows(
            table,
            File(content),
            cells_sha256=digest.hexdigest(),
            read_as=list(head.read_as),
            sheets=head.sheets,
            columns=head.columns,
            renamed=head.renamed,
            rows=totals.rows,
            ragged=totals.ragged,
            error_cells=totals.error_cells,
            notices=totals.notices,
        )


def keep_rows(table: SourceTable, content: "File[bytes]", **fields: Any) -> None:
    """End the reading: store the rows, a JSON list a line, and delete those from before.

    Raises:
        StaleRow: another worker has the row now; the rows of this worker are dropped.
    """
    old_cells = table.cells.name or ""
    table.cells.save("rows", content, save=False)
    try:
        table.move_to(
            SourceTable.Status.KEPT,
            **SourceTable.restart_retention(),
            cells=table.cells.name,
            problem=None,
            **fields,
        )
    except BaseException:
        table.cells.delete(save=False)
        raise
    if old_cells:
        table.cells.storage.delete(old_cells)


def refuse(
    table: SourceTable,
    problem: Problem,
    head: TableHead | None = None,
    sheets: Sequence[str] = (),
) -> None:
    """End the reading; how the table was read is kept, if that is known, to be changed.

    ``sheets`` are known also of a workbook whose head is not.
    """
    facts: dict[str, Any] = {"sheets": list(sheets)} if sheets else {}
    if head:
        facts = {"read_as": list(head.read_as), "sheets": head.sheets}
    table.move_to(
        SourceTable.Status.REFUSED, **SourceTable.restart_retention(), problem=problem, **facts
    )


def read_again(table: SourceTable, user: User, options: ReadOptions) -> SourceTable:
    """Queue ``table`` to be read again with other options, and return the table to read.

    The rows of which a file was made stay as they are, since results refer to them; a copy of the
    table is queued instead. A table of answers is made of the present answers.

    Raises:
        NotAllowed: nothing was written.
        StaleRow: another person or worker changed the row first.
    """
    access.require_write(user, table.project)
    if table.uploads.exists():
        return _copy(table, user, options)
    table.move_to(
        SourceTable.Status.READING,
        read_as=list(options),
        findings=[],
        finding_total=0,
        problem=None,
    )
    return table


def _copy(table: SourceTable, user: User, options: ReadOptions) -> SourceTable:
    if table.is_from_answers:
        return SourceTable.objects.create(
            project=table.project,
            created_by=user,
            name=table.name,
            size=0,
            read_as=list(options),
            prompt_settings_fields=table.prompt_settings_fields,
            template_version=table.template_version,
            answers_of=table.answers_of,
            answer_filter=table.answer_filter,
            next_check_at=timezone.now(),
        )
    with table.blob.open("rb") as blob:
        return _store(
            table.project,
            user,
            File(blob, table.name),
            name=table.name,
            read_as=list(options),
            prompt_settings_fields=table.prompt_settings_fields,
            template_version=table.template_version,
        )


def delete_if_unused(table: SourceTable) -> None:
    """Delete a table without batches that was unused for ``RETENTION``; its files stay.

    A late message may find a table that was used meanwhile; that table is kept.
    """
    remaining = table.used_at + RETENTION - timezone.now()
    if remaining > timedelta(0):
        table.postpone(remaining)
        return
    if table.has_batches:  # look again later, in case the batches are deleted
        table.postpone(RETENTION)
        return
    SourceTable.objects.filter(
        pk=table.pk, leased_until=table.leased_until
    ).without_batches().delete_with_content()
    table.next_check_at = None


def delete_table(table: SourceTable, user: User) -> bool:
    """Delete a table at a person's request; return False if a batch was made from its rows.

    A worker that has the row gets ``StaleRow``.

    Raises:
        NotAllowed: nothing was deleted.
    """
    access.require_write(user, table.project)
    tables = SourceTable.objects.filter(pk=table.pk).without_batches()
    contents = [content for row in tables for content in (row.blob, row.cells)]
    with transaction.atomic():
        is_deleted = bool(tables.delete()[0])
        if is_deleted:
            AuditEvent.objects.record(
                AuditKind.TABLE_DELETED, user, table.project, table=str(table.pk), name=table.name
            )
    if is_deleted:  # and committed: a row that stayed would still need its bytes
        for content in contents:
            content.delete(save=False)
    return is_deleted


def give_up(table: SourceTable) -> None:
    """Stop the work on a table after repeated crashes, with a sentence for the person."""
    problem = Problem(ProblemCode.TABLE_BROKE_OFF)
    if table.status == SourceTable.Status.READING:
        refuse(table, problem)
    elif table.status == SourceTable.Status.MAKING:
        table.move_to(SourceTable.Status.KEPT, **SourceTable.restart_retention(), problem=problem)
    else:
        table.postpone(RETENTION)
