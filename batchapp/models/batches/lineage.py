"""Find the retries of a batch, and the batches that it retries."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from batchapp.models.batches.batch import Batch


def batch_and_retries(batch: Batch) -> list[Batch]:
    """Return the first batch, its retries and the retries of these, oldest first.

    All are in one project. A batch without retries that is no retry costs one query, every other
    batch three at most.
    """
    if not batch.parent_id and not batch.retries.exists():
        return [batch]
    batches = Batch.objects.filter(project=batch.project_id)
    parents = dict(batches.filter(parent__isnull=False).order_by().values_list("pk", "parent_id"))
    root = _root(batch.pk, parents)
    pks = [pk for pk in parents if _root(pk, parents) == root]
    return list(batches.filter(pk__in=[root, *pks]).order_by("created_at", "pk"))


def families(batches: Iterable[Batch]) -> list[list[Batch]]:
    """Group ``batches``, which are all of a project, with their retries and those they retry."""
    batches = list(batches)
    parents = {batch.pk: batch.parent_id for batch in batches}
    by_root: dict[UUID, list[Batch]] = {}
    for batch in batches:
        by_root.setdefault(_root(batch.pk, parents), []).append(batch)
    return list(by_root.values())


def ancestors(batch: Batch, among: list[Batch]) -> list[Batch]:
    """Return the batch that ``batch`` retries, the batch that this one retries, and so on."""
    by_pk = {candidate.pk: candidate for candidate in among}
    parents = list[Batch]()
    while batch.parent_id and (parent := by_pk.get(batch.parent_id)):
        parents.append(parent)
        batch = parent
    return parents


def descendants(batch: Batch, among: list[Batch]) -> list[Batch]:
    """Return the retries of ``batch`` and the retries of these, in the order of ``among``."""
    return [candidate for candidate in among if batch in ancestors(candidate, among)]


def _root(pk: UUID, parents: Mapping[UUID, UUID | None]) -> UUID:
    while parent := parents.get(pk):
        pk = parent
    return pk
