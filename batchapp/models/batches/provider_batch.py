"""The parts of a batch, as the provider sees them."""

import uuid
from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models, transaction
from django.db.models import F
from django.utils import timezone

from batchapp.models.batches.batch import Batch
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet

TOKEN_KEY = "portal_submission"  # noqa: S105  # the name of a metadata entry
"""Under it a provider's batch carries the token of the part that it is."""


def provider_batch_id_of(token: str) -> uuid.UUID | None:
    """The id of the part that ``token`` names; None if it is no such token."""
    try:
        return uuid.UUID(hex=token)
    except ValueError:
        return None


class ProviderBatchQuerySet(LeasedRowQuerySet["ProviderBatch"]):
    def needing_attention(self) -> Self:
        return self.filter(status=ProviderBatch.Status.NEEDS_ATTENTION)

    def end_batches(self, **which: object) -> int:
        """Hand over to settling the batches no part of which is under way; how many.

        A conditional UPDATE, so parts that end together hand their batch over once. The lock is
        taken by another before it, which may have to wait: what is under way is looked at anew.
        """
        under_way = ProviderBatch.objects.filter(batch=models.OuterRef("pk")).exclude(
            status__in=ProviderBatch.OVER
        )
        running = Batch.objects.filter(
            ~models.Exists(under_way), status=Batch.Status.RUNNING, **which
        )
        with transaction.atomic():
            if not running.update(status=F("status")):
                return 0
            return running.update(status=Batch.Status.SETTLING, next_check_at=timezone.now())


ProviderBatchManager = models.Manager.from_queryset(ProviderBatchQuerySet)


