"""Submit a provider batch exactly once, even if a worker dies in between.

Providers have no idempotency key. Every file and batch we create therefore carries the token of
its provider batch, and we search for the result of an unconfirmed attempt before we repeat it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from tempfile import SpooledTemporaryFile

from django.utils import timezone

from batchapp import access
from batchapp.domain.request_files import check_file
from batchapp.models import Event, EventKind, KeyPoll, ProviderBatch
from batchapp.models.batches.provider_batch import TOKEN_KEY
from batchapp.providers.base import Provider
from batchapp.providers.errors import (
    About,
    NoCapacity,
    ProviderRejected,
    ProviderUnavailable,
    Reason,
    file_not_ready,
)
from batchapp.providers.http import SLOW_CALL_FACTOR
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.upload_stream import FileSlice, Sendable
from batchapp.services.lifecycle.find_created_batch import (
    find_created_batch,
    time_until_next_search,
    unconfirmed_problem,
)

# Leases for a create, and for the end of an upload, where the provider checks the file: no other
# worker may begin before the call has ended. An ordinary timeout is shorter than one lease, and
# these calls may take ``SLOW_CALL_FACTOR`` times as long.
LEASES_PER_CALL = SLOW_CALL_FACTOR + 1
MAX_SPOOLED_BYTES = 8 * 1024 * 1024  # of the lines of one model that stay in memory
FILE_UNKNOWN_FOR = timedelta(minutes=10)  # after its upload, at most; known: some seconds


def submit(provider_batch: ProviderBatch, provider: Provider) -> None:
    """Upload the file and create the batch at the provider, each only once.

    1. Search for the batch of an earlier, unconfirmed attempt.
    2. Send the file if there is none.
    3. Wait while such a batch may still appear.
    4. Stop here if people asked to cancel or to pause, or if an earlier create may have made a
       batch that cannot be found.
    5. Create the batch, and follow it.

    Raises:
        NotAllowed: the key pays for nothing more, and was not used to send or create anything.
        ProviderError: what was recorded so far stays; the next attempt continues from there.
        StaleRow: our lease ran out; the worker that has the row now continues.
    """
    batch = provider_batch.batch
    remote = find_created_batch(provider_batch, provider)
    batch.reload_requested_stops()
    must_send_file = not provider_batch.remote_file_id and not batch.is_stop_requested
    if remote is None and must_send_file and not time_until_next_search(provider_batch):
        file_id = _send_file(provider_batch, provider)
        provider_batch.renew_lease(remote_file_id=file_id, upload_attempted_at=timezone.now())
        batch.reload_requested_stops()
    if remote is None and (wait := time_until_next_search(provider_batch)):
        problem = ProviderBatch.NO_PROBLEM | {"problem": unconfirmed_problem(provider_batch)}
        provider_batch.postpone(wait, **problem)
        return
    if remote is None and batch.cancel_requested_at:
        provider_batch.move_to(ProviderBatch.Status.CANCELLED, **ProviderBatch.NO_PROBLEM)
        return
    if remote is None and batch.pause_requested_at:
        if not provider_batch.pause():  # the batch was resumed at this moment
            provider_batch.postpone(timedelta())
        return
    if remote is None and provider_batch.is_create_unreadable:
        # Each create of this provider may make a batch that nobody follows: a person decides.
        provider_batch.renew_lease(is_create_unreadable=False)
        sentence = "creating the batch: no answer named the batch, and no list shows it"
        raise ProviderRejected(sentence, 200, reason=Reason.UNREADABLE)
    remote = remote or _create_batch(provider_batch, provider)
    provider_batch.move_to(
        ProviderBatch.Status.RUNNING,
        remote_id=remote.id,
        remote_status=remote.status_word,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        expires_at=remote.expires_at,
        is_create_unreadable=False,
        submitted_at=remote.created_at or timezone.now(),
        next_check_at=timezone.now() + batch.connection.key_poll_timeout,
        **ProviderBatch.NO_PROBLEM,
    )
    KeyPoll.objects.poll_soon(batch.key)
    data = {"connection": batch.connection.name, "remote_id": remote.id}
    Event.objects.create(batch=batch, kind=EventKind.ACCEPTED, data=data)


def _send_file(provider_batch: ProviderBatch, provider: Provider) -> str:
    """Return the id of our file at the provider; send the file only if it is not there."""
    access.require_paying_key(provider_batch.batch.key, provider_batch.batch.project)
    name = f"{provider_batch.token}.jsonl"
    with _content_of(provider_batch) as (content, size):
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

        return provider.upload_file(content, name=name, on_progress=note_progress).id


@contextmanager
def _content_of(provider_batch: ProviderBatch) -> Iterator[tuple[Sendable, int]]:
    """Open the lines that are sent: a part of the file, or copies of those of one model."""
    upload, start = provider_batch.batch.upload, provider_batch.starts_at
    size = upload.size if provider_batch.size is None else provider_batch.size
    if not provider_batch.only_model:
        with upload.blob.open("rb") as blob:
            yield FileSlice(blob.file, start, size), size
        return
    requests = [
        (request.offset, request.length)
        for request in check_file.read_requests(upload.chunks(start, size))
        if request.model == provider_batch.only_model
    ]
    with SpooledTemporaryFile(MAX_SPOOLED_BYTES) as lines, upload.blob.open("rb") as blob:
        renew_lease = provider_batch.lease_renewer()
        for offset, length in requests:
            renew_lease(length)
            lines.write(FileSlice(blob.file, start + offset, length).read() + b"\n")
        size = lines.tell()
        lines.seek(0)
        yield lines, size


def _create_batch(provider_batch: ProviderBatch, provider: Provider) -> RemoteBatch:
    """Make the one call that costs money, after recording that we are about to.

    If the outcome is unknown, ``create_attempted_at`` moves to the end of the call, where the
    grace period starts; only if certainly nothing was created does it get its old value back.
    """
    attempted_before, batch = provider_batch.create_attempted_at, provider_batch.batch
    capabilities = batch.connection.capabilities
    cannot_be_found = not (capabilities.list or capabilities.idempotency)
    access.require_paying_key(batch.key, batch.project)
    provider_batch.renew_lease(
        leases=LEASES_PER_CALL,
        create_attempted_at=timezone.now(),
        may_have_duplicate=provider_batch.may_have_duplicate
        or (attempted_before is not None and not capabilities.idempotency),
        is_create_unreadable=cannot_be_found,
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
        provider_batch.renew_lease(
            create_attempted_at=attempted_at,
            is_create_unreadable=exc.about is About.UNREADABLE
            or (exc.maybe_done and cannot_be_found),
        )
        if exc.status == 429 or exc.about is About.ROOM:
            raise NoCapacity(exc) from exc
        raise
    except ProviderRejected as exc:
        if exc.status < 400:  # a batch may have been made: the next attempt searches for it
            provider_batch.renew_lease(create_attempted_at=timezone.now())
            raise
        provider_batch.renew_lease(is_create_unreadable=False)
        if exc.reason is Reason.NOT_FOUND and _was_sent_lately(provider_batch):
            provider_batch.renew_lease(create_attempted_at=attempted_before)
            raise file_not_ready(exc) from exc
        # The refusal may be about the file, if it was deleted at the provider or belongs to
        # another account: the next attempt sends the file again.
        provider_batch.renew_lease(
            create_attempted_at=attempted_before, remote_file_id="", upload_attempted_at=None
        )
        raise


def _was_sent_lately(provider_batch: ProviderBatch) -> bool:
    """Return True if the provider may not know the file yet that it has just taken."""
    sent_at = provider_batch.upload_attempted_at
    return sent_at is not None and timezone.now() - sent_at < FILE_UNKNOWN_FOR


def _metadata(provider_batch: ProviderBatch) -> dict[str, str]:
    """Return the token by which we find the batch, and what people at the provider may read."""
    metadata = {TOKEN_KEY: provider_batch.token, "portal_batch": str(provider_batch.batch_id)}
    total = provider_batch.batch.provider_batches.count()
    return metadata | (
        {"portal_provider_batch": f"{provider_batch.number}/{total}"} if total > 1 else {}
    )
