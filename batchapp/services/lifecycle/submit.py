"""The fourth room: a part goes to the provider, once, whatever dies on the way.

Providers have no idempotency key, so every file and batch we make carries the part's token, and
an attempt whose end we did not see is looked for before it is repeated.
"""

from datetime import timedelta

from django.utils import timezone

from batchapp.models import Adoption, Event, Part, Watch
from batchapp.models.batches.provider_batch import TOKEN_KEY
from batchapp.providers.client import UpstreamClient
from batchapp.providers.errors import NoRoom, UpstreamRejected, UpstreamUnavailable
from batchapp.providers.http import PATIENCE
from batchapp.providers.remote_objects import RemoteBatch, RemoteStatus
from batchapp.providers.upload_stream import Stretch

LOOKED_FOR = timedelta(minutes=30)
"""After a create in doubt whose batch is to be stopped."""

LEASES_PER_CALL = PATIENCE + 1
"""For an upload that is being checked, and a create: nobody else may begin before they ended.
An ordinary timeout is shorter than a lease, and these calls may take ``PATIENCE`` of them."""


def submit(part: Part, upstream: UpstreamClient) -> None:
    """Upload the file and create the provider's batch for ``part``; each only once.

    Raises:
        UpstreamError: what was recorded so far stays; the next attempt goes on from there.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    remote = _find(part, upstream)
    _hear_wishes(part)
    is_to_send = not part.upstream_file_id and not part.batch.is_to_stop
    if remote is None and is_to_send and not _doubt(part):
        part.renew(upstream_file_id=_upload(part, upstream))
        _hear_wishes(part)
    if remote is None and (wait := _doubt(part)):
        part.postpone(wait, failures=0, trouble=_in_doubt(part))
        return
    if remote is None and part.batch.cancel_requested_at:
        part.move_to(Part.Status.CANCELLED, trouble="")
        return
    if remote is None and part.batch.pause_requested_at:
        if not part.put_aside():  # resumed at this very moment
            part.postpone(timedelta())
        return
    remote = remote or _create(part, upstream)
    part.move_to(
        Part.Status.RUNNING,
        upstream_id=remote.id,
        upstream_status=remote.raw_status,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        expires_at=remote.expires_at,
        submitted_at=remote.created_at or timezone.now(),
        next_check_at=timezone.now() + part.batch.connection.patience,
        failures=0,
        trouble="",
    )
    Watch.objects.begin(part.batch.key)
    Event.objects.create(
        batch_id=part.batch_id, text=f"Accepted by {part.batch.connection} as {remote.id}."
    )


def cancel_twins(part: Part, upstream: UpstreamClient) -> None:
    """Cancel what else carries the token of ``part``: it turned up after we gave up looking.

    One that somebody brought in is a batch of its own by now.

    Raises:
        UpstreamUnavailable: those seen so far are cancelled; do it again.
    """
    others = [twin for twin in _found(part, upstream) if twin.id != part.upstream_id]
    ids = [twin.id for twin in others]
    ours = Adoption.objects.taken_in(part.batch.connection, ids) if others else set()
    for twin in others:
        if twin.id not in ours:
            _cancel(part, twin, upstream)


def _find(part: Part, upstream: UpstreamClient) -> RemoteBatch | None:
    """Return the batch that an earlier attempt created, if there was one.

    Of two, the older is kept and the others are cancelled: only one may be worked on and paid.
    One that never ran counts as none.
    """
    if part.create_attempted_at is None:
        return None
    found = _found(part, upstream)
    for surplus in found[1:]:
        _cancel(part, surplus, upstream)
    return found[0] if found else None


def _hear_wishes(part: Part) -> None:
    """Read again whether people want ``part`` stopped: the call before may have taken minutes."""
    part.batch.refresh_from_db(fields=["cancel_requested_at", "pause_requested_at"])


def _doubt(part: Part) -> timedelta:
    """How long until it is looked for again; zero once it is certain enough that there is none.

    One that is to be created is asked for in quick succession for the grace. One that is to be
    stopped is looked for longer, at growing distances: nobody else would see that it runs.
    """
    if part.create_attempted_at is None:
        return timedelta()
    gone_for = timezone.now() - part.create_attempted_at
    grace = timedelta(seconds=part.batch.connection.create_grace_seconds)
    if gone_for < grace:
        return min(grace - gone_for, timedelta(seconds=5))
    if part.batch.is_to_stop and gone_for < LOOKED_FOR:
        return max(min(gone_for / 2, LOOKED_FOR - gone_for), timedelta(seconds=5))
    return timedelta()


def _in_doubt(part: Part) -> str:
    text = (
        f"{part.batch.connection} may have created the batch although no confirmation came. The "
        "portal looks for it"
    )
    if not part.batch.is_to_stop:
        return f"{text}; nothing is lost."
    minutes = LOOKED_FOR // timedelta(minutes=1)
    return f"{text} for {minutes} minutes, to stop it as soon as it is seen."


def _found(part: Part, upstream: UpstreamClient) -> list[RemoteBatch]:
    found = upstream.find_batches(TOKEN_KEY, part.token, since=part.batch.created_at)
    return [remote for remote in found if not remote.is_stillborn]


def _cancel(part: Part, twin: RemoteBatch, upstream: UpstreamClient) -> None:
    """Stop a batch that nobody follows; if that is refused, a person can read of it."""
    if twin.status in {RemoteStatus.CANCELLING, RemoteStatus.CANCELLED}:
        return
    text = f"A second batch turned up at {part.batch.connection}, {twin.id}: "
    if twin.is_over:
        text += f"it had already ended ({twin.raw_status})."
    else:
        try:
            upstream.cancel_batch(twin.id)
            text += "it was cancelled."
        except UpstreamRejected as exc:
            text += f"it could not be cancelled ({exc.message or exc})."
    if not Event.objects.filter(batch_id=part.batch_id, text=text).exists():
        Event.objects.create(batch_id=part.batch_id, text=text)


def _upload(part: Part, upstream: UpstreamClient) -> str:
    """Return the id of the part's file at the provider, sending it if it is not there."""
    name, upload = f"{part.token}.jsonl", part.batch.upload
    size = upload.size if part.size is None else part.size
    if part.upload_attempted_at:
        for file in upstream.find_files(name):
            if file.bytes in {0, size}:  # 0 where the provider does not say
                return file.id
    part.renew(upload_attempted_at=timezone.now())
    renew = part.keep_alive()

    def progress(sent: int) -> None:
        if sent < size:
            renew(sent)
        else:
            part.renew(leases=LEASES_PER_CALL)

    with upload.blob.open("rb") as blob:
        stretch = Stretch(blob.file, part.starts_at, size)
        return upstream.upload_file(stretch, name=name, on_progress=progress).id


