"""The fourth room: a part goes to the provider, once, whatever dies on the way.

Providers have no idempotency key, so every file and batch we make carries the part's token, and
an attempt whose end we did not see is looked for before it is repeated.
"""

from datetime import timedelta

from django.utils import timezone

from batchapp.models import BatchImport, Event, KeyPoll, ProviderBatch
from batchapp.models.batches.provider_batch import TOKEN_KEY
from batchapp.providers.client import ProviderClient
from batchapp.providers.errors import NoRoom, ProviderRejected, ProviderUnavailable
from batchapp.providers.http import PATIENCE
from batchapp.providers.remote_objects import RemoteBatch, RemoteStatus
from batchapp.providers.upload_stream import FileSlice

CREATE_SEARCH_LIMIT = timedelta(minutes=30)
"""After a create in doubt whose batch is to be stopped."""

LEASES_PER_CALL = PATIENCE + 1
"""For an upload that is being checked, and a create: nobody else may begin before they ended.
An ordinary timeout is shorter than a lease, and these calls may take ``PATIENCE`` of them."""


def submit(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Upload the file and create the provider's batch for ``part``; each only once.

    Raises:
        UpstreamError: what was recorded so far stays; the next attempt goes on from there.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    remote = _find_created_batch(provider_batch, provider)
    _reload_requested_stops(provider_batch)
    is_to_send = not provider_batch.remote_file_id and not provider_batch.batch.is_stop_requested
    if remote is None and is_to_send and not _time_until_next_search(provider_batch):
        provider_batch.renew_lease(remote_file_id=_send_file(provider_batch, provider))
        _reload_requested_stops(provider_batch)
    if remote is None and (wait := _time_until_next_search(provider_batch)):
        provider_batch.postpone(wait, failures=0, trouble=_unconfirmed_text(provider_batch))
        return
    if remote is None and provider_batch.batch.cancel_requested_at:
        provider_batch.move_to(ProviderBatch.Status.CANCELLED, trouble="")
        return
    if remote is None and provider_batch.batch.pause_requested_at:
        if not provider_batch.pause():  # resumed at this very moment
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
        next_check_at=timezone.now() + provider_batch.batch.connection.patience,
        failures=0,
        trouble="",
    )
    KeyPoll.objects.begin(provider_batch.batch.key)
    Event.objects.create(
        batch_id=provider_batch.batch_id,
        text=f"Accepted by {provider_batch.batch.connection} as {remote.id}.",
    )


def cancel_duplicates(provider_batch: ProviderBatch, provider: ProviderClient) -> None:
    """Cancel what else carries the token of ``part``: it turned up after we gave up looking.

    One that somebody brought in is a batch of its own by now.

    Raises:
        UpstreamUnavailable: those seen so far are cancelled; do it again.
    """
    others = [
        duplicate
        for duplicate in _batches_with_token(provider_batch, provider)
        if duplicate.id != provider_batch.remote_id
    ]
    ids = [duplicate.id for duplicate in others]
    ours = (
        BatchImport.objects.imported_ids(provider_batch.batch.connection, ids) if others else set()
    )
    for duplicate in others:
        if duplicate.id not in ours:
            _cancel_duplicate(provider_batch, duplicate, provider)


def _find_created_batch(
    provider_batch: ProviderBatch, provider: ProviderClient
) -> RemoteBatch | None:
    """Return the batch that an earlier attempt created, if there was one.

    Of two, the older is kept and the others are cancelled: only one may be worked on and paid.
    One that never ran counts as none.
    """
    if provider_batch.create_attempted_at is None:
        return None
    found = _batches_with_token(provider_batch, provider)
    for surplus in found[1:]:
        _cancel_duplicate(provider_batch, surplus, provider)
    return found[0] if found else None


def _reload_requested_stops(provider_batch: ProviderBatch) -> None:
    """Read again whether people want ``part`` stopped: the call before may have taken minutes."""
    provider_batch.batch.refresh_from_db(fields=["cancel_requested_at", "pause_requested_at"])


