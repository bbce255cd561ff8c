"""The batches whose answers another batch asks about, named on the pages of both."""

from dataclasses import dataclass

from batchapp.models import Batch, SourceTable, User
from batchapp.services.results import newest_answers
from batchapp.templatetags.words import count

SHOWN = 5  # batches that use the answers of one batch


@dataclass(frozen=True, slots=True)
class BatchChain:
    """``source`` is the batch whose answers this one asks about, and ``used_by`` the reverse."""

    source: Batch | None
    used_by: list[Batch]
    newer_text: str


def chain_of(batch: Batch, user: User) -> BatchChain:
    table = None
    if batch.upload.table_id:
        tables = SourceTable.objects.select_related("answers_of__project")
        table = tables.filter(pk=batch.upload.table_id, answers_of__isnull=False).first()
    used_by = Batch.objects.filter(project=batch.project_id, upload__table__answers_of=batch)
    return BatchChain(
        source=table.answers_of if table else None,
        used_by=list(used_by.order_by("-created_at")[:SHOWN]),
        newer_text=newer_text(table, user) if table else "",
    )


def newer_text(table: SourceTable, user: User) -> str:
    """Say how many answers are newer than the rows of a table of answers; "" if none is."""
    if table.answers_of is None or table.newest_chunk is None:
        return ""
    newer = newest_answers.count_newer(table.answers_of, user, table.newest_chunk)
    return f"{count(newer, 'answer')} changed since" if newer else ""
