"""Steps that ask a provider: who may ask now, and with which key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from batchapp.models import (
    Adoption,
    Batch,
    Connection,
    Part,
    ProviderKey,
    StaleRow,
    UnreadableKey,
    Watch,
)
from batchapp.pipeline import retry_policy
from batchapp.pipeline.runner import LONGEST_PAUSE, Rows, stop
from batchapp.providers.client import UpstreamClient, connect
from batchapp.providers.errors import ABOUT_KEYS, UpstreamRejected, UpstreamUnavailable
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.tariffs import management_url
from batchapp.services.imports import batch_imports, fetch_file
from batchapp.services.lifecycle import (
    billed_cost,
    late_results,
    poll,
    poll_key,
    retry_in_place,
    submit,
)
from batchapp.services.orders import place_order
from batchapp.services.providers import circuit_breaker, provider_advice, provider_keys

LONGEST_SILENCE = min(timedelta(seconds=60), settings.LEASE * 3 / 4)
"""Of a provider in one call: shorter than a lease, or the row would go to another worker first."""

UNREADABLE = (
    "The provider key cannot be read any more: it was removed, or the portal's encryption key "
    "changed. Enter the key again, then try again."
)


def upstream_client(key: ProviderKey, *, silence: timedelta | None = None) -> UpstreamClient:
    """The only way to a provider, who may be silent for ``silence`` in one call.

    Raises:
        UnreadableKey: the stored key cannot be opened.
    """
    seconds = (silence or LONGEST_SILENCE).total_seconds()
    return connect(key.connection.base_url, key.secret(), timeout_seconds=seconds)


def platform_client(connection: Connection, *, silence: timedelta) -> UpstreamClient | None:
    """The way to the management API; None if no key for it is stored, or none that can be read."""
    try:
        secret = connection.platform_key()
        address = management_url(connection.base_url)
    except (UnreadableKey, ValueError):
        return None
    seconds = silence.total_seconds()
    return connect(address, secret, timeout_seconds=seconds) if secret else None


@contextmanager
def _asking(key: ProviderKey) -> Iterator[UpstreamClient]:
    """A client for ``key``; whether the provider answers is noted for all who ask it.

    Raises:
        UnreadableKey: as ``upstream_client``.
    """
    connection = key.connection
    try:
        with upstream_client(key) as upstream:
            yield upstream
            _note_contact(key, upstream)
    except UpstreamRejected:
        circuit_breaker.note_answer(connection)
        raise
    except UpstreamUnavailable as exc:
        circuit_breaker.note_silence(connection, exc)
        raise
    circuit_breaker.note_answer(connection)


def with_upstream(step: Callable[[Part, UpstreamClient], Rows]) -> Callable[[Part], Rows]:
    """Give ``step`` a client, and write down what a failure means."""

    def attempt(part: Part) -> Rows:
        connection = part.batch.connection
        if rest := circuit_breaker.rest_of(connection):
            retry_policy.rest(part, rest)
            return None
        try:
            with _asking(part.batch.key) as upstream:
                return step(part, upstream)
        except UnreadableKey:
            stop(part, UNREADABLE)
        except UpstreamRejected as exc:
            retry_policy.take_refusal(part, exc)
        except UpstreamUnavailable as exc:
            retry_policy.take_silence(part, exc)
        return None

    attempt.__name__ = step.__name__
    return attempt


def bringing_in(step: Callable[[Adoption, UpstreamClient], Rows]) -> Callable[[Adoption], Rows]:
    """Give ``step`` a client, and write down what a failure means for a batch made elsewhere."""

    def attempt(adoption: Adoption) -> Rows:
        connection = adoption.connection
        if rest := circuit_breaker.rest_of(connection):
            adoption.postpone(retry_policy.spread(rest))
            return None
        try:
            with _asking(adoption.key) as upstream:
                return step(adoption, upstream)
        except UnreadableKey:
            batch_imports.refuse(adoption, UNREADABLE)
        except (batch_imports.Refused, fetch_file.Refused, place_order.Refused) as exc:
            batch_imports.refuse(adoption, str(exc))
        except UpstreamRejected as exc:
            advice = provider_advice.sentence(exc, connection)
            if exc.reason in ABOUT_KEYS:
                provider_keys.note_trouble(adoption.key, advice, is_refused=True)
            batch_imports.refuse(adoption, advice)
        except UpstreamUnavailable as exc:
            adoption.postpone(
                exc.retry_after or retry_policy.pause(adoption),
                failures=adoption.failures + 1,
                trouble=f"{connection}: {exc}. Nothing is lost; the portal keeps trying.",
            )
        return None

    attempt.__name__ = step.__name__
    return attempt


def look_back(batch: Batch) -> Rows:
    """Whether more was answered since ``batch`` ended; if not, what it was billed.

    A provider that refuses does not tell such sums; it is not asked again.
    """
    connection = batch.connection
    if rest := circuit_breaker.rest_of(connection):
        batch.postpone(retry_policy.spread(rest))
        return None
    try:
        with _asking(batch.key) as upstream:
            if batch.may_still_change and (moved := _look_after(batch, upstream)):
                return moved
            billed_cost.ask(batch, upstream)
    except (UnreadableKey, UpstreamRejected):
        billed_cost.close(batch)
    except UpstreamUnavailable:
        billed_cost.ask_later(batch)
    return None


def _look_after(batch: Batch, upstream: UpstreamClient) -> list[Part]:
    """What of ``batch`` is followed again; twins of its parts that turned up are cancelled."""
    for part in batch.parts.filter(may_have_twin=True).exclude(upstream_id=""):
        submit.cancel_twins(part, upstream)
    found = late_results.look(batch, upstream)
    return found.landed + [part for part in found.running if retry_in_place.follow_again(part)]


def look(watch: Watch) -> Rows:
    """Read one round of ``watch``, and enter its news; the parts that they concern.

    A round that fails leaves its parts to be asked for one by one, where failures are told.
    """
    connection = watch.key.connection
    if rest := circuit_breaker.rest_of(connection):
        watch.postpone(retry_policy.spread(rest))
        return None
    taken = []
    try:
        with _asking(watch.key) as upstream:
            found = poll_key.look(watch, upstream)
            for pk, remote in found.news.items():
                if part := _take(pk, remote, upstream):
                    taken.append(part)
            for part in found.reopened:
                _follow_again(part)
            for part in found.doubled:
                submit.cancel_twins(part, upstream)
    except (UnreadableKey, UpstreamRejected):
        watch.postpone(LONGEST_PAUSE)
    except UpstreamUnavailable as exc:
        if exc.retry_after:
            poll_key.rest(watch, exc.retry_after)
        else:
            watch.postpone(retry_policy.spread(connection.patience))
    return taken


def ask_again(part: Part) -> None:
    """Follow a part that is over here, if its provider tells of another end, or of none yet."""
    connection = part.batch.connection
    if circuit_breaker.rest_of(connection):
        return
    try:
        with _asking(part.batch.key) as upstream:
            remote = upstream.retrieve_batch(part.upstream_id)
    except (UnreadableKey, UpstreamRejected, UpstreamUnavailable):
        return
    if not remote.is_over or (remote.completed, remote.failed) != (part.completed, part.failed):
        _follow_again(part)


def _take(pk: str, remote: RemoteBatch, upstream: UpstreamClient) -> Part | None:
    """Enter what a list said of one part, unless somebody is at it this moment."""
    part = Part.objects.claim(pk, Part.Status.RUNNING)
    if part is None:
        return None
    try:
        poll.take(part, remote, upstream)
    except StaleRow:
        return None
    except UpstreamRejected as exc:
        retry_policy.take_refusal(part, exc)
    except UpstreamUnavailable as exc:
        retry_policy.take_silence(part, exc)
    return part


def _follow_again(part: Part) -> None:
    try:
        retry_in_place.follow_again(part)
    except StaleRow:
        return


def _note_contact(key: ProviderKey, upstream: UpstreamClient) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    if key.is_refused or not key.tried_at:
        provider_keys.note_works(key)
    is_sandbox = upstream.is_sandbox
    if is_sandbox is not None and is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=is_sandbox)
