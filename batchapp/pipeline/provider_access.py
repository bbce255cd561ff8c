"""Give steps access to a provider: its key, its client and the circuit breaker."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial, wraps
from typing import TypeVar

from django.conf import settings
from django.core.cache import cache
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
from batchapp.providers.base import Management, Provider
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable
from batchapp.providers.kinds import connect, connect_management
from batchapp.services.providers import circuit_breaker, provider_keys

ASK_FOR_KIND_EVERY = 24 * 3600  # seconds, of a provider whose kind is not known
NO_KEY = "none"  # sent where only an answer is wanted, so that nobody's key is
Row = TypeVar("Row", ProviderBatch, BatchImport, KeyPoll, Batch)

# Longest ordinary call, in total. A lease must last longer, or another worker would claim the row
# during the call.
CALL_TIMEOUT = min(timedelta(seconds=60), settings.LEASE * 3 / 4)


def provider_client(key: ProviderKey, *, timeout: timedelta | None = None) -> Provider:
    """Return a client for the provider of ``key``. No other code connects to a provider.

    All calls together have ``timeout``, for a person who waits; else each has ``CALL_TIMEOUT``.

    Raises:
        UnreadableKey: the stored key cannot be decrypted, or was entered for another address.
    """
    connection = key.connection
    return connect(
        connection.provider_kind,
        connection.base_url,
        key.secret(),
        timeout_seconds=(timeout or CALL_TIMEOUT).total_seconds(),
        session_seconds=timeout.total_seconds() if timeout else None,
    )


def platform_client(connection: Connection, *, timeout: timedelta) -> Management | None:
    """Return a client for the management API; None without a readable key, or such an API.

    ``timeout`` is that of all calls together.
    """
    try:
        secret = connection.platform_key()
        if not secret:
            return None
        return connect_management(
            connection.provider_kind,
            connection.base_url,
            secret,
            timeout_seconds=timeout.total_seconds(),
            session_seconds=timeout.total_seconds(),
        )
    except (UnreadableKey, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of asking a provider once for its models.

    ``error`` says why there was no usable answer; ``status`` is that of a refusal, and ``models``
    how many models were listed. ``address`` is the address of the API that was asked.
    """

    seconds: float
    had_key: bool
    models: int | None = None
    status: int = 0
    error: str = ""
    address: str = ""


def try_connection(connection: Connection) -> Trial:
    """Ask for the models with the platform key, or with none that any provider accepts.

    Nothing is recorded: a person tests the address, and not the keys of others.
    """
    timeout, address = timedelta(seconds=10), ""
    started = time.monotonic()
    platform = platform_client(connection, timeout=timeout)
    trial = partial(Trial, had_key=platform is not None)
    try:
        if platform:
            with platform:
                address = platform.address
                models = len(platform.describe_managed_models())
        else:
            kind, seconds = connection.provider_kind, timeout.total_seconds()
            with connect(kind, connection.base_url, NO_KEY, session_seconds=seconds) as provider:
                address = provider.address
                models = len(provider.list_models())
    except ProviderRejected as exc:
        return trial(time.monotonic() - started, status=exc.status, address=address)
    except ProviderUnavailable as exc:
        return trial(time.monotonic() - started, error=str(exc), address=address)
    return trial(time.monotonic() - started, models=models, address=address)


@contextmanager
def open_provider(key: ProviderKey) -> Iterator[Provider]:
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
    step: Callable[[Row, Provider], DueRows], policy: Policy[Row]
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
        except UnreadableKey as exc:
            policy.unreadable_key(row, exc)
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


def _note_contact(key: ProviderKey, provider: Provider) -> None:
    same_secret = ProviderKey.objects.filter(pk=key.pk, ciphertext=key.ciphertext)
    same_secret.update(last_used_at=timezone.now())
    is_first = key.is_refused or not key.tested_at
    if is_first:
        provider_keys.record_success(key)
    if provider.is_sandbox != key.connection.is_sandbox:
        Connection.objects.filter(pk=key.connection_id).update(is_sandbox=provider.is_sandbox)
    # Connections of an older version have keys that were tested before kinds were asked for.
    name = f"kind of connection {key.connection_id}"
    if is_first or (not key.connection.kind and cache.add(name, 1, ASK_FOR_KIND_EVERY)):
        provider_keys.find_out_kind(key, provider)
