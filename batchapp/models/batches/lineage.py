"""Which batch is a retry of which."""

from collections.abc import Mapping
from uuid import UUID

from batchapp.models.batches.batch import Batch


def family(batch: Batch) -> list[Batch]:
    """The batch that all began with, its retries and theirs, the oldest first.

    Only ``batch`` if it was never retried, nor is a retry, which costs one query; else three at
    most. All are of one project.
    """
    if not batch.parent_id and not batch.retries.exists():
        return [batch]
    kin = Batch.objects.filter(project=batch.project_id)
    parents = dict(kin.filter(parent__isnull=False).order_by().values_list("pk", "parent_id"))
    root = _root(batch.pk, parents)
    pks = [pk for pk in parents if _root(pk, parents) == root]
    return list(kin.filter(pk__in=[root, *pks]).order_by("created_at", "pk"))


def ancestors(batch: Batch, among: list[Batch]) -> list[Batch]:
    """Of its family the batch it is a retry of, the one which that is of, and so on."""
    known = {each.pk: each for each in among}
    found = list[Batch]()
    while batch.parent_id and (parent := known.get(batch.parent_id)):
        found.append(parent)
        batch = parent
    return found


def descendants(batch: Batch, among: list[Batch]) -> list[Batch]:
    """Of its family its retries and theirs, the oldest first."""
    return [each for each in among if batch in ancestors(each, among)]


def _root(pk: UUID, parents: Mapping[UUID, UUID | None]) -> UUID:
    """Where the way up from ``pk`` ends."""
    while parent := parents.get(pk):
        pk = parent
    return pk
