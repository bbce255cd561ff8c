"""Before the fourth room: whose turn it is at a provider that takes only so many at a time."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Max, Q
from django.utils import timezone

from batchapp.models import Connection, ProviderBatch

THERE = (ProviderBatch.Status.RUNNING, ProviderBatch.Status.HARVESTING)
TO_BE_RETRIED_IN_PLACE = Q(retried_in_place_at=None) & (
    Q(status=ProviderBatch.Status.RETRYING_IN_PLACE)
    | Q(
        status=ProviderBatch.Status.NEEDS_ATTENTION,
        stopped_in_status=ProviderBatch.Status.RETRYING_IN_PLACE,
    )
)
"""What has ended over there and is to run again; nobody has asked for it yet."""

SOON, PER_QUEUE_POSITION, LATEST = (
    timedelta(seconds=30),
    timedelta(seconds=2),
    timedelta(minutes=10),
)
"""When one that waits asks again. Whoever is admitted is woken: this is for wake-ups lost."""

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

WaitingBatch = tuple[UUID, UUID]
"""A part and its project."""


def has_slot(provider_batch: ProviderBatch) -> bool:
    """Whether ``part`` may be submitted; one that may be at the provider is looked for there."""
    connection = provider_batch.batch.connection
    if connection.max_active is None or provider_batch.batch.is_stop_requested:
        return True
    if not ProviderBatch.objects.filter(_needs_slot(connection), pk=provider_batch.pk).exists():
        return True
    provider_batch.refresh_from_db(fields=["slot_assigned_at"])
    return provider_batch.slot_assigned_at is not None


def assign_free_slots(connection: Connection) -> list[ProviderBatch]:
    """Give what places are free at ``connection`` to parts that wait, and make these due.

    Two at once never give the same place away: the first UPDATE makes one wait for the other.
    """
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(max_active=F("max_active"))
        connection.refresh_from_db(fields=["max_active"])
        if connection.max_active is None:
            return []
        _clear_unused_slots(connection)
        free = max(0, connection.max_active - _count_used_slots(connection))
        turns = _turns(connection, _waiting_for_slot(connection)) if free else iter(())
        chosen = [pk for pk, _ in itertools.islice(turns, free)]
        now = timezone.now()
        admitted = ProviderBatch.objects.filter(_needs_slot(connection), pk__in=chosen)
        # Also of one that is being put off at this moment: see ``wait``.
        admitted.update(slot_assigned_at=now, next_check_at=now)
        return list(ProviderBatch.objects.filter(pk__in=chosen, slot_assigned_at=now))


def wait_for_slot(provider_batch: ProviderBatch) -> None:
    """Let ``part`` wait for its turn, and say why and how long the queue before it is.

    Raises:
        StaleRow: another worker has it now; nothing was written.
    """
    connection = provider_batch.batch.connection
    order = [pk for pk, _ in _turns(connection, _waiting_for_slot(connection))]
    before = order.index(provider_batch.pk) if provider_batch.pk in order else len(order)
    provider_batch.postpone(
        min(SOON + before * PER_QUEUE_POSITION, LATEST),
        failures=0,
        trouble=f"Waiting for a free place at {connection}: {_used_slots_text(connection)} "
        f"{_queue_text(before)}",
    )
    # Whoever admitted it in between has its next turn overwritten by the line above.
    ProviderBatch.objects.filter(pk=provider_batch.pk, slot_assigned_at__isnull=False).update(
        next_check_at=timezone.now()
    )


def release_slot(provider_batch: ProviderBatch, pause: timedelta, reason: str) -> None:
    """Leave the place of ``part`` to others for ``pause``: its provider has no room for it.

    Raises:
        StaleRow: another worker has it now; nothing was written.
    """
    connection = provider_batch.batch.connection
    said = f" ({connection} said: {reason})" if reason else ""
    provider_batch.postpone(
        pause,
        slot_assigned_at=None,
        failures=provider_batch.failures + 1,
        trouble=f"{connection} has no room for it just now. Nothing is lost; the portal keeps "
        f"trying.{said}",
    )


def holds_slot(connection: Connection) -> Q:
    """Which parts take a place at ``connection``.

    Those of before there were places are there without having been admitted. One that has ended
    over there and waits for a person needs none, however long that takes.
    """
    there = _at_provider(connection)
    is_admitted = Q(slot_assigned_at__isnull=False)
    return (
        Q(status__in=THERE)
        | (
            Q(there, status=ProviderBatch.Status.NEEDS_ATTENTION, ended_at=None)
            & ~TO_BE_RETRIED_IN_PLACE
        )
        | Q(there | is_admitted, status=ProviderBatch.Status.WAITING)
        | Q(~TO_BE_RETRIED_IN_PLACE | is_admitted, status=ProviderBatch.Status.RETRYING_IN_PLACE)
    )


def _at_provider(connection: Connection) -> Q:
    """What is there, or was tried so lately that it may be; later it was looked for in vain."""
    grace = timedelta(seconds=connection.create_grace_seconds)
    return ~Q(remote_id="") | Q(create_attempted_at__gt=timezone.now() - grace)


def _needs_slot(connection: Connection) -> Q:
    """Which parts need a place before they go on."""
    is_waiting = Q(status=ProviderBatch.Status.WAITING) & ~_at_provider(connection)
    return is_waiting | (TO_BE_RETRIED_IN_PLACE & Q(status=ProviderBatch.Status.RETRYING_IN_PLACE))


def _clear_unused_slots(connection: Connection) -> None:
    """One that stopped before it got there comes back to the end of the queue."""
    left = ProviderBatch.objects.filter(
        batch__connection=connection, status__in=ProviderBatch.STOPPED
    )
    left = left.filter(~_at_provider(connection) | TO_BE_RETRIED_IN_PLACE)
    left.exclude(slot_assigned_at=None).update(slot_assigned_at=None)


def _count_used_slots(connection: Connection) -> int:
    return ProviderBatch.objects.filter(
        holds_slot(connection), batch__connection=connection
    ).count()


def _waiting_for_slot(connection: Connection) -> Sequence[WaitingBatch]:
    """Those who could go, the oldest batch first; one that was turned away waits its time out."""
    now = timezone.now()
    able = ProviderBatch.objects.filter(
        Q(failures=0) | Q(next_check_at__lte=now) | Q(leased_until__gt=now),
        _needs_slot(connection),
        batch__connection=connection,
        batch__cancel_requested_at=None,
        batch__pause_requested_at=None,
        slot_assigned_at=None,
    )
    ordered = able.order_by("batch__created_at", "batch", "number")
    return list(ordered.values_list("pk", "batch__project"))


def _turns(connection: Connection, waiting: Sequence[WaitingBatch]) -> Iterator[WaitingBatch]:
    """``waiting`` in the order of their turns, fair among projects.

    The next place goes to the project with the fewest, then to the one whose last turn is
    longest ago, then to the one whose batch has waited longest.
    """
    queues: dict[UUID, list[WaitingBatch]] = {}
    for each in reversed(waiting):
        queues.setdefault(each[1], []).append(each)
    if len(queues) < 2:
        yield from waiting
        return
    age = {each[0]: number for number, each in enumerate(waiting)}
    places, last = _history(connection, list(queues))
    given: Counter[UUID] = Counter()
    for turn in itertools.count(1):
        if not queues:
            return
        project = min(queues, key=lambda p: (places[p], given[p], last[p], age[queues[p][-1][0]]))
        yield queues[project].pop()
        places[project] += 1
        given[project] = turn
        if not queues[project]:
            del queues[project]


def _history(
    connection: Connection, projects: list[UUID]
) -> tuple[Counter[UUID], dict[UUID, datetime]]:
    """Project -> how many places it has, and when it was last given one."""
    asked = ProviderBatch.objects.filter(batch__connection=connection, batch__project__in=projects)
    by_project = asked.order_by().values("batch__project")
    holding = by_project.filter(holds_slot(connection)).annotate(number=Count("pk"))
    places = Counter({row["batch__project"]: row["number"] for row in holding})
    admitted = by_project.annotate(last=Max("slot_assigned_at"))
    return places, {row["batch__project"]: row["last"] or LONG_AGO for row in admitted}


def _used_slots_text(connection: Connection) -> str:
    taken, most = _count_used_slots(connection), connection.max_active or 0
    return f"{taken:,} of {most:,} {'batch is' if most == 1 else 'batches are'} there."


def _queue_text(before: int) -> str:
    if not before:
        return "It is next."
    return "1 is before it." if before == 1 else f"{before:,} are before it."
