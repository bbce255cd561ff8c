"""Steps that poll: one provider batch, all batches of a key, and batches that are over."""

from contextlib import suppress
from datetime import timedelta

from django.utils import timezone

from batchapp.models import Batch, KeyPoll, ProviderBatch, Reservation, StaleRow
from batchapp.pipeline import retry_policy
from batchapp.pipeline.runner import DueRows
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.services.lifecycle import (
    billed_cost,
    find_created_batch,
    late_results,
    poll,
    poll_key,
    retry_in_place,
)
from batchapp.services.lifecycle.harvest import fetch_results

RECHECK_PAUSE = timedelta(seconds=10)  # at least, before an ended batch is compared again


def poll_provider_batch(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Poll one provider batch, and cancel its duplicates.

    If the provider no longer knows the batch, its files may still exist for some minutes: they are
    fetched at once.
    """
    if provider_batch.may_have_duplicate:
        find_created_batch.cancel_duplicates(provider_batch, provider)
    try:
        poll.poll(provider_batch, provider)
    except ProviderRejected as exc:
        if exc.reason in {Reason.NOT_FOUND, Reason.GONE}:
            fetch_results.harvest_vanished(provider_batch, provider)
        raise


def poll_running_batches_of_key(key_poll: KeyPoll, provider: Provider) -> DueRows:
    """Poll the list of one key, apply the changes, and return the changed provider batches."""
    changed = []
    poll_round = poll_key.poll_key(key_poll, provider)
    for pk, remote in poll_round.changed.items():
        if provider_batch := _apply_listed_state(pk, remote, provider):
            changed.append(provider_batch)
    for provider_batch in poll_round.restarted:
        _follow_again(provider_batch)
    for provider_batch in poll_round.duplicated:
        find_created_batch.cancel_duplicates(provider_batch, provider)
    return changed


def recheck_finished(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Follow a provider batch again that has not ended at the provider, or with other counts.

    One whose content was deleted here is left alone, whatever the provider does with it.
    """
    if provider_batch.batch.purged_at:
        provider_batch.rest()
        return
    remote = provider.retrieve_batch(provider_batch.remote_id)
    counts = provider_batch.completed, provider_batch.failed
    is_over = remote.is_over or remote.is_cancelled_unstarted
    if is_over and (remote.completed, remote.failed) == counts:
        provider_batch.rest(failures=0)
    elif not retry_in_place.follow_again(provider_batch):
        # It ended so recently that the reply may be outdated, or its batch is being settled.
        provider_batch.postpone(max(provider_batch.connection.create_grace, RECHECK_PAUSE))


def check_after_end(batch: Batch, provider: Provider) -> DueRows:
    """Look for results after the end of ``batch``; if there are none, fetch its billed cost.

    If more answers are billed than came, somebody may have run the batch again at the provider:
    its provider batches are then compared with their state there.
    """
    is_kept = batch.purged_at is None
    if is_kept and batch.may_still_change and (followed := _find_late_results(batch, provider)):
        return followed
    billed_cost.fetch_billed_cost(batch, provider)
    Reservation.objects.tell(batch.project)
    if not is_kept or (batch.billed_answers or 0) <= batch.succeeded:
        return None
    ended = batch.provider_batches.active(*ProviderBatch.OVER).exclude(remote_id="")
    ended.update(next_check_at=timezone.now())
    return ended.all()


def _find_late_results(batch: Batch, provider: Provider) -> list[ProviderBatch]:
    """Cancel duplicates that appeared, and return the provider batches that are followed again."""
    sent = batch.provider_batches.exclude(remote_id="")
    for provider_batch in sent.filter(may_have_duplicate=True):
        find_created_batch.cancel_duplicates(provider_batch, provider)
    late = late_results.find_late_results(batch, provider)
    return late.with_answers + [row for row in late.running if retry_in_place.follow_again(row)]


def _apply_listed_state(pk: str, remote: RemoteBatch, provider: Provider) -> ProviderBatch | None:
    """Apply the listed state to one provider batch, unless another worker has it."""
    provider_batch = ProviderBatch.objects.claim(pk, ProviderBatch.Status.RUNNING)
    if provider_batch is None:
        return None
    try:
        poll.apply_remote_state(provider_batch, remote, provider)
    except StaleRow:
        return None
    except ProviderRejected as exc:
        retry_policy.reject_provider_batch(provider_batch, exc)
    except ProviderUnavailable as exc:
        retry_policy.handle_no_answer(provider_batch, exc)
    return provider_batch


def _follow_again(provider_batch: ProviderBatch) -> None:
    with suppress(StaleRow):
        retry_in_place.follow_again(provider_batch)
