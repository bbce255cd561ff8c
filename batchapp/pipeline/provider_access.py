"""Give steps access to a provider: its key, its client and the circuit breaker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
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
from batchapp.pipeline.runner import MAX_RETRY_PAUSE, DueRows, stop_for_person
from batchapp.providers.client import ProviderClient, connect
from batchapp.providers.errors import KEY_REASONS, ProviderRejected, ProviderUnavailable
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

# Longest silence of a provider in one call. A lease must last longer, or another worker would
# claim the row during the call.
CALL_TIMEOUT = min(timedelta(seconds=60), settings.LEASE * 3 / 4)

UNREADABLE_KEY = (
    "The provider key cannot be read any more: it was removed, or the portal's encryption key "
    "changed. Enter the key again, then try again."
)


def provider_client(key: ProviderKey, *, timeout: timedelta | None = None) -> ProviderClient:
    """Return a client for the provider of ``key``. No other code connects to a provider.

    Raises:
        UnreadableKey: the stored key cannot be decrypted.
    """
    seconds = (timeout or CALL_TIMEOUT).total_seconds()
    return connect(key.connection.base_url, key.secret(), timeout_seconds=seconds)


def platform_client(connection: Connection, *, timeout: timedelta) -> ProviderClient | None:
    """Return a client for the management API; None without a readable key for it."""
    try:
        secret = connection.platform_key()
        address = management_url(connection.base_url)
    except (UnreadableKey, ValueError):
        return None
    seconds = timeout.total_seconds()
    return connect(address, secret, timeout_seconds=seconds) if secret else None


@contextmanager
def _open_provider(key: ProviderKey) -> Iterator[ProviderClient]:
    """Open a client for ``key``, and tell the circuit breaker if the provider answers.

    Raises:
        UnreadableKey: see ``provider_client``.
    """
    connection = key.connection
    try:
        with provider_client(key) as provider:
            yield provider
            _note_contact(key, provider)
    except ProviderRejected:
        circuit_breaker.record_answer(connection)
        raise
    except ProviderUnavailable as exc:
        circuit_breaker.record_no_answer(connection, exc)
        raise
    circuit_breaker.record_answer(connection)


def with_provider(
    step: Callable[[ProviderBatch, ProviderClient], DueRows],
) -> Callable[[ProviderBatch], DueRows]:
    """Give ``step`` a client, and apply the retry policy if the provider fails."""

    def attempt(provider_batch: ProviderBatch) -> DueRows:
        if wait := circuit_breaker.wait_before_calling(provider_batch.connection):
            retry_policy.wait_for_provider(provider_batch, wait)
            return None
        try:
            with _open_provider(provider_batch.batch.key) as provider:
                return step(provider_batch, provider)
        except UnreadableKey:
            stop_for_person(provider_batch, UNREADABLE_KEY)
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
    """Give ``step`` a client, and postpone or fail the import if the provider fails."""

    def attempt(batch_import: BatchImport) -> DueRows:
        connection = batch_import.connection
        if wait := circuit_breaker.wait_before_calling(connection):
            batch_import.postpone(retry_policy.with_jitter(wait))
            return None
        try:
            with _open_provider(batch_import.key) as provider:
                return step(batch_import, provider)
        except UnreadableKey:
            import_requests.fail_import(batch_import, UNREADABLE_KEY)
        except (import_requests.Refused, fetch_file.Refused, place_order.Refused) as exc:
            import_requests.fail_import(batch_import, str(exc))
        except ProviderRejected as exc:
            advice = provider_advice.advice_for(exc, connection)
            if exc.reason in KEY_REASONS:
                provider_keys.record_trouble(batch_import.key, advice, is_refused=True)
            import_requests.fail_import(batch_import, advice)
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
    """Look for results after the end of ``batch``; if there are none, fetch its billed cost.

    A provider that rejects the request does not report such sums, and is not asked again.
    """
    if wait := circuit_breaker.wait_before_calling(batch.connection):
        batch.postpone(retry_policy.with_jitter(wait))
        return None
    try:
        with _open_provider(batch.key) as provider:
            if batch.may_still_change and (followed := _find_late_results(batch, provider)):
                return followed
            billed_cost.fetch_billed_cost(batch, provider)
    except (UnreadableKey, ProviderRejected):
        billed_cost.stop_asking(batch)
    except ProviderUnavailable:
        billed_cost.postpone(batch)
    return None


def _find_late_results(batch: Batch, provider: ProviderClient) -> list[ProviderBatch]:
    """Cancel duplicates that appeared, and return the provider batches that are followed again."""
    sent = batch.provider_batches.exclude(remote_id="")
    for provider_batch in sent.filter(may_have_duplicate=True):
        submit.cancel_duplicates(provider_batch, provider)
    late = late_results.find_late_results(batch, provider)
    return late.with_answers + [row for row in late.running if retry_in_place.follow_again(row)]


def poll_running_batches_of_key(key_poll: KeyPoll) -> DueRows:
    """Poll the list of one key, apply the changes, and return the changed provider batches.

    After a failed round, each provider batch becomes due for a poll of its own, which records the
    failure.
    """
    connection = key_poll.key.connection
    if wait := circuit_breaker.wait_before_calling(connection):
        key_poll.postpone(retry_policy.with_jitter(wait))
        return None
    changed = []
    try:
        with _open_provider(key_poll.key) as provider:
            poll_round = poll_key.poll_key(key_poll, provider)
            for pk, remote in poll_round.changed.items():
                if provider_batch := _apply_listed_state(pk, remote, provider):
                    changed.append(provider_batch)
            for provider_batch in poll_round.restarted:
                _follow_again(provider_batch)
            for provider_batch in poll_round.duplicated:
                submit.cancel_duplicates(provider_batch, provider)
    except (UnreadableKey, ProviderRejected):
        key_poll.postpone(MAX_RETRY_PAUSE)
    except ProviderUnavailable as exc:
        if exc.retry_after:
            poll_key.postpone_polling(key_poll, exc.retry_after)
        else:
            key_poll.postpone(retry_policy.with_jitter(connection.key_poll_timeout))
    return changed


def recheck_finished(provider_batch: ProviderBatch) -> None:
    """Follow a provider batch again that has not ended at the provider, or with other counts."""
    if circuit_breaker.wait_before_calling(provider_batch.connection):
        return
    try:
        with _open_provider(provider_batch.batch.key) as provider:
            remote = provider.retrieve_batch(provider_batch.remote_id)
    except (UnreadableKey, ProviderRejected, ProviderUnavailable):
        return
    counts = provider_batch.completed, provider_batch.failed
    if not remote.is_over or (remote.completed, remote.failed) != counts:
        _follow_again(provider_batch)


def _apply_listed_state(
    pk: str, remote: RemoteBatch, provider: ProviderClient
) -> ProviderBatch | None:
    """Apply the listed state to one provider batch, unless another worker has it."""
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
    with suppress(StaleRow):
        retry_in_place.follow_again(provider_batch)


def _note_contact(key: ProviderKey, provider: ProviderClient) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    if key.is_refused or not key.tried_at:
        provider_keys.record_success(key)
    is_sandbox = provider.is_sandbox
    if is_sandbox is not None and is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=is_sandbox)
