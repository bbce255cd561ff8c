"""How a connection fares: its circuit breaker, its refusals, and how late its polls are."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min
from django.utils import timezone

from batchapp.models import Batch, Connection, KeyPoll, Project, ProviderBatch, ProviderKey
from batchapp.models.fields.leased_row import MAX_DELAY


@dataclass(frozen=True, slots=True)
class ConnectionHealth:
    """Facts about one connection at ``now``.

    ``poll_lag`` is how long the poll that waits longest is overdue; None if none is due.
    ``refused_keys`` and ``moved_keys`` cannot be used until they are entered again. ``waiting``
    provider batches wait for the provider, and ``stuck`` ones for a person.
    """

    connection: Connection
    now: datetime
    keys: int
    refused_keys: int
    moved_keys: int
    last_answer_at: datetime | None
    poll_lag: timedelta | None
    waiting: int
    stuck: int

    @property
    def is_backing_off(self) -> bool:
        until = self.connection.backoff_until
        return until is not None and self.now < until < self.now + MAX_DELAY

    @property
    def has_trouble(self) -> bool:
        lag = self.poll_lag or timedelta()
        return bool(
            self.connection.failures
            or self.refused_keys
            or self.moved_keys
            or self.stuck
            or lag > self.connection.key_poll_timeout
        )


def health_of(connections: list[Connection]) -> dict[int, ConnectionHealth]:
    """Return the health of each connection by its id, with the same few queries for any number."""
    now = timezone.now()
    keys: dict[int, list[ProviderKey]] = {connection.pk: [] for connection in connections}
    by_pk = {connection.pk: connection for connection in connections}
    stored = ProviderKey.objects.filter(connection__in=connections).exclude(ciphertext="")
    for key in stored:
        key.connection = by_pk[key.connection_id]
        keys[key.connection_id].append(key)
    answered = _by_connection(
        ProviderKey.objects.filter(connection__in=connections), "connection", Max("last_used_at")
    )
    due = KeyPoll.objects.due(now).filter(key__connection__in=connections)
    polls = _by_connection(due, "key__connection", Min("next_check_at"))
    # By project, as the index of batches by status begins with it; few batches are unfinished.
    batches = Batch.objects.filter(project__in=Project.objects.all()).unfinished()
    open_rows = ProviderBatch.objects.exclude(status__in=ProviderBatch.OVER)
    open_rows = open_rows.filter(batch__in=batches.filter(connection__in=connections))
    refused = open_rows.filter(parked_reason="", problem__isnull=False)
    waiting = _by_connection(refused, "batch__connection", Count("pk"))
    stuck = _by_connection(open_rows.needing_attention(), "batch__connection", Count("pk"))
    return {
        pk: ConnectionHealth(
            connection=connection,
            now=now,
            keys=len(keys[pk]),
            refused_keys=sum(key.is_refused for key in keys[pk]),
            moved_keys=sum(not key.is_readable for key in keys[pk]),
            last_answer_at=answered.get(pk),
            poll_lag=max(timedelta(), now - polls[pk]) if pk in polls else None,
            waiting=waiting.get(pk, 0),
            stuck=stuck.get(pk, 0),
        )
        for pk, connection in by_pk.items()
    }


def _by_connection(rows: Any, name: str, value: Any) -> dict[int, Any]:
    return dict(rows.order_by().values(name).annotate(value=value).values_list(name, "value"))
