"""Assign the slots of a provider that takes only a limited number of batches at a time."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Max, Q
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Connection, ProviderBatch
from batchapp.models.batches.provider_batch import maybe_at_provider
from batchapp.services.lifecycle.first_requests import waits_for_first

Status = ProviderBatch.Status

# Provider batches that ended, are to be retried in place, and wait for the call that asks for it.
TO_BE_RETRIED_IN_PLACE = Q(status=Status.RETRYING_IN_PLACE, retried_in_place_at=None)
# Time until a waiting provider batch checks again, and more for each one ahead, up to a maximum.
# An assigned slot wakes its provider batch; these checks only replace lost messages.
FIRST_CHECK_AFTER = timedelta(seconds=30)
CHECK_DELAY_PER_POSITION = timedelta(seconds=2)
MAX_CHECK_DELAY = timedelta(minutes=10)

NEVER = datetime(1970, 1, 1, tzinfo=UTC)  # last assignment of a project that never had a slot

WaitingBatch = tuple[UUID, UUID]  # id of a provider batch, id of its project


def has_slot(provider_batch: ProviderBatch) -> bool:
    """Return True if the provider batch may be sent.

    A provider batch that may already be at the provider needs no new slot.
    """
    connection = provider_batch.connection
    if connection.max_active is None or provider_batch.batch.is_stop_requested:
        return True
    if not ProviderBatch.objects.filter(_needs_slot(connection), pk=provider_batch.pk).exists():
        return True
    provider_batch.refresh_from_db(fields=["slot_assigned_at"])
    return provider_batch.slot_assigned_at is not None


def assign_free_slots(connection: Connection) -> list[ProviderBatch]:
    """Assign the free slots of ``connection`` to waiting provider batches, and make these due.

    Two workers never assign the same slot: the first UPDATE locks the connection.
    """
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(max_active=F("max_active"))
        connection.refresh_from_db(fields=["max_active"])
        if connection.max_active is None:
            return []
        _clear_unused_slots(connection)
        free = max(0, connection.max_active - _count_used_slots(connection))
        queue = _in_turn(connection, _waiting_for_slot(connection)) if free else iter(())
        next_pks = [pk for pk, _ in itertools.islice(queue, free)]
        now = timezone.now()
        waiting = ProviderBatch.objects.filter(_needs_slot(connection), pk__in=next_pks)
        # Also if a worker postpones the provider batch at this moment: see ``wait_for_slot``.
        waiting.update(slot_assigned_at=now, next_check_at=now)
        return list(ProviderBatch.objects.filter(pk__in=next_pks, slot_assigned_at=now))


def wait_for_slot(provider_batch: ProviderBatch) -> None:
    """Postpone the provider batch until it has a slot, and record its place in the queue.

    Raises:
        StaleRow: another worker has the row; nothing was written.
    """
    connection = provider_batch.connection
    queue = [pk for pk, _ in _in_turn(connection, _waiting_for_slot(connection))]
    ahead = queue.index(provider_batch.pk) if provider_batch.pk in queue else len(queue)
    data = {
        "connection": connection.name,
        "used": _count_used_slots(connection),
        "slots": connection.max_active or 0,
        "ahead": ahead,
    }
    provider_batch.postpone(
        min(FIRST_CHECK_AFTER + ahead * CHECK_DELAY_PER_POSITION, MAX_CHECK_DELAY),
        **ProviderBatch.NO_PROBLEM | {"problem": Problem(ProblemCode.NO_SLOT, data)},
    )
    # A worker that assigned a slot in between made the row due; the line above has undone that.
    ProviderBatch.objects.filter(pk=provider_batch.pk, slot_assigned_at__isnull=False).update(
        next_check_at=timezone.now()
    )


def release_slot(provider_batch: ProviderBatch, pause: timedelta, said: str) -> None:
    """Leave the slot to others for ``pause``, because the provider has ``said`` it has no room.

    Raises:
        StaleRow: another worker has the row; nothing was written.
    """
    data = {"connection": provider_batch.connection.name, "said": said}
    provider_batch.postpone(
        pause,
        slot_assigned_at=None,
        failures=provider_batch.failures + 1,
        refused_since=None,
        problem=Problem(ProblemCode.NO_CAPACITY, data),
    )


def holds_slot(connection: Connection) -> Q:
    """Return a filter for the provider batches that use a slot of ``connection``.

    A provider batch that was sent before the connection had slots uses one without an assignment.
    A provider batch that has ended at the provider and waits for a person uses none.
    """
    at_provider, assigned = maybe_at_provider(connection), Q(slot_assigned_at__isnull=False)
    is_stuck = Q(parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    is_active = Q(parked_reason="") & (
        Q(status__in=ProviderBatch.AT_PROVIDER)
        | Q(at_provider | assigned, status=Status.WAITING)
        | Q(~TO_BE_RETRIED_IN_PLACE | assigned, status=Status.RETRYING_IN_PLACE)
    )
    return is_active | (is_stuck & at_provider & Q(ended_at=None) & ~TO_BE_RETRIED_IN_PLACE)


def _needs_slot(connection: Connection) -> Q:
    """Return a filter for the provider batches that need a slot before their next step."""
    is_waiting = Q(status=Status.WAITING) & ~maybe_at_provider(connection)
    return Q(parked_reason="") & (is_waiting | TO_BE_RETRIED_IN_PLACE)


def _clear_unused_slots(connection: Connection) -> None:
    """Take the slots of provider batches that stopped unsent; they queue again from the end."""
    unsent = ProviderBatch.objects.filter(
        ~maybe_at_provider(connection) | TO_BE_RETRIED_IN_PLACE, batch__connection=connection
    )
    unsent = unsent.exclude(parked_reason="")
    unsent.exclude(slot_assigned_at=None).update(slot_assigned_at=None)


def _count_used_slots(connection: Connection) -> int:
    used = ProviderBatch.objects.filter(holds_slot(connection), batch__connection=connection)
    return used.count()


def _waiting_for_slot(connection: Connection) -> Sequence[WaitingBatch]:
    """Return the provider batches that could take a slot now, those of the oldest batch first.

    A provider batch that the provider turned away is left out until its pause is over, and one
    that waits for the first requests of its batch until these are answered.
    """
    now = timezone.now()
    waiting = ProviderBatch.objects.filter(
        Q(failures=0) | Q(next_check_at__lte=now) | Q(leased_until__gt=now),
        _needs_slot(connection),
        ~waits_for_first(),
        batch__connection=connection,
        batch__cancel_requested_at=None,
        batch__pause_requested_at=None,
        slot_assigned_at=None,
    )
    ordered = waiting.order_by("batch__created_at", "batch", "number")
    return list(ordered.values_list("pk", "batch__project"))


def _in_turn(connection: Connection, waiting: Sequence[WaitingBatch]) -> Iterator[WaitingBatch]:
    """Order ``waiting`` by the turn in which slots are assigned, fairly among projects.

    The next slot goes to the project with the fewest slots; among equals to the project whose last
    assignment is longest ago; then to the project whose batch has waited longest.
    """
    queues: dict[UUID, list[WaitingBatch]] = {}
    for pk, project in reversed(waiting):
        queues.setdefault(project, []).append((pk, project))
    if len(queues) < 2:
        yield from waiting
        return
    positions = {pk: position for position, (pk, _) in enumerate(waiting)}
    slots, last_assigned = _slots_of_projects(connection, list(queues))
    last_turn: Counter[UUID] = Counter()
    for turn in itertools.count(1):
        if not queues:
            return
        project = min(
            queues,
            key=lambda p: (slots[p], last_turn[p], last_assigned[p], positions[queues[p][-1][0]]),
        )
        yield queues[project].pop()
        slots[project] += 1
        last_turn[project] = turn
        if not queues[project]:
            del queues[project]


def _slots_of_projects(
    connection: Connection, projects: list[UUID]
) -> tuple[Counter[UUID], dict[UUID, datetime]]:
    """Return, by project, the number of its slots and the time of its last assignment."""
    rows = ProviderBatch.objects.filter(batch__connection=connection, batch__project__in=projects)
    by_project = rows.order_by().values("batch__project")
    counts = by_project.filter(holds_slot(connection)).annotate(number=Count("pk"))
    slots = Counter({row["batch__project"]: row["number"] for row in counts})
    assignments = by_project.annotate(last=Max("slot_assigned_at"))
    return slots, {row["batch__project"]: row["last"] or NEVER for row in assignments}
