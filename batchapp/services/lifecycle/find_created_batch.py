"""Look for a batch at the provider whose creation was not confirmed, and cancel duplicates."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import BatchImport, Event, EventKind, ProviderBatch
from batchapp.models.batches.provider_batch import TOKEN_KEY
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderRejected
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.remote_status import RemoteStatus

# longest search for an unconfirmed batch that must be cancelled or paused
CREATE_SEARCH_LIMIT = timedelta(minutes=30)
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def cancel_duplicates(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Cancel all other batches with our token, which appeared after we stopped searching.

    A duplicate that somebody has imported is a batch of its own, and stays. A provider that makes
    no second batch, or lists none, is not asked.

    Raises:
        ProviderUnavailable: the duplicates found so far are cancelled; call again.
    """
    capabilities = provider_batch.connection.capabilities
    if capabilities.idempotency or not capabilities.list:
        return
    duplicates = [
        remote
        for remote in _batches_with_token(provider_batch, provider)
        if remote.id != provider_batch.remote_id
    ]
    if not duplicates:
        return
    imported = BatchImport.objects.imported_ids(
        provider_batch.connection, [duplicate.id for duplicate in duplicates]
    )
    for duplicate in duplicates:
        if duplicate.id not in imported:
            _cancel_duplicate(provider_batch, duplicate, provider)


def find_created_batch(provider_batch: ProviderBatch, provider: Provider) -> RemoteBatch | None:
    """Return the oldest batch that earlier attempts created, and cancel its duplicates.

    A batch that never ran does not count. A provider is not asked that makes no second batch,
    since the same create returns the first, nor one that lists no batches.
    """
    if provider_batch.create_attempted_at is None or _is_safe_to_repeat(provider_batch):
        return None
    if not provider_batch.connection.capabilities.list:
        return None
    remotes = _batches_with_token(provider_batch, provider)
    for duplicate in remotes[1:]:
        _cancel_duplicate(provider_batch, duplicate, provider)
    return remotes[0] if remotes else None


def time_until_next_search(provider_batch: ProviderBatch) -> timedelta:
    """Return when to search again for an unconfirmed batch; zero if there is certainly none.

    A batch that we want to create is searched for every few seconds until the grace period ends.
    A batch that must be stopped is searched for longer, at growing intervals: if we missed it,
    nobody would notice that it runs.
    """
    if provider_batch.create_attempted_at is None or _is_safe_to_repeat(provider_batch):
        return timedelta()
    elapsed = timezone.now() - provider_batch.create_attempted_at
    grace = provider_batch.connection.create_grace
    if elapsed < grace:
        return min(grace - elapsed, timedelta(seconds=5))
    if provider_batch.batch.is_stop_requested and elapsed < CREATE_SEARCH_LIMIT:
        return max(min(elapsed / 2, CREATE_SEARCH_LIMIT - elapsed), timedelta(seconds=5))
    return timedelta()


def _is_safe_to_repeat(provider_batch: ProviderBatch) -> bool:
    """Return True if a repeated create returns the batch of the first, and nobody stops it."""
    is_stopped = provider_batch.batch.is_stop_requested
    return provider_batch.connection.capabilities.idempotency and not is_stopped


def unconfirmed_problem(provider_batch: ProviderBatch) -> Problem:
    """Return that the batch is searched for, ``minutes`` long if it must be stopped."""
    is_stopped = provider_batch.batch.is_stop_requested
    minutes = CREATE_SEARCH_LIMIT // timedelta(minutes=1) if is_stopped else None
    data = {"connection": provider_batch.connection.name, "minutes": minutes}
    return Problem(ProblemCode.UNCONFIRMED, data)


def _batches_with_token(provider_batch: ProviderBatch, provider: Provider) -> list[RemoteBatch]:
    since = provider_batch.batch.created_at
    if since > timezone.now():
        # A clock that ran ahead wrote this time, and our batch is older: search all batches.
        since = LONG_AGO
    remotes = provider.find_batches(TOKEN_KEY, provider_batch.token, since=since)
    return [remote for remote in remotes if not remote.never_ran]


def _cancel_duplicate(
    provider_batch: ProviderBatch, duplicate: RemoteBatch, provider: Provider
) -> None:
    """Cancel a batch that nobody follows; the timeline tells people if the provider refuses."""
    if duplicate.status in {RemoteStatus.CANCELLING, RemoteStatus.CANCELLED}:
        return
    data = {"connection": provider_batch.connection.name, "remote_id": duplicate.id}
    kind = EventKind.DUPLICATE_CANCELLED
    if duplicate.is_over:
        kind = EventKind.DUPLICATE_ENDED
        data["remote_status"] = duplicate.status_word
    else:
        try:
            provider.cancel_batch(duplicate.id)
        except ProviderRejected as exc:
            kind = EventKind.DUPLICATE_NOT_CANCELLED
            data["said"] = exc.message or str(exc)
    Event.objects.create_once(provider_batch.batch_id, kind, **data)
