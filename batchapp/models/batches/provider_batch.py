"""Provider batches: the batches at the provider that one batch consists of."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone

from batchapp.models.batches.batch import Batch
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.fields.problem_field import ProblemField
from batchapp.models.providers.connection import Connection
from batchapp.models.providers.provider_key import ProviderKey
from batchapp.providers.json_values import MAX_ID_LENGTH

# The metadata entry in which a batch at the provider carries the token of its provider batch.
TOKEN_KEY = "portal_submission"  # noqa: S105  # no secret


def provider_batch_id_of(token: str) -> uuid.UUID | None:
    """Return the id of the provider batch that ``token`` names; None for a foreign token."""
    try:
        return uuid.UUID(hex=token)
    except ValueError:
        return None


def maybe_at_provider(connection: Connection) -> Q:
    """Match provider batches that have, or may have, a batch at the provider.

    After the grace period of an unconfirmed create, a search has shown that it made no batch.
    """
    since = timezone.now() - connection.create_grace
    return ~Q(remote_id="") | Q(create_attempted_at__gt=since)


class ProviderBatchQuerySet(LeasedRowQuerySet["ProviderBatch"]):
    def active(self, *statuses: str) -> Self:
        """Return the rows in one of ``statuses`` that are not parked."""
        return self.filter(status__in=statuses, parked_reason="")

    def needing_attention(self) -> Self:
        return self.filter(parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)

    def _free(self, now: datetime) -> Q:
        """Match the rows without a valid lease; no worker takes a parked row."""
        return super()._free(now) & Q(parked_reason="")

    def start_settling(self, **filters: object) -> int:
        """Move running batches whose provider batches are all over to settling; count them.

        Provider batches that end at the same moment start settling once.
        """
        unfinished = ProviderBatch.objects.filter(batch=models.OuterRef("pk")).exclude(
            status__in=ProviderBatch.OVER
        )
        ended = Batch.objects.filter(
            ~models.Exists(unfinished), status=Batch.Status.RUNNING, **filters
        )
        with transaction.atomic():
            # This UPDATE takes the row lock and may have to wait for it; the second UPDATE then
            # reads anew which provider batches are over.
            if not ended.update(status=F("status")):
                return 0
            return ended.update(status=Batch.Status.SETTLING, next_check_at=timezone.now())


ProviderBatchManager = models.Manager.from_queryset(ProviderBatchQuerySet)


class ProviderBatch(LeasedRow):
    """One batch at the provider: its progress, and where to continue after a crash.

    Every step is recorded before the next one begins. ``create_attempted_at`` is set before the
    one call that costs money. If the outcome of the call is unknown, ``create_attempted_at`` moves
    to the end of the call; only if certainly nothing was created does it get its old value back.
    """

    class Status(models.TextChoices):
        PREPARING = "preparing", "Preparing"
        WAITING = "waiting", "Waiting to submit"
        RUNNING = "running", "Running at the provider"
        HARVESTING = "harvesting", "Fetching results"
        RETRYING_IN_PLACE = "retrying_in_place", "Being retried in place"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    class Parked(models.TextChoices):
        """The reasons why no worker moves a row that is not over; the row keeps its status."""

        PAUSED = "paused", "Paused"
        NEEDS_ATTENTION = "needs_attention", "Needs attention"

    AT_PROVIDER: ClassVar[set[str]] = {Status.RUNNING, Status.HARVESTING}  # and to be paid
    OVER: ClassVar[set[str]] = {Status.DONE, Status.CANCELLED}
    INCOMPLETE_ENDS: ClassVar[set[str]] = {"cancelled", "expired"}  # of ``remote_status``
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = OVER
    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.PREPARING: {Status.WAITING, Status.RUNNING, Status.CANCELLED},
        Status.WAITING: {Status.RUNNING, Status.CANCELLED},
        Status.RUNNING: {Status.HARVESTING, Status.CANCELLED, Status.WAITING},
        Status.HARVESTING: {
            *(Status.RUNNING, Status.DONE, Status.RETRYING_IN_PLACE, Status.CANCELLED)
        },
        Status.RETRYING_IN_PLACE: {Status.RUNNING, Status.DONE, Status.CANCELLED},
        Status.DONE: {Status.RETRYING_IN_PLACE, Status.RUNNING},
        Status.CANCELLED: {Status.RETRYING_IN_PLACE, Status.RUNNING},
    }
    # Written when the provider has given a usable answer.
    NO_PROBLEM: ClassVar[dict[str, Any]] = {"failures": 0, "refused_since": None, "problem": None}
    STATE_FIELDS: ClassVar[tuple[str, ...]] = (*LeasedRow.STATE_FIELDS, "parked_reason")
    PAST_TIMES: ClassVar[tuple[str, ...]] = (
        *("refused_since", "create_attempted_at", "retried_in_place_at", "polled_at", "ended_at"),
        *("cancel_sent_at", "pause_sent_at"),
    )

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="provider_batches")
    number = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=20, choices=Status, default=Status.PREPARING)
    parked_reason = models.CharField(
        max_length=20,
        choices=Parked,
        blank=True,
        help_text="Why no worker moves it: it waits until a person decides.",
    )
    problem = ProblemField(null=True, help_text="Why the provider batch waits.")
    failures = models.PositiveIntegerField(
        default=0, help_text="Calls in a row without a usable answer."
    )
    refused_since = models.DateTimeField(
        null=True, help_text="Of refusals in a row that may be temporary, the time of the first."
    )
    resumed_at = models.DateTimeField(
        null=True, help_text="When a person last let the parked row go on."
    )

    starts_at = models.PositiveBigIntegerField(default=0, help_text="First byte in the file.")
    size = models.PositiveBigIntegerField(
        null=True, help_text="In bytes; empty until the file is split."
    )
    only_model = models.CharField(
        max_length=200,
        blank=True,
        help_text="Of the lines of its part of the file, only those of this model; empty: all.",
    )
    slot_assigned_at = models.DateTimeField(
        null=True, help_text="When a slot at the provider was assigned."
    )

    remote_file_id = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    remote_id = models.CharField(max_length=MAX_ID_LENGTH, blank=True, db_index=True)
    upload_attempted_at = models.DateTimeField(null=True)
    create_attempted_at = models.DateTimeField(null=True)
    may_have_duplicate = models.BooleanField(
        default=False, help_text="An earlier create was never confirmed, and its batch never seen."
    )
    is_create_unreadable = models.BooleanField(
        default=False, help_text="A create was answered as done, but without a batch to follow."
    )
    cancel_sent_at = models.DateTimeField(null=True)
    pause_sent_at = models.DateTimeField(null=True)
    retried_in_place_at = models.DateTimeField(
        null=True, help_text="Reads may come from a replica that does not know of it yet."
    )
    submitted_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    polled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(
        null=True, help_text="When we saw that the provider had finished."
    )
    remote_status = models.CharField(max_length=50, blank=True)
    output_file_id = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    error_file_id = models.CharField(max_length=MAX_ID_LENGTH, blank=True)

    total = models.PositiveIntegerField(default=0)
    completed = models.PositiveBigIntegerField(default=0, help_text="By the provider's count.")
    failed = models.PositiveBigIntegerField(default=0, help_text="By the provider's count.")
    marks = models.JSONField(
        default=list, help_text="Progress: pairs of a Unix time and the number of ended requests."
    )
    output_lines = models.PositiveIntegerField(default=0, help_text="Read so far, for ?skip=")
    error_lines = models.PositiveIntegerField(default=0, help_text="Read so far, for ?skip=")
    rereads = models.PositiveSmallIntegerField(default=0)

    objects = ProviderBatchManager()

    class Meta:
        ordering = ["batch", "number"]
        verbose_name_plural = "provider batches"
        constraints = [
            models.UniqueConstraint("batch", "number", name="one_provider_batch_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.batch}, provider batch {self.number}"

    @property
    def connection(self) -> Connection:
        return self.batch.connection

    @property
    def key(self) -> ProviderKey:
        return self.batch.key

    @property
    def token(self) -> str:
        """Return the row's name at the provider, in hex: ``_`` and ``%`` are wildcards there."""
        return self.pk.hex

    @property
    def was_sent(self) -> bool:
        """Return True if the provider was asked to create a batch, even if no reply ever came."""
        return bool(self.remote_id or self.create_attempted_at)

    @property
    def is_running_there(self) -> bool:
        """Return True until the provider has finished; results may be fetched before."""
        return self.status in self.AT_PROVIDER and not (self.ended_at or self.parked_reason)

    @property
    def status_label(self) -> str:
        """Return the name of the status, or why the row is parked, as pages say it."""
        return self.get_parked_reason_display() or self.get_status_display()

    @property
    def is_not_at_provider(self) -> bool:
        """Return True if nothing can be running at the provider, so we need not ask there."""
        if self.status == self.Status.RETRYING_IN_PLACE:
            return self.retried_in_place_at is None
        return not self.was_sent

    @property
    def replica_lag(self) -> timedelta:
        """Return how long a replica at the provider may not know of the retry in place yet."""
        if self.retried_in_place_at is None or self.ended_at:
            return timedelta()
        known_at = self.retried_in_place_at + self.connection.create_grace
        return max(timedelta(), known_at - timezone.now())

    @property
    def read_again_at(self) -> datetime | None:
        """Return when to read the results again after the end; the pauses double.

        The third reading comes ``create_grace_seconds`` after the end, when all replicas of the
        provider should be up to date.
        """
        pause = self.connection.create_grace * (2**self.rereads - 1) / 7
        return self.ended_at and self.ended_at + pause

    @property
    def stop_sent_at(self) -> datetime | None:
        """Return when the provider was last told to stop the batch."""
        return max(filter(None, (self.cancel_sent_at, self.pause_sent_at)), default=None)

    @property
    def can_retry_in_place(self) -> bool:
        """Return True if the provider has the batch, and had begun with it."""
        is_unstarted = self.remote_status == "cancelling" and self.ended_at is not None
        return bool(self.remote_id) and not is_unstarted

    @property
    def ignores_cancel(self) -> bool:
        """Return True if the provider was told to cancel the batch but still runs it."""
        is_stopping = self.remote_status in {"cancelling", "cancelled"}
        return bool(self.status == self.Status.RUNNING and self.cancel_sent_at) and not is_stopping

    @property
    def can_cancel_locally(self) -> bool:
        """Return True if we can cancel without asking the provider.

        A provider batch that is being prepared cannot be cancelled yet: its results are written
        first, so that its requests can be retried.
        """
        is_prepared = self.status != self.Status.PREPARING
        return bool(self.batch.cancel_requested_at) and self.is_not_at_provider and is_prepared

    @property
    def can_pause_locally(self) -> bool:
        """Return True if we can pause without asking the provider."""
        return bool(self.batch.pause_requested_at) and self.is_not_at_provider

    def pause(self) -> bool:
        """Pause until the batch is resumed; False if no pause is requested any more.

        Raises:
            StaleRow: see ``record``.
        """
        batch = Batch.objects.filter(
            pk=self.batch_id, cancel_requested_at=None, pause_requested_at__isnull=False
        )
        with transaction.atomic():
            # The UPDATE locks the batch: a person resumes either before or after, and then finds
            # this provider batch paused.
            if not batch.update(status=F("status")):
                return False
            self.park(self.Parked.PAUSED, slot_assigned_at=None, **self.NO_PROBLEM)
        return True

    def park(self, reason: Parked, **fields: Any) -> None:
        """Let the row wait for a person in its present status, and return the lease.

        Raises:
            StaleRow: see ``record``.
        """
        self.rest(parked_reason=reason, **fields)

    def unpark(self, **fields: Any) -> None:
        """Make a parked row due again, in the status that it has.

        ``refused_since`` stays: the person waits for the answer, so the next refusal counts.

        Raises:
            StaleRow: see ``record``.
        """
        now = timezone.now()
        fields |= {"failures": 0, "problem": None, "resumed_at": now, "next_check_at": now}
        self.record(parked_reason="", **fields)

    def move_to(self, status: str, **fields: Any) -> None:
        """Change the status as ``LeasedRow`` does; the row is parked no more."""
        super().move_to(status, parked_reason="", **fields)
