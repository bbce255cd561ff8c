"""Submit a provider batch exactly once, even if a worker dies in between.

Providers have no idempotency key. Every file and batch we create therefore carries the token of
its provider batch, and we search for the result of an unconfirmed attempt before we repeat it.
"""

from datetime import timedelta

from django.utils import timezone

from batchapp.models import BatchImport, Event, KeyPoll, ProviderBatch
from batchapp.models.batches.provider_batch import TOKEN_KEY
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import NoCapacity, ProviderRejected, ProviderUnavailable
from batchapp.providers.http import SLOW_CALL_FACTOR
from batchapp.providers.remote_objects import RemoteBatch, RemoteStatus
from batchapp.providers.upload_stream import FileSlice

# longest search for an unconfirmed batch that must be cancelled or paused
CREATE_SEARCH_LIMIT = timedelta(minutes=30)

# Leases for a create, and for the end of an upload, where the provider checks the file: no other
# worker may begin before the call has ended. An ordinary timeout is shorter than one lease, and
# these calls may take ``SLOW_CALL_FACTOR`` times as long.
LEASES_PER_CALL = SLOW_CALL_FACTOR + 1


def submit(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Upload the file and create the batch at the provider, each only once.

    1. Search for the batch of an earlier, unconfirmed attempt.
    2. Send the file if there is none.
    3. Wait while such a batch may still appear.
    4. Stop here if people asked to cancel or to pause.
    5. Create the batch, and follow it.

    Raises:
        ProviderError: what was recorded so far stays; the next attempt continues from there.
        StaleRow: our lease ran out; the worker that has the row now continues.
    """
    batch = provider_batch.batch
    remote = _find_created_batch(provider_batch, provider)
    batch.reload_requested_stops()
    must_send_file = not provider_batch.remote_file_id and not batch.is_stop_requested
    if remote is None and must_send_file and not _time_until_next_search(provider_batch):
        provider_batch.renew_lease(remote_file_id=_send_file(provider_batch, provider))
        batch.reload_requested_stops()
    if remote is None and (wait := _time_until_next_search(provider_batch)):
        provider_batch.postpone(wait, failures=0, trouble=_unconfirmed_text(provider_batch))
        return
    if remote is None and batch.cancel_requested_at:
        provider_batch.move_to(ProviderBatch.Status.CANCELLED, trouble="")
        return
    if remote is None and batch.pause_requested_at:
        if not provider_batch.pause():  # the batch was resumed at this moment
            provider_batch.postpone(timedelta())
        return
    remote = remote or _create_batch(provider_batch, provider)
    provider_batch.move_to(
        ProviderBatch.Status.RUNNING,
        remote_id=remote.id,
        remote_status=remote.raw_status,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        expires_at=remote.expires_at,
        submitted_at=remote.created_at or timezone.now(),
        next_check_at=timezone.now() + batch.connection.key_poll_timeout,
        failures=0,
        trouble="",
    )
    KeyPoll.objects.poll_soon(batch.key)
    Event.objects.create(batch=batch, text=f"Accepted by {batch.connection} as {remote.id}.")


def cancel_duplicates(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Cancel all other batches with our token, which appeared after we stopped searching.

    A duplicate that somebody has imported is a batch of its own, and stays.

    Raises:
        ProviderUnavailable: the duplicates found so far are cancelled; call again.
    """
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


def _find_created_batch(
    provider_batch: ProviderBatch, provider: ProviderClient
) -> RemoteBatch | None:
    """Return the oldest batch that earlier attempts created, and cancel its duplicates.

    A batch that never ran does not count.
    """
    if provider_batch.create_attempted_at is None:
        return None
    remotes = _batches_with_token(provider_batch, provider)
    for duplicate in remotes[1:]:
        _cancel_duplicate(provider_batch, duplicate, provider)
    return remotes[0] if remotes else None


def _time_until_next_search(provider_batch: ProviderBatch) -> timedelta:
    """Return when to search again for an unconfirmed batch; zero if there is certainly none.

    A batch that we want to create is searched for every few seconds until the grace period ends.
    A batch that must be stopped is searched for longer, at growing intervals: if we missed it,
    nobody would notice that it runs.
    """
    if provider_batch.create_attempted_at is None:
        return timedelta()
    elapsed = timezone.now() - provider_batch.create_attempted_at
    grace = provider_batch.connection.create_grace
    if elapsed < grace:
        return min(grace - elapsed, timedelta(seconds=5))
    if provider_batch.batch.is_stop_requested and elapsed < CREATE_SEARCH_LIMIT:
        return max(min(elapsed / 2, CREATE_SEARCH_LIMIT - elapsed), timedelta(seconds=5))
    return timedelta()


def _unconfirmed_text(provider_batch: ProviderBatch) -> str:
    text = (
        f"{provider_batch.connection} may have created the batch although no confirmation came. "
        "The portal looks for it"
    )
    if not provider_batch.batch.is_stop_requested:
        return f"{text}; nothing is lost."
    minutes = CREATE_SEARCH_LIMIT // timedelta(minutes=1)
    return f"{text} for {minutes} minutes, to stop it as soon as it is found."


def _batches_with_token(
    provider_batch: ProviderBatch, provider: ProviderClient
) -> list[RemoteBatch]:
    since = provider_batch.batch.created_at
    remotes = provider.find_batches(TOKEN_KEY, provider_batch.token, since=since)
    return [remote for remote in remotes if not remote.never_ran]


def _cancel_duplicate(
    provider_batch: ProviderBatch, duplicate: RemoteBatch, provider: ProviderClient
) -> None:
    """Cancel a batch that nobody follows; the timeline tells people if the provider refuses."""
    if duplicate.status in {RemoteStatus.CANCELLING, RemoteStatus.CANCELLED}:
        return
    text = f"A duplicate was found at {provider_batch.connection}, {duplicate.id}: "
    if duplicate.is_over:
        text += f"it had already ended ({duplicate.raw_status})."
    else:
        try:
            provider.cancel_batch(duplicate.id)
            text += "it was cancelled."
        except ProviderRejected as exc:
            text += f"it could not be cancelled ({exc.message or exc})."
    if not Event.objects.filter(batch_id=provider_batch.batch_id, text=text).exists():
        Event.objects.create(batch_id=provider_batch.batch_id, text=text)


def _send_file(provider_batch: ProviderBatch, provider: ProviderClient) -> str:
    """Return the id of our file at the provider; send the file only if it is not there."""
    name, upload = f"{provider_batch.token}.jsonl", provider_batch.batch.upload
    size = upload.size if provider_batch.size is None else provider_batch.size
    if provider_batch.upload_attempted_at:
        for file in provider.find_files(name):
            if file.bytes in {0, size}:  # 0 if the provider does not report the size
                return file.id
    provider_batch.renew_lease(upload_attempted_at=timezone.now())
    renew_lease = provider_batch.lease_renewer()

    def note_progress(sent: int) -> None:
        if sent < size:
            renew_lease(sent)
        else:
            provider_batch.renew_lease(leases=LEASES_PER_CALL)

    with upload.blob.open("rb") as blob:
        content = FileSlice(blob.file, provider_batch.starts_at, size)
        return provider.upload_file(content, name=name, on_progress=note_progress).id


def _create_batch(provider_batch: ProviderBatch, provider: ProviderClient) -> RemoteBatch:
    """Make the one call that costs money, after recording that we are about to.

    If the outcome is unknown, ``create_attempted_at`` moves to the end of the call, where the
    grace period starts; only if certainly nothing was created does it get its old value back.
    """
    attempted_before, batch = provider_batch.create_attempted_at, provider_batch.batch
    provider_batch.renew_lease(
        leases=LEASES_PER_CALL,
        create_attempted_at=timezone.now(),
        may_have_duplicate=provider_batch.may_have_duplicate or attempted_before is not None,
    )
    # From here on no other provider batch moves the batch to another window.
    batch.refresh_from_db(fields=["window"])
    try:
        return provider.create_batch(
            provider_batch.remote_file_id,
            endpoint=batch.endpoint,
            window=batch.window,
            metadata=_metadata(provider_batch),
        )
    except ProviderUnavailable as exc:
        attempted_at = timezone.now() if exc.maybe_done else attempted_before
        provider_batch.renew_lease(create_attempted_at=attempted_at)
        if exc.status == 429:
            raise NoCapacity(exc) from exc
        raise
    except ProviderRejected:
        # The refusal may be about the file, if it was deleted at the provider or belongs to
        # another account: the next attempt sends the file again.
        provider_batch.renew_lease(
            create_attempted_at=attempted_before, remote_file_id="", upload_attempted_at=None
        )
        raise


def _metadata(provider_batch: ProviderBatch) -> dict[str, str]:
    """Return the token by which we find the batch, and what people at the provider may read."""
    metadata = {TOKEN_KEY: provider_batch.token, "portal_batch": str(provider_batch.batch_id)}
    total = provider_batch.batch.provider_batches.count()
    return metadata | ({"portal_part": f"{provider_batch.number}/{total}"} if total > 1 else {})
