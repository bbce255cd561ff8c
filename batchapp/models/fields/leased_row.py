"""Rows that workers move: one column is lock, heartbeat and fencing token."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

Row = TypeVar("Row", bound="LeasedRow")

WAKE_AGAIN = timedelta(seconds=10)
"""After which a message that nobody acted on is taken for lost; until then its row is not due."""

RENEW_EVERY = 2.0
"""Seconds between two signs of life from a step that is told of its progress more often."""


class StaleRow(Exception):
    """Another worker, or a person, changed the row first; nothing was written."""


class LeasedRowQuerySet(models.QuerySet[Row]):
    def due(self, now: datetime) -> Self:
        """Rows that some worker should look at now."""
        return self.filter(_free(now), next_check_at__lte=now)

    def claim(self, pk: Any, status: str, *, by: datetime | None = None) -> Row | None:
        """Lease one row for this worker; None if it is gone, moved on, held, or not due.

        With ``by``, it is due if its time comes by then; without, whenever its time comes.

        A conditional UPDATE rather than ``select_for_update``: it means the same on SQLite and
        PostgreSQL, and no transaction stays open while the provider is spoken to.
        """
        now = timezone.now()
        due = Q(next_check_at__lte=by) if by else Q(next_check_at__isnull=False)
        won = self.filter(_free(now), due, pk=pk, status=status).update(
            leased_until=now + settings.LEASE, claims=F("claims") + 1
        )
        return self.get(pk=pk) if won else None


class LeasedRow(models.Model):
    """A row that is always in exactly one status, and is worked on by at most one worker.

    ``status``, ``leased_until`` and ``next_check_at`` are written only through ``claim`` and the
    methods below; each of these is one UPDATE on condition that the row is as we loaded it.
    """

    status: Any
    objects: Any
    TRANSITIONS: ClassVar[dict[str, set[str]]]
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = set()

    next_check_at = models.DateTimeField(
        null=True, editable=False, db_index=True, help_text="Empty: nobody but a person moves it."
    )
    leased_until = models.DateTimeField(null=True, editable=False)
    claims = models.PositiveIntegerField(
        default=0, editable=False, help_text="Since it was last given back: counts crashes."
    )

    class Meta:
        abstract = True

    def record(self, **fields: Any) -> None:
        """Write ``fields`` if the row is still as we loaded it.

        The lease we hold is part of the condition: a worker that outlived its lease cannot
        overwrite its successor.

        Raises:
            StaleRow: it is not; nothing was written.
        """
        manager: Any = type(self)._default_manager
        rows = manager.filter(pk=self.pk, status=self.status, leased_until=self.leased_until)
        if not rows.update(**fields):
            raise StaleRow(f"{self._meta.model_name} {self.pk}")
        for name, value in fields.items():
            setattr(self, name, value)

    def renew_lease(self, *, leases: int = 1, **fields: Any) -> None:
        """Keep the lease for as long again, or ``leases`` times that before a long silence.

        ``claims`` goes on counting: a step may die after its sign of life every time.

        Raises:
            StaleRow: see ``record``.
        """
        self.record(leased_until=timezone.now() + leases * settings.LEASE, **fields)

    def lease_renewer(self) -> Callable[[int], None]:
        """Return what renews the lease when it is called, every two seconds at most."""
        said = time.monotonic()

        def progress(_done: int) -> None:
            nonlocal said
            if time.monotonic() - said > RENEW_EVERY:
                self.renew_lease()
                said = time.monotonic()

        return progress

    def move_to(self, status: str, **fields: Any) -> None:
        """Change status, set ``fields`` and give the lease back, all in one UPDATE.

        Raises:
            ValueError: ``TRANSITIONS`` forbids it; the caller has a bug.
            StaleRow: see ``record``.
        """
        if status not in self.TRANSITIONS.get(self.status, set()):
            raise ValueError(f"{self._meta.model_name} {self.pk}: {self.status} -> {status}")
        waits = status in self.WAITS_FOR_PEOPLE or not self.TRANSITIONS.get(status)
        fields.setdefault("next_check_at", None if waits else timezone.now())
        self.record(status=status, leased_until=None, claims=0, **fields)

    def postpone(self, delay: timedelta, **fields: Any) -> None:
        """Give the lease back and come again after ``delay``; the status stays.

        Raises:
            StaleRow: see ``record``.
        """
        self.record(next_check_at=timezone.now() + delay, leased_until=None, claims=0, **fields)


def _free(now: datetime) -> Q:
    return Q(leased_until=None) | Q(leased_until__lt=now)
