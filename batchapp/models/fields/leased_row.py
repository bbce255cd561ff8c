"""Base class of the rows that workers move: a lease keeps two workers from moving one row."""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

Row = TypeVar("Row", bound="LeasedRow")

# A row is not due again for this long after its message; then the message counts as lost.
WAKE_INTERVAL = timedelta(seconds=10)
RENEWAL_SECONDS = 2.0  # between two lease renewals at least, however often a step reports
MAX_LEASES = 6  # of ``settings.LEASE`` in one renewal
# A time beyond these limits was written by a clock that ran ahead, so it does not count.
MAX_LEASE = (MAX_LEASES + 1) * settings.LEASE
MAX_DELAY = timedelta(hours=1, minutes=30)  # the longest wait a provider may ask for, and jitter


class StaleRow(Exception):
    """Another worker, or a person, changed the row first; nothing was written."""


class LeasedRowQuerySet(models.QuerySet[Row]):
    def due(self, now: datetime) -> Self:
        """Return the rows that a worker should move now."""
        return self.filter(self._free(now), self._due(now))

    def claim(self, pk: Any, status: str, *, by: datetime | None = None) -> Row | None:
        """Lease one row for this worker; None if the row is gone, moved, leased or not due.

        With ``by``, only a row whose ``next_check_at`` is not later counts as due; without ``by``,
        every row that has a ``next_check_at``.
        """
        # A conditional UPDATE works alike on SQLite, which ignores ``select_for_update``, and on
        # PostgreSQL, and leaves no transaction open during the calls to the provider.
        now = timezone.now()
        due = self._due(by) if by else Q(next_check_at__isnull=False)
        won = self.filter(self._free(now), due, pk=pk, status=status).update(
            leased_until=now + settings.LEASE, claims=F("claims") + 1
        )
        if not won:
            return None
        row = self.get(pk=pk)
        try:
            row.correct_future_times(now)
        except StaleRow:
            return None
        return row

    def lease(self, pk: Any, statuses: Iterable[str]) -> Row | None:
        """Lease a row that is in one of ``statuses`` for work outside its steps, due or not.

        Returns None if the row is gone, moved or leased.
        """
        now = timezone.now()
        free = self.filter(self._free(now), pk=pk, status__in=list(statuses))
        return self.get(pk=pk) if free.update(leased_until=now + settings.LEASE) else None

    def _free(self, now: datetime) -> Q:
        """Match the rows without a valid lease."""
        is_expired = Q(leased_until__lt=now) | Q(leased_until__gt=now + MAX_LEASE)
        return Q(leased_until=None) | is_expired

    def _due(self, now: datetime) -> Q:
        """Match the rows whose time has come, or lies so far ahead that it must be wrong."""
        longest = self.model.LONGEST_DELAYS
        too_late = Q(next_check_at__gt=now + MAX_DELAY) & ~Q(status__in=longest)
        for status, delay in longest.items():
            too_late |= Q(next_check_at__gt=now + delay, status=status)
        # By the first condition SQLite leaves out, in the index, the many rows without a time.
        return Q(next_check_at__isnull=False) & (Q(next_check_at__lte=now) | too_late)


class LeasedRow(models.Model):
    """A row that is always in exactly one status, and that at most one worker moves at a time.

    ``status``, ``leased_until`` and ``next_check_at`` are written only by ``claim`` and the
    methods below. Each is one UPDATE that succeeds only if the row is still as we loaded it.
    ``leased_until`` is lock, heartbeat and fencing token in one column.
    """

    status: Any
    objects: Any
    TRANSITIONS: ClassVar[dict[str, set[str]]]
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = set()
    STATE_FIELDS: ClassVar[tuple[str, ...]] = ("status", "leased_until")
    # By status: the longest delay that a step may set, where that is more than ``MAX_DELAY``.
    LONGEST_DELAYS: ClassVar[dict[str, timedelta]] = {}
    # Fields that say, by our clock, when something happened.
    PAST_TIMES: ClassVar[tuple[str, ...]] = ()

    next_check_at = models.DateTimeField(
        null=True, editable=False, db_index=True, help_text="Empty: only a person moves it."
    )
    leased_until = models.DateTimeField(null=True, editable=False)
    claims = models.PositiveIntegerField(
        default=0,
        editable=False,
        help_text="Claims since the lease was last returned: counts crashes.",
    )

    class Meta:
        abstract = True

    @property
    def row_kind(self) -> str:
        """Return the name of the model, by which a message names the kind of a row."""
        return self._meta.model_name or ""

    def correct_future_times(self, now: datetime) -> None:
        """Write ``now`` for past times that lie ahead, which a clock that ran ahead has written.

        Otherwise a pause since such a time would last until the clock is there again.

        Raises:
            StaleRow: see ``record``.
        """
        times = {name: getattr(self, name) for name in self.PAST_TIMES}
        if future := {name: now for name, time in times.items() if time and time > now}:
            self.record(**future)

    def record(self, **fields: Any) -> None:
        """Write ``fields`` if the row still has the state and the lease that we loaded.

        The lease in the condition keeps a worker whose lease ran out from overwriting the work of
        the next worker.

        Raises:
            StaleRow: the row has changed; nothing was written.
        """
        if next_check_at := fields.get("next_check_at"):
            # A later time would not count.
            status = fields.get("status", self.status)
            latest = timezone.now() + self.LONGEST_DELAYS.get(status, MAX_DELAY)
            fields["next_check_at"] = min(next_check_at, latest)
        manager: Any = type(self)._default_manager
        unchanged = {name: getattr(self, name) for name in self.STATE_FIELDS}
        if not manager.filter(pk=self.pk, **unchanged).update(**fields):
            raise StaleRow(f"{self._meta.model_name} {self.pk}")
        for name, value in fields.items():
            setattr(self, name, value)

    def renew_lease(self, *, leases: int = 1, **fields: Any) -> None:
        """Renew the lease for ``settings.LEASE``, or ``leases`` times that before a long call.

        ``claims`` is not reset: a step may crash after its renewal every time.

        Raises:
            StaleRow: see ``record``.
        """
        self.record(leased_until=timezone.now() + leases * settings.LEASE, **fields)

    def end_lease(self) -> None:
        """Return the lease, and change nothing else.

        Raises:
            StaleRow: see ``record``.
        """
        self.record(leased_until=None)

    def lease_renewer(self, progress_field: str = "") -> Callable[[int], None]:
        """Return a progress callback that renews the lease, every two seconds at most.

        With ``progress_field``, it also writes what it is called with.
        """
        renewed = time.monotonic()

        def renew(done: int) -> None:
            nonlocal renewed
            if time.monotonic() - renewed > RENEWAL_SECONDS:
                self.renew_lease(**({progress_field: done} if progress_field else {}))
                renewed = time.monotonic()

        return renew

    def move_to(self, status: str, **fields: Any) -> None:
        """Change the status, write ``fields`` and return the lease, all in one UPDATE.

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
        """Return the lease and make the row due after ``delay``; the status stays.

        Raises:
            StaleRow: see ``record``.
        """
        self.record(next_check_at=timezone.now() + delay, leased_until=None, claims=0, **fields)

    def rest(self, **fields: Any) -> None:
        """Return the lease; the row is not due again until a person or another row makes it due.

        Raises:
            StaleRow: see ``record``.
        """
        self.record(next_check_at=None, leased_until=None, claims=0, **fields)