class ProviderBatch(LeasedRow):
    """One provider-side batch: how far it got, and where to go on after a crash.

    Every step is written down before the next begins. ``create_attempted_at`` is set before the
    one call that costs money, moved to its end if that is in doubt, and taken back only when it
    is certain that nothing was created.
    """

    class Status(models.TextChoices):
        PREPARING = "preparing", "Preparing"
        WAITING = "waiting", "Waiting to submit"
        RUNNING = "running", "Running at the provider"
        HARVESTING = "harvesting", "Fetching results"
        PAUSED = "paused", "Paused"
        RETRYING_IN_PLACE = "retrying_in_place", "Being reopened at the provider"
        NEEDS_ATTENTION = "needs_attention", "Needs attention"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"

    OVER: ClassVar[set[str]] = {Status.DONE, Status.CANCELLED}
    STOPPED: ClassVar[set[str]] = {Status.NEEDS_ATTENTION, Status.PAUSED}
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = STOPPED | OVER
    LEAVES: ClassVar[set[str]] = {Status.CANCELLED, Status.NEEDS_ATTENTION}
    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.PREPARING: {Status.WAITING, Status.RUNNING, Status.PAUSED} | LEAVES,
        Status.WAITING: {Status.RUNNING, Status.PAUSED} | LEAVES,
        Status.RUNNING: {Status.HARVESTING, Status.PAUSED} | LEAVES,
        Status.HARVESTING: {Status.RUNNING, Status.DONE, Status.PAUSED, Status.RETRYING_IN_PLACE}
        | LEAVES,
        Status.RETRYING_IN_PLACE: {Status.RUNNING, Status.PAUSED, Status.DONE} | LEAVES,
        Status.PAUSED: {
            Status.PREPARING,
            Status.WAITING,
            Status.RUNNING,
            Status.RETRYING_IN_PLACE,
            Status.CANCELLED,
        },
        Status.NEEDS_ATTENTION: {
            Status.PREPARING,
            Status.WAITING,
            Status.RUNNING,
            Status.HARVESTING,
            Status.RETRYING_IN_PLACE,
            Status.CANCELLED,
        },
        Status.DONE: {Status.RETRYING_IN_PLACE, Status.RUNNING},
        Status.CANCELLED: {Status.RETRYING_IN_PLACE, Status.RUNNING},
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="provider_batches")
    number = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=20, choices=Status, default=Status.PREPARING)
    stopped_in_status = models.CharField(
        max_length=20, blank=True, help_text="The status it goes back to after attention."
    )
    trouble = models.TextField(
        blank=True, help_text="Why it waits, as a sentence with the next step."
    )
    failures = models.PositiveIntegerField(
        default=0, help_text="Times in a row that the provider gave no usable answer."
    )

    starts_at = models.PositiveBigIntegerField(default=0, help_text="The byte of the file.")
    size = models.PositiveBigIntegerField(
        null=True, help_text="In bytes; empty until the file is divided among the parts."
    )
    slot_assigned_at = models.DateTimeField(
        null=True, help_text="Since when it has a place at the provider."
    )

    remote_file_id = models.CharField(max_length=200, blank=True)
    remote_id = models.CharField(max_length=200, blank=True, db_index=True)
    upload_attempted_at = models.DateTimeField(null=True)
    create_attempted_at = models.DateTimeField(null=True)
    may_have_duplicate = models.BooleanField(
        default=False, help_text="A create before the last was never confirmed, nor seen."
    )
    cancel_sent_at = models.DateTimeField(null=True)
    pause_sent_at = models.DateTimeField(null=True)
    retried_in_place_at = models.DateTimeField(
        null=True, help_text="Reads may come from a replica that has not heard of it yet."
    )
    submitted_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    polled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="When the provider was seen to be done.")
    remote_status = models.CharField(max_length=50, blank=True)
    output_file_id = models.CharField(max_length=200, blank=True)
    error_file_id = models.CharField(max_length=200, blank=True)

    total = models.PositiveIntegerField(default=0)
    completed = models.PositiveBigIntegerField(default=0, help_text="By the provider's count.")
    failed = models.PositiveBigIntegerField(default=0, help_text="By the provider's count.")
    marks = models.JSONField(
        default=list, help_text="How many had ended when: pairs of a Unix time and a count."
    )
    output_lines = models.PositiveIntegerField(default=0, help_text="Read so far, for ?skip=")
    error_lines = models.PositiveIntegerField(default=0, help_text="Read so far, for ?skip=")
    rereads = models.PositiveSmallIntegerField(default=0)

    objects = ProviderBatchManager()

    class Meta:
        ordering = ["batch", "number"]
        constraints = [
            models.UniqueConstraint("batch", "number", name="one_provider_batch_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.batch}, part {self.number}"

    @property
    def token(self) -> str:
        """What names this part at the provider: hex, since ``_`` and ``%`` are wildcards there."""
        return self.pk.hex

    @property
    def may_be_at_provider(self) -> bool:
        """Whether a batch of it exists over there, as far as we know."""
        return bool(self.remote_id or self.create_attempted_at)

    @property
    def is_not_at_provider(self) -> bool:
        """Whether nothing of it can be running over there, so that no provider has to be asked."""
        if self.status == self.Status.RETRYING_IN_PLACE:
            return self.retried_in_place_at is None
        return not self.may_be_at_provider

    @property
    def replica_lag(self) -> timedelta:
        """How long its provider may still say "over" because it has not heard of the reopening."""
        if self.retried_in_place_at is None or self.ended_at:
            return timedelta()
        grace = timedelta(seconds=self.batch.connection.create_grace_seconds)
        return max(timedelta(), self.retried_in_place_at + grace - timezone.now())

    @property
    def read_again_at(self) -> datetime | None:
        """From when its results are worth another look after the end, at growing distances.

        The third look comes when the provider's copies have had ``create_grace_seconds`` to
        catch up.
        """
        grace = timedelta(seconds=self.batch.connection.create_grace_seconds)
        return self.ended_at and self.ended_at + grace * (2**self.rereads - 1) / 7

    @property
    def ignores_cancel(self) -> bool:
        """Whether its provider was told to cancel it, and goes on with it all the same."""
        is_stopping = self.remote_status in {"cancelling", "cancelled"}
        return bool(self.status == self.Status.RUNNING and self.cancel_sent_at) and not is_stopping

    @property
    def can_cancel_locally(self) -> bool:
        """Whether it can be cancelled without asking a provider; its ledger is written before."""
        is_written = self.status != self.Status.PREPARING
        return bool(self.batch.cancel_requested_at) and self.is_not_at_provider and is_written

    @property
    def can_pause_locally(self) -> bool:
        """Whether it can be paused without asking a provider."""
        return bool(self.batch.pause_requested_at) and self.is_not_at_provider

    def pause(self) -> bool:
        """Pause it until its batch is resumed; False if that is not wished any more.

        Whoever resumes the batch comes before this or after it, so that no part stays behind.

        Raises:
            StaleRow: see ``record``.
        """
        wished = Batch.objects.filter(pk=self.batch_id, cancel_requested_at=None)
        goes_back = self.status in {self.Status.PREPARING, self.Status.WAITING}
        with transaction.atomic():
            if not wished.exclude(pause_requested_at=None).update(status=F("status")):
                return False
            self.move_to(
                self.Status.PAUSED,
                stopped_in_status=self.status if goes_back else self.Status.RUNNING,
                slot_assigned_at=None,
                failures=0,
                trouble="",
            )
        return True
