"""Steps that ask a provider: who may ask now, and with which key."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from batchapp.models import (
    Batch,
    BatchImport,
    Connection,
    KeyPoll,
    ProviderBatch,
    ProviderKey,
    StaleRow,
    UnreadableKey,
)
from batchapp.pipeline import retry_policy
from batchapp.pipeline.runner import LONGEST_PAUSE, DueRows, stop_for_person
from batchapp.providers.client import ProviderClient, connect
from batchapp.providers.errors import ABOUT_KEYS, ProviderRejected, ProviderUnavailable
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.tariffs import management_url
from batchapp.services.imports import fetch_file, import_requests
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


def provider_client(key: ProviderKey, *, silence: timedelta | None = None) -> ProviderClient:
    """The only way to a provider, who may be silent for ``silence`` in one call.

    Raises:
        UnreadableKey: the stored key cannot be opened.
    """
    seconds = (silence or LONGEST_SILENCE).total_seconds()
    return connect(key.connection.base_url, key.secret(), timeout_seconds=seconds)


def platform_client(connection: Connection, *, silence: timedelta) -> ProviderClient | None:
    """The way to the management API; None if no key for it is stored, or none that can be read."""
    try:
        secret = connection.platform_key()
        address = management_url(connection.base_url)
    except (UnreadableKey, ValueError):
        return None
    seconds = silence.total_seconds()
    return connect(address, secret, timeout_seconds=seconds) if secret else None


@contextmanager
def _open_provider(key: ProviderKey) -> Iterator[ProviderClient]:
    """A client for ``key``; whether the provider answers is noted for all who ask it.

    Raises:
        UnreadableKey: as ``upstream_client``.
    """
    connection = key.connection
    try:
        with provider_client(key) as provider:
            yield provider
            _note_contact(key, provider)
    except ProviderRejected:
        circuit_breaker.note_answer(connection)
        raise
    except ProviderUnavailable as exc:
        circuit_breaker.note_silence(connection, exc)
        raise
    circuit_breaker.note_answer(connection)


def with_provider(
    step: Callable[[ProviderBatch, ProviderClient], DueRows],
) -> Callable[[ProviderBatch], DueRows]:
    """Give ``step`` a client, and write down what a failure means."""

    def attempt(provider_batch: ProviderBatch) -> DueRows:
        connection = provider_batch.batch.connection
        if rest := circuit_breaker.wait_before_calling(connection):
            retry_policy.wait_for_provider(provider_batch, rest)
            return None
        try:
            with _open_provider(provider_batch.batch.key) as provider:
                return step(provider_batch, provider)
        except UnreadableKey:
            stop_for_person(provider_batch, UNREADABLE)
        except ProviderRejected as exc:
            retry_policy.handle_rejection(provider_batch, exc)
        except ProviderUnavailable as exc:
            retry_policy.handle_no_answer(provider_batch, exc)
        return None

    attempt.__name__ = step.__name__
    return attempt


def with_provider_for_import(
    step: Callable[[BatchImport, ProviderClient], DueRows],
) -> Callable[[BatchImport], DueRows]:
    """Give ``step`` a client, and write down what a failure means for a batch made elsewhere."""

    def attempt(batch_import: BatchImport) -> DueRows:
        connection = batch_import.connection
        if rest := circuit_breaker.wait_before_calling(connection):
            batch_import.postpone(retry_policy.with_jitter(rest))
            return None
        try:
            with _open_provider(batch_import.key) as provider:
                return step(batch_import, provider)
        except UnreadableKey:
            import_requests.refuse(batch_import, UNREADABLE)
        except (import_requests.Refused, fetch_file.Refused, place_order.Refused) as exc:
            import_requests.refuse(batch_import, str(exc))
        except ProviderRejected as exc:
            advice = provider_advice.advice_for(exc, connection)
            if exc.reason in ABOUT_KEYS:
                provider_keys.note_trouble(batch_import.key, advice, is_refused=True)
            import_requests.refuse(batch_import, advice)
        except ProviderUnavailable as exc:
            batch_import.postpone(
                exc.retry_after or retry_policy.backoff(batch_import),
                failures=batch_import.failures + 1,
                trouble=f"{connection}: {exc}. Nothing is lost; the portal keeps trying.",
            )
        return None

    attempt.__name__ = step.__name__
    return attempt


def check_after_end(batch: Batch) -> DueRows:
    """Whether more was answered since ``batch`` ended; if not, what it was billed.

    A provider that refuses does not tell such sums; it is not asked again.
    """
    connection = batch.connection
    if rest := circuit_breaker.wait_before_calling(connection):
        batch.postpone(retry_policy.with_jitter(rest))
        return None
    try:
        with _open_provider(batch.key) as provider:
            if batch.may_still_change and (moved := _find_late_results(batch, provider)):
                return moved
            billed_cost.fetch_billed_cost(batch, provider)
    except (UnreadableKey, ProviderRejected):
        billed_cost.stop_asking(batch)
    except ProviderUnavailable:
        billed_cost.postpone(batch)
    return None


def _find_late_results(batch: Batch, provider: ProviderClient) -> list[ProviderBatch]:
    """What of ``batch`` is followed again; twins of its parts that turned up are cancelled."""
    for provider_batch in batch.provider_batches.filter(may_have_duplicate=True).exclude(
        remote_id=""
    ):
        submit.cancel_duplicates(provider_batch, provider)
    found = late_results.find_late_results(batch, provider)
    return found.landed + [
        provider_batch
        for provider_batch in found.running
        if retry_in_place.follow_again(provider_batch)
    ]


def poll_running_batches_of_key(key_poll: KeyPoll) -> DueRows:
    """Read one round of ``watch``, and enter its news; the parts that they concern.

    A round that fails leaves its parts to be asked for one by one, where failures are told.
    """
    connection = key_poll.key.connection
    if rest := circuit_breaker.wait_before_calling(connection):
        key_poll.postpone(retry_policy.with_jitter(rest))
        return None
    taken = []
    try:
        with _open_provider(key_poll.key) as provider:
            found = poll_key.poll_key(key_poll, provider)
            for pk, remote in found.news.items():
                if provider_batch := _apply_listed_state(pk, remote, provider):
                    taken.append(provider_batch)
            for provider_batch in found.reopened:
                _follow_again(provider_batch)
            for provider_batch in found.doubled:
                submit.cancel_duplicates(provider_batch, provider)
    except (UnreadableKey, ProviderRejected):
        key_poll.postpone(LONGEST_PAUSE)
    except ProviderUnavailable as exc:
        if exc.retry_after:
            poll_key.postpone_polling(key_poll, exc.retry_after)
        else:
            key_poll.postpone(retry_policy.with_jitter(connection.patience))
    return taken


def recheck_finished(provider_batch: ProviderBatch) -> None:
    """Follow a part that is over here, if its provider tells of another end, or of none yet."""
    connection = provider_batch.batch.connection
    if circuit_breaker.wait_before_calling(connection):
        return
    try:
        with _open_provider(provider_batch.batch.key) as provider:
            remote = provider.retrieve_batch(provider_batch.remote_id)
    except (UnreadableKey, ProviderRejected, ProviderUnavailable):
        return
    if not remote.is_over or (remote.completed, remote.failed) != (
        provider_batch.completed,
        provider_batch.failed,
    ):
        _follow_again(provider_batch)


def _apply_listed_state(
    pk: str, remote: RemoteBatch, provider: ProviderClient
) -> ProviderBatch | None:
    """Enter what a list said of one part, unless somebody is at it this moment."""
    provider_batch = ProviderBatch.objects.claim(pk, ProviderBatch.Status.RUNNING)
    if provider_batch is None:
        return None
    try:
        poll.apply_remote_state(provider_batch, remote, provider)
    except StaleRow:
        return None
    except ProviderRejected as exc:
        retry_policy.handle_rejection(provider_batch, exc)
    except ProviderUnavailable as exc:
        retry_policy.handle_no_answer(provider_batch, exc)
    return provider_batch


def _follow_again(provider_batch: ProviderBatch) -> None:
    try:
        retry_in_place.follow_again(provider_batch)
    except StaleRow:
        return


def _note_contact(key: ProviderKey, provider: ProviderClient) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    if key.is_refused or not key.tried_at:
        provider_keys.note_works(key)
    is_sandbox = provider.is_sandbox
    if is_sandbox is not None and is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=is_sandbox)
