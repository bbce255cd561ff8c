"""Give steps access to a provider: its key, its client and the circuit breaker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from batchapp.models import BatchImport, Connection, ProviderBatch, ProviderKey, UnreadableKey
from batchapp.pipeline import retry_policy
from batchapp.pipeline.runner import DueRows, stop_for_person
from batchapp.providers.client import ProviderClient, connect
from batchapp.providers.errors import KEY_REASONS, ProviderRejected, ProviderUnavailable
from batchapp.providers.tariffs import management_url
from batchapp.services.imports import fetch_file, start_import
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
def open_provider(key: ProviderKey) -> Iterator[ProviderClient]:
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
            with open_provider(provider_batch.batch.key) as provider:
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
            with open_provider(batch_import.key) as provider:
                return step(batch_import, provider)
        except UnreadableKey:
            start_import.fail_import(batch_import, UNREADABLE_KEY)
        except (start_import.Refused, fetch_file.Refused) as exc:
            start_import.fail_import(batch_import, str(exc))
        except ProviderRejected as exc:
            advice = provider_advice.advice_for(exc, connection)
            if exc.reason in KEY_REASONS:
                provider_keys.record_trouble(batch_import.key, advice, is_refused=True)
            start_import.fail_import(batch_import, advice)
        except ProviderUnavailable as exc:
            batch_import.postpone(
                exc.retry_after or retry_policy.backoff(batch_import),
                failures=batch_import.failures + 1,
                trouble=f"{connection}: {exc}. Nothing is lost; the portal keeps trying.",
            )
        return None

    attempt.__name__ = step.__name__
    return attempt


def _note_contact(key: ProviderKey, provider: ProviderClient) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(last_used_at=timezone.now())
    if key.is_refused or not key.tested_at:
        provider_keys.record_success(key)
    is_sandbox = provider.is_sandbox
    if is_sandbox is not None and is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=is_sandbox)