def _time_until_next_search(provider_batch: ProviderBatch) -> timedelta:
    """How long until it is looked for again; zero once it is certain enough that there is none.

    One that is to be created is asked for in quick succession for the grace. One that is to be
    stopped is looked for longer, at growing distances: nobody else would see that it runs.
    """
    if provider_batch.create_attempted_at is None:
        return timedelta()
    gone_for = timezone.now() - provider_batch.create_attempted_at
    grace = timedelta(seconds=provider_batch.batch.connection.create_grace_seconds)
    if gone_for < grace:
        return min(grace - gone_for, timedelta(seconds=5))
    if provider_batch.batch.is_stop_requested and gone_for < CREATE_SEARCH_LIMIT:
        return max(min(gone_for / 2, CREATE_SEARCH_LIMIT - gone_for), timedelta(seconds=5))
    return timedelta()


def _unconfirmed_text(provider_batch: ProviderBatch) -> str:
    text = (
        f"{provider_batch.batch.connection} may have created the batch although no confirmation came. The "
        "portal looks for it"
    )
    if not provider_batch.batch.is_stop_requested:
        return f"{text}; nothing is lost."
    minutes = CREATE_SEARCH_LIMIT // timedelta(minutes=1)
    return f"{text} for {minutes} minutes, to stop it as soon as it is seen."


def _batches_with_token(
    provider_batch: ProviderBatch, provider: ProviderClient
) -> list[RemoteBatch]:
    found = provider.find_batches(
        TOKEN_KEY, provider_batch.token, since=provider_batch.batch.created_at
    )
    return [remote for remote in found if not remote.never_ran]


def _cancel_duplicate(
    provider_batch: ProviderBatch, duplicate: RemoteBatch, provider: ProviderClient
) -> None:
    """Stop a batch that nobody follows; if that is refused, a person can read of it."""
    if duplicate.status in {RemoteStatus.CANCELLING, RemoteStatus.CANCELLED}:
        return
    text = f"A second batch turned up at {provider_batch.batch.connection}, {duplicate.id}: "
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
    """Return the id of the part's file at the provider, sending it if it is not there."""
    name, upload = f"{provider_batch.token}.jsonl", provider_batch.batch.upload
    size = upload.size if provider_batch.size is None else provider_batch.size
    if provider_batch.upload_attempted_at:
        for file in provider.find_files(name):
            if file.bytes in {0, size}:  # 0 where the provider does not say
                return file.id
    provider_batch.renew_lease(upload_attempted_at=timezone.now())
    renew = provider_batch.lease_renewer()

    def progress(sent: int) -> None:
        if sent < size:
            renew(sent)
        else:
            provider_batch.renew_lease(leases=LEASES_PER_CALL)

    with upload.blob.open("rb") as blob:
        stretch = FileSlice(blob.file, provider_batch.starts_at, size)
        return provider.upload_file(stretch, name=name, on_progress=progress).id


def _create_batch(provider_batch: ProviderBatch, provider: ProviderClient) -> RemoteBatch:
    """Make the one call that costs money, after writing down that we are about to.

    The mark is taken back only where it is certain that nothing was created; else it moves to
    the end of the call, from where the grace counts. A refusal may be about the file, which was
    deleted over there or belongs to another account, so the next attempt sends it again.
    """
    before, batch = provider_batch.create_attempted_at, provider_batch.batch
    provider_batch.renew_lease(
        leases=LEASES_PER_CALL,
        create_attempted_at=timezone.now(),
        may_have_duplicate=provider_batch.may_have_duplicate or before is not None,
    )
    # From here on no other part moves the batch to another window.
    batch.refresh_from_db(fields=["window"])
    try:
        return provider.create_batch(
            provider_batch.remote_file_id,
            endpoint=batch.endpoint,
            window=batch.window,
            metadata=_metadata(provider_batch),
        )
    except ProviderUnavailable as exc:
        provider_batch.renew_lease(
            create_attempted_at=timezone.now() if exc.maybe_done else before
        )
        if exc.status == 429:
            raise NoRoom(exc) from exc
        raise
    except ProviderRejected:
        provider_batch.renew_lease(
            create_attempted_at=before, remote_file_id="", upload_attempted_at=None
        )
        raise


def _metadata(provider_batch: ProviderBatch) -> dict[str, str]:
    """What people at the provider read of it, and we find it by."""
    told = {TOKEN_KEY: provider_batch.token, "portal_batch": str(provider_batch.batch_id)}
    provider_batches = provider_batch.batch.provider_batches.count()
    return (
        told | {"portal_part": f"{provider_batch.number}/{provider_batches}"}
        if provider_batches > 1
        else told
    )
