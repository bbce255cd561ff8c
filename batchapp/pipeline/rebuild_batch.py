"""Rebuild the results of a batch while no worker has it, and what is derived from them."""

from typing import NamedTuple

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import Batch, ResultColumns
from batchapp.models.batches import lineage
from batchapp.services.lifecycle.harvest.rebuild_results import rebuild_results
from batchapp.services.results import merge, outcome_counts
from batchapp.services.reuse import restore_results


class Rebuilt(NamedTuple):
    """The end of a rebuild.

    ``results`` counts those of sent requests, ``reused`` the requests that were not sent and have
    an answer, and ``without_answer`` those whose answers were deleted. ``users`` are the batches
    whose kept answers were found again, ``busy`` those that a worker has, to be rebuilt later.
    """

    results: int
    reused: int
    without_answer: int
    users: list[Batch]
    busy: list[Batch]


def rebuild_batch(batch: Batch) -> Rebuilt:
    """Write the results of ``batch`` anew from its stored files.

    The batch is leased meanwhile, so that no worker has it. Counts and cost are not changed. Other
    batches that had kept an answer of a row that was lost point to the new row.

    Raises:
        Refused: the batch runs, a worker has it, or its content was deleted; nothing was written.
        OSError: a file is gone; once it is restored, rebuild the batch again.
        StaleRow: the batch runs again meanwhile; rebuild it once it is over.
    """
    batch.require_content()
    leased = Batch.objects.lease(batch.pk, Batch.OVER)
    if leased is None:
        raise Refused(Refusal.BATCH_AT_WORK, batch=batch.name)
    try:
        number = rebuild_results(leased)
        restore_results.restore_reused_results(leased, leased.lease_renewer())
        family = lineage.batch_and_retries(leased)
        retries = lineage.descendants(leased, family)
        for row in [leased, *retries]:
            merge.merge_answers(row, leased.lease_renewer())
        related = [leased, *lineage.ancestors(leased, family)]
        ResultColumns.objects.filter(batch__in=related).update(built_from="")
        outcome_counts.store_at_end(leased)
    finally:
        leased.end_lease()
    without_answer = restore_results.count_without_answer(batch)
    users, busy = _restore_users(related)
    return Rebuilt(number, batch.reused - without_answer, without_answer, users, busy)


def _restore_users(batches: list[Batch]) -> tuple[list[Batch], list[Batch]]:
    """Restore the kept answers of batches that had those of ``batches``; return who has them.

    The second list has the batches that a worker has just now.
    """
    by_key = {
        row.pk: row for batch in batches for row in restore_results.batches_that_reuse(batch)
    }
    users, busy = list[Batch](), list[Batch]()
    for user in by_key.values():
        leased = Batch.objects.lease(user.pk, Batch.OVER)
        if leased is None:
            busy.append(user)
            continue
        before = restore_results.count_without_answer(leased)
        try:
            restore_results.restore_reused_results(leased, leased.lease_renewer())
            merge.merge_answers(leased, leased.lease_renewer())
            ResultColumns.objects.filter(batch=leased).update(built_from="")
            outcome_counts.store_at_end(leased)
        finally:
            leased.end_lease()
        if restore_results.count_without_answer(leased) < before:
            users.append(user)
    return users, busy
