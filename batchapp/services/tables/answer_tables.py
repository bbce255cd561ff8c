"""Make a table of the results of a batch, so that a second batch can ask about its answers."""

import hashlib
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from uuid import UUID

import msgspec
from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.problem import Problem, ProblemCode
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.findings import presentable
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.domain.tables.read_options import ReadOptions
from batchapp.domain.tables.read_process import MAX_ROWS_BYTES, MIB
from batchapp.domain.tables.table_reader import MAX_ROWS, name_columns
from batchapp.models import Batch, SourceTable, User
from batchapp.models.files.source_table import PROGRESS_ROWS
from batchapp.models.files.upload import NAME_LENGTH
from batchapp.services.tables.table_import import keep_rows, refuse


def request_table(
    batch: Batch, user: User, chosen: ResultFilter, *, submission: UUID
) -> SourceTable:
    """Queue a table of the chosen results of ``batch``; the same form makes one table only.

    Raises:
        NotAllowed: nothing was written.
        Refused: the answers were deleted; nothing was written.
    """
    access.require_write(user, batch.project)
    batch.require_content()
    tables = SourceTable.objects.select_related("project__connection")
    pk = uuid.uuid5(batch.pk, str(submission))
    if stored := tables.filter(pk=pk).first():
        return stored
    try:
        with transaction.atomic():
            return SourceTable.objects.create(
                pk=pk,
                project=batch.project,
                created_by=user,
                name=presentable(f"Answers of {batch.name}", NAME_LENGTH),
                size=0,
                read_as=list(ReadOptions()),
                answers_of=batch,
                answer_filter=msgspec.to_builtins(chosen),
                next_check_at=timezone.now(),
            )
    except IntegrityError:  # the form was sent twice at the same instant
        return tables.get(pk=pk)


def filter_of(table: SourceTable) -> ResultFilter:
    """Return which results of its batch are the rows of ``table``."""
    return msgspec.convert(table.answer_filter, ResultFilter)


def store_rows(
    table: SourceTable,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    newest_chunk: int,
) -> None:
    """Store ``rows``, which are consumed once, as the rows of ``table``.

    Cells stay as they are, character by character. Without a row, or beyond the limits of a
    table, the table is refused.

    Raises:
        StaleRow: another worker has the row now; the rows of this worker are dropped.
    """
    renew_lease, digest = table.lease_renewer(), hashlib.sha256()
    encode = msgspec.json.Encoder().encode
    number = 0
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
        try:
            columns, renamed = name_columns(header)
            for number, row in enumerate(rows, start=1):
                line = encode(row) + b"\n"
                content.write(line)
                digest.update(line)
                _limit(number, content.tell())
                if number % PROGRESS_ROWS == 0:
                    renew_lease(number)
        except Refused as exc:
            refuse(table, exc.problem)
            return
        if not number:
            refuse(table, Problem(ProblemCode.NO_SUCH_ANSWERS))
            return
        content.seek(0)
        keep_rows(
            table,
            File(content),
            cells_sha256=digest.hexdigest(),
            columns=columns,
            renamed=renamed,
            rows=number,
            newest_chunk=newest_chunk,
        )


def _limit(rows: int, size: int) -> None:
    if rows > MAX_ROWS:
        raise Refused(Refusal.TABLE_ROWS_TOO_MANY, limit=MAX_ROWS)
    if size > MAX_ROWS_BYTES:
        raise Refused(Refusal.TABLE_TEXT_TOO_MUCH, limit_mib=MAX_ROWS_BYTES // MIB)
