"""Find the batches that a batch is best compared with: those with the same requests."""

from django.db.models import QuerySet

from batchapp import access
from batchapp.models import Batch, Result, User
from batchapp.models.batches import lineage

RECENT = 200  # newest batches of the project that are looked into for the same custom_ids
SUGGESTED = 20


def list_answered(batch: Batch, user: User) -> "QuerySet[Batch]":
    """Return the other batches of the project that are over and have answers, newest first.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    batches = Batch.objects.filter(project=batch.project_id, status__in=Batch.OVER)
    batches = batches.filter(purged_at=None, succeeded__gt=0)
    return batches.exclude(pk=batch.pk).order_by("-created_at", "pk")


def is_comparable(batch: Batch) -> bool:
    """Return True if ``batch`` is over and has answers, as those of ``list_answered`` do."""
    return batch.is_over and batch.succeeded > 0 and batch.purged_at is None


def suggest_batches(batch: Batch, user: User) -> list[Batch]:
    """Return batches of the same file or table, retries, and others with the same custom_ids.

    Raises:
        NotAllowed: nothing was read.
    """
    answered = list_answered(batch, user)
    related = {row.pk for row in lineage.batch_and_retries(batch)}
    recent = list(answered.select_related("upload")[:RECENT])
    related |= {
        row.pk
        for row in recent
        if row.upload_id == batch.upload_id
        or (row.upload.table_id and row.upload.table_id == batch.upload.table_id)
    }
    same_ids = _with_same_ids(batch, recent)
    chosen = [row for row in recent if row.pk in related]
    chosen += [row for row in recent if row.pk in same_ids and row.pk not in related]
    return chosen[:SUGGESTED]


def _with_same_ids(batch: Batch, candidates: list[Batch]) -> set[object]:
    """Return the keys of the candidates that have the first, middle or last custom_id."""
    lines = {1, (batch.requests + 1) // 2, batch.requests}
    ids = list(batch.results.filter(line__in=lines).values_list("custom_id", flat=True))
    pks = [row.pk for row in candidates]
    results = Result.objects.filter(batch__in=pks, custom_id__in=ids).order_by()
    return set(results.values_list("batch_id", flat=True))
