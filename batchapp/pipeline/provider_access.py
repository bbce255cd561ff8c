"""Give steps access to a provider: its key, its client and the circuit breaker."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from typing import TypeVar

from django.conf import settings
from django.utils import timezone

from batchapp.access import NotAllowed
from batchapp.models import (
    Batch,
    BatchImport,
    Connection,
    KeyPoll,
    ProviderBatch,
    ProviderKey,
    UnreadableKey,
)
from batchapp.pipeline.retry_policy import Policy
from batchapp.pipeline.runner import DueRows
from batchapp.providers.client import ProviderClient, connect
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable
from batchapp.providers.tariffs import management_url
from batchapp.services.providers import circuit_breaker, provider_keys

Row = TypeVar("Row", ProviderBatch, BatchImport, KeyPoll, Batch)

# Longest ordinary call, in total. A lease must last longer, or another worker would claim the row
# during the call.
CALL_TIMEOUT = min(timedelta(seconds=60), settings.LEASE * 3 / 4)


def provider_client(key: ProviderKey, *, timeout: timedelta | None = None) -> ProviderClient:
    """Return a client for the provider of ``key``. No other code connects to a provider.

    All calls together have ``timeout``, for a person who waits; else each has ``CALL_TIMEOUT``.

    Raises:
        UnreadableKey: the stored key cannot be decrypted.
    """
    return connect(
        key.connection.base_url,
        key.secret(),
        timeout_seconds=(timeout or CALL_TIMEOUT).total_seconds(),
        session_seconds=timeout.total_seconds() if timeout else None,
    )


def platform_client(connection: Connection, *, timeout: timedelta) -> ProviderClient | None:
    """Return a client for the management API; None without a readable key for it.

    ``timeout`` is that of all calls together.
    """
    try:
        secret = connection.platform_key()
        address = management_url(connection.base_url)
    except (UnreadableKey, ValueError):
        return None
    seconds = timeout.total_seconds()
    if not secret:
        return None
    return connect(address, secret, timeout_seconds=seconds, session_seconds=seconds)


@contextmanager
def open_provider(key: ProviderKey) -> Iterator[ProviderClient]:
    """Open a client for ``key``, and record on the key and the connection how it went.

    A block that calls nothing records nothing.

    Raises:
        UnreadableKey: see ``provider_client``.
    """
    connection = key.connection
    try:
        with provider_client(key) as provider:
            yield provider
            if provider.is_sandbox is None:  # no answer came, since nothing was asked
                return
            _note_contact(key, provider)
    except ProviderRejected:
        circuit_breaker.record_answer(connection)
        raise
    except ProviderUnavailable as exc:
        circuit_breaker.record_no_answer(connection, exc)
        raise
    circuit_breaker.record_answer(connection)


def with_provider(
    step: Callable[[Row, ProviderClient], DueRows], policy: Policy[Row]
) -> Callable[[Row], DueRows]:
    """Give ``step`` a client for the key of its row; ``policy`` decides if the provider fails."""

    @wraps(step)
    def attempt(row: Row) -> DueRows:
        if wait := circuit_breaker.wait_before_calling(row.connection):
            policy.wait(row, wait)
            return None
        try:
            with open_provider(row.key) as provider:
                return step(row, provider)
        except UnreadableKey:
            policy.unreadable_key(row)
        except NotAllowed:
            if policy.unpaid is None:
                raise
            policy.unpaid(row)
        except ProviderRejected as exc:
            policy.rejected(row, exc)
        except ProviderUnavailable as exc:
            policy.no_answer(row, exc)
        return None

    return attempt


def _note_contact(key: ProviderKey, provider: ProviderClient) -> None:
    same_secret = ProviderKey.objects.filter(pk=key.pk, ciphertext=key.ciphertext)
    same_secret.update(last_used_at=timezone.now())
    if key.is_refused or not key.tested_at:
        provider_keys.record_success(key)
    if provider.is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=provider.is_sandbox)
