"""The fourth room: a part goes to the provider, once, whatever dies on the way.

Providers have no idempotency key, so every file and batch we make carries the part's token, and
an attempt whose end we did not see is looked for before it is repeated.
"""

import time
from datetime import timedelta

from django.utils import timezone

from batchapp.models import Event, Part
from batchapp.upstream.client import UpstreamClient
from batchapp.upstream.errors import UpstreamError, UpstreamUnavailable
from batchapp.upstream.types import RemoteBatch

TOKEN_KEY = "portal_submission"  # noqa: S105  # the name of a metadata entry
RENEW_EVERY = 2.0
"""Seconds between two signs of life while a file is sent."""


def submit(part: Part, upstream: UpstreamClient) -> None:
    """Upload the file and create the provider's batch for ``part``; each only once.

    Raises:
        UpstreamError: what was recorded so far stays; the next attempt goes on from there.
        StaleRow: our lease ran out; the worker that has it now goes on.
    """
    remote = _find(part, upstream)
    if remote is None and part.batch.cancel_requested_at:
        part.move_to(Part.Status.CANCELLED, trouble="")
        return
    if remote is None:
        if not part.upstream_file_id:
            part.renew(upstream_file_id=_upload(part, upstream))
        remote = _create(part, upstream)
    part.move_to(
        Part.Status.RUNNING,
        upstream_id=remote.id,
        upstream_status=remote.raw_status,
        output_file_id=remote.output_file_id or "",
        error_file_id=remote.error_file_id or "",
        expires_at=remote.expires_at,
        submitted_at=remote.created_at or timezone.now(),
        failures=0,
        trouble="",
    )
    Event.objects.create(
        batch_id=part.batch_id, text=f"Accepted by {part.batch.connection} as {remote.id}."
    )


def _find(part: Part, upstream: UpstreamClient) -> RemoteBatch | None:
    """Return the batch that an earlier attempt created, if there was one.

    Of two, the older is kept and the others are cancelled: only one may be worked on and paid.

    Raises:
        UpstreamUnavailable: none is to be seen yet, and it is too soon to say that none will be.
    """
    if part.create_attempted_at is None:
        return None
    found = upstream.find_batches(TOKEN_KEY, part.token, since=part.create_attempted_at)
    for surplus in found[1:]:
        upstream.cancel_batch(surplus.id)
    if found:
        return found[0]
    seen_for = timezone.now() - part.create_attempted_at
    grace = timedelta(seconds=part.batch.connection.create_grace_seconds)
    if seen_for < grace:
        raise UpstreamUnavailable(
            "the batch may have been created although no confirmation came; looking for it",
            retry_after=min(grace - seen_for, timedelta(seconds=5)),
        )
    return None


def _upload(part: Part, upstream: UpstreamClient) -> str:
    """Return the id of the part's file at the provider, sending it if it is not there."""
    name = f"{part.token}.jsonl"
    if part.upload_attempted_at and (found := upstream.find_files(name)):
        return found[0].id
    part.renew(upload_attempted_at=timezone.now())
    said = time.monotonic()

    def progress(_sent: int) -> None:
        nonlocal said
        if time.monotonic() - said > RENEW_EVERY:
            part.renew()
            said = time.monotonic()

    with part.batch.upload.blob.open("rb") as content:
        return upstream.upload_file(content.file, name=name, on_progress=progress).id


def _create(part: Part, upstream: UpstreamClient) -> RemoteBatch:
    """Make the one call that costs money, after writing down that we are about to.

    The mark is taken back only where it is certain that nothing was created.
    """
    part.renew(create_attempted_at=timezone.now())
    try:
        return upstream.create_batch(
            part.upstream_file_id,
            endpoint=part.batch.endpoint,
            window=part.batch.window,
            metadata={TOKEN_KEY: part.token, "portal_batch": str(part.batch_id)},
        )
    except UpstreamError as exc:
        if not (isinstance(exc, UpstreamUnavailable) and exc.maybe_done):
            part.renew(create_attempted_at=None)
        raise