def _create(part: Part, upstream: UpstreamClient) -> RemoteBatch:
    """Make the one call that costs money, after writing down that we are about to.

    The mark is taken back only where it is certain that nothing was created; else it moves to
    the end of the call, from where the grace counts. A refusal may be about the file, which was
    deleted over there or belongs to another account, so the next attempt sends it again.
    """
    before, batch = part.create_attempted_at, part.batch
    part.renew(
        leases=LEASES_PER_CALL,
        create_attempted_at=timezone.now(),
        may_have_twin=part.may_have_twin or before is not None,
    )
    # From here on no other part moves the batch to another window.
    batch.refresh_from_db(fields=["window"])
    try:
        return upstream.create_batch(
            part.upstream_file_id,
            endpoint=batch.endpoint,
            window=batch.window,
            metadata=_metadata(part),
        )
    except UpstreamUnavailable as exc:
        part.renew(create_attempted_at=timezone.now() if exc.maybe_done else before)
        if exc.status == 429:
            raise NoRoom(exc) from exc
        raise
    except UpstreamRejected:
        part.renew(create_attempted_at=before, upstream_file_id="", upload_attempted_at=None)
        raise


def _metadata(part: Part) -> dict[str, str]:
    """What people at the provider read of it, and we find it by."""
    told = {TOKEN_KEY: part.token, "portal_batch": str(part.batch_id)}
    parts = part.batch.parts.count()
    return told | {"portal_part": f"{part.number}/{parts}"} if parts > 1 else told
