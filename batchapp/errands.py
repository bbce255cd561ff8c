"""Steps that ask a provider: who may ask now, and what a refusal or a silence means."""

import random
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from batchapp.attempts import LONGEST_PAUSE, stop
from batchapp.models import (
    Batch,
    Connection,
    Event,
    Leased,
    Part,
    ProviderKey,
    StaleRow,
    UnreadableKey,
    Watch,
)
from batchapp.services import advising, billing, contacting, keying, polling, watching
from batchapp.upstream.client import UpstreamClient, connect
from batchapp.upstream.errors import (
    ABOUT_KEYS,
    Reason,
    UpstreamError,
    UpstreamRejected,
    UpstreamUnavailable,
)
from batchapp.upstream.types import RemoteBatch

LONGEST_SILENCE = min(timedelta(seconds=60), settings.LEASE * 3 / 4)
"""Of a provider in one call: shorter than a lease, or the row would go to another worker first."""


def upstream_client(key: ProviderKey, *, silence: timedelta | None = None) -> UpstreamClient:
    """The only way to a provider, who may be silent for ``silence`` in one call.

    Raises:
        UnreadableKey: the stored key cannot be opened.
    """
    seconds = (silence or LONGEST_SILENCE).total_seconds()
    return connect(key.connection.base_url, key.secret(), timeout_seconds=seconds)


def with_upstream(step: Callable[[Part, UpstreamClient], None]) -> Callable[[Part], None]:
    """Give ``step`` a client, and write down what a failure means."""

    def attempt(part: Part) -> None:
        connection = part.batch.connection
        if rest := contacting.rest_of(connection):
            part.postpone(_spread(rest))
            return
        try:
            with upstream_client(part.batch.key) as upstream:
                step(part, upstream)
                _note_contact(part.batch.key, upstream)
            contacting.note_answer(connection)
        except UnreadableKey:
            stop(
                part,
                "The provider key cannot be read any more: it was removed, or the portal's "
                "encryption key changed. Enter the key again, then try again.",
            )
        except UpstreamRejected as exc:
            contacting.note_answer(connection)
            _take_refusal(part, exc)
        except UpstreamUnavailable as exc:
            contacting.note_silence(connection, exc)
            _try_later(part, exc, exc.retry_after or _pause(part))

    attempt.__name__ = step.__name__
    return attempt


def ask_bill(batch: Batch) -> None:
    """A provider that refuses does not tell such sums; it is not asked again."""
    connection = batch.connection
    if rest := contacting.rest_of(connection):
        batch.postpone(_spread(rest))
        return
    try:
        with upstream_client(batch.key) as upstream:
            billing.ask(batch, upstream)
        contacting.note_answer(connection)
    except UnreadableKey:
        billing.close(batch)
    except UpstreamRejected:
        contacting.note_answer(connection)
        billing.close(batch)
    except UpstreamUnavailable as exc:
        contacting.note_silence(connection, exc)
        billing.ask_later(batch, timezone.now())


def look(watch: Watch, wake: Callable[[Leased], None]) -> None:
    """Read one round of ``watch``, enter its news, and ``wake`` the parts they concern.

    A round that fails leaves its parts to be asked for one by one, where failures are told.
    """
    connection = watch.key.connection
    if rest := contacting.rest_of(connection):
        watch.postpone(_spread(rest))
        return
    try:
        with upstream_client(watch.key) as upstream:
            for pk, remote in watching.look(watch, upstream).items():
                if part := _take(pk, remote, upstream):
                    wake(part)
            _note_contact(watch.key, upstream)
        contacting.note_answer(connection)
    except UnreadableKey:
        watch.postpone(LONGEST_PAUSE)
    except UpstreamRejected:
        contacting.note_answer(connection)
        watch.postpone(LONGEST_PAUSE)
    except UpstreamUnavailable as exc:
        contacting.note_silence(connection, exc)
        watch.postpone(exc.retry_after or _spread(connection.patience))


def _take(pk: str, remote: RemoteBatch, upstream: UpstreamClient) -> Part | None:
    """Enter what a list said of one part, unless somebody is at it this moment."""
    part = Part.objects.claim(pk, Part.Status.RUNNING)
    if part is None:
        return None
    try:
        polling.take(part, remote, upstream)
    except StaleRow:
        return None
    except UpstreamRejected as exc:
        _take_refusal(part, exc)
    except UpstreamUnavailable as exc:
        _try_later(part, exc, exc.retry_after or _pause(part))
    return part


def _spread(wait: timedelta) -> timedelta:
    """So that those who wait for the same do not all come at once."""
    return wait * random.uniform(1, 1.3)  # noqa: S311  # no secret


def _take_refusal(part: Part, exc: UpstreamRejected) -> None:
    """A person decides, unless the provider may only be late, or has lost what nobody wants."""
    connection, created_at = part.batch.connection, part.create_attempted_at
    grace = timedelta(seconds=connection.create_grace_seconds)
    is_new = part.upstream_id and created_at and timezone.now() - created_at < grace
    advice = advising.sentence(exc, connection)
    if exc.reason is Reason.NOT_FOUND and is_new:
        # Reads may come from a replica that does not have the batch yet.
        _try_later(part, exc, _pause(part))
    elif (
        exc.reason in {Reason.NOT_FOUND, Reason.GONE}
        and part.batch.cancel_requested_at
        and part.upstream_id
    ):
        part.move_to(Part.Status.CANCELLED, trouble="")
        Event.objects.create(batch_id=part.batch_id, text=advice)
    else:
        if exc.reason in ABOUT_KEYS:
            keying.note_trouble(part.batch.key, advice, is_refused=True)
        stop(part, advice)


def _try_later(part: Part, exc: UpstreamError, pause: timedelta) -> None:
    part.postpone(
        pause,
        failures=part.failures + 1,
        trouble=f"{part.batch.connection}: {exc}. Nothing is lost; the portal keeps trying.",
    )


def _pause(part: Part) -> timedelta:
    """Twice as long each time, with some chance in it, so that parts do not come back in step."""
    seconds = min(2.0 ** min(part.failures, 10), LONGEST_PAUSE.total_seconds())
    return timedelta(seconds=seconds * random.uniform(0.75, 1.25))  # noqa: S311  # no secret


def _note_contact(key: ProviderKey, upstream: UpstreamClient) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    if key.is_refused or not key.tried_at:
        keying.note_works(key)
    is_sandbox = bool(upstream.is_sandbox)
    if is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=is_sandbox)
