"""Batches as a person sees them, and their parts as the provider sees them."""

import uuid
from typing import ClassVar, Self

from django.db import models
from django.urls import reverse
from django.utils import timezone

from batchapp.models.connection import Connection
from batchapp.models.key import ProviderKey
from batchapp.models.leased import Leased, LeasedQuerySet
from batchapp.models.money import MoneyField
from batchapp.models.project import Project
from batchapp.models.upload import Upload
from batchapp.models.user import AnyUser, User


class BatchQuerySet(LeasedQuerySet["Batch"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Batches of the projects ``user`` is in: the only door from a request to a row."""
        return self.filter(project__in=Project.objects.visible_to(user))

    def unfinished(self) -> Self:
        return self.exclude(status__in=Batch.OVER)

    def begin_settling(self, **which: object) -> int:
        """Hand over the batches no part of which is under way; how many.

        One conditional UPDATE, so parts that end together hand their batch over once.
        """
        under_way = Part.objects.filter(batch=models.OuterRef("pk")).exclude(status__in=Part.OVER)
        running = self.filter(~models.Exists(under_way), status=Batch.Status.RUNNING, **which)
        return running.update(status=Batch.Status.SETTLING, next_check_at=timezone.now())


BatchManager = models.Manager.from_queryset(BatchQuerySet)


class Batch(Leased):
    """One file of requests on its way to results and their cost.

    What the provider knows of it is in its parts; it is over when all of them are and the sums
    have been drawn. The prices it was shown are frozen in its charges.
    """

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        SETTLING = "settling", "Adding up"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OVER: ClassVar[set[str]] = {Status.COMPLETED, Status.FAILED, Status.CANCELLED}
    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.RUNNING: {Status.SETTLING},
        Status.SETTLING: OVER,
        # What ended can be reopened.
        Status.COMPLETED: {Status.RUNNING},
        Status.FAILED: {Status.RUNNING},
        Status.CANCELLED: {Status.RUNNING},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = OVER

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="batches")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="batches")
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="batches")
    upload = models.ForeignKey(Upload, models.PROTECT, related_name="batches")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="batches")
    submission = models.UUIDField(
        default=uuid.uuid4, unique=True, editable=False, help_text="Made with the form: one batch."
    )
    name = models.CharField(max_length=200)
    endpoint = models.CharField(max_length=100)
    window = models.CharField("completion window", max_length=20)
    fallback_window = models.CharField(
        max_length=20, blank=True, help_text="Where it goes if the provider has no room for it."
    )
    parent = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="retries"
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    pause_requested_at = models.DateTimeField(null=True)

    requests = models.PositiveIntegerField()
    succeeded = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    estimated_cost_usd = MoneyField(null=True)
    actual_cost_usd = MoneyField(null=True)
    discrepancy = models.TextField(
        blank=True, help_text="Where the provider's counts and the results disagree, in words."
    )
    billed_cost_usd = MoneyField(null=True, help_text="The provider's own sum, if it says one.")

    objects = BatchManager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "-created_at"], name="batch_list")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("batch", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER

    @property
    def is_accounted_for(self) -> bool:
        """Whether every request ended in an answer or an error."""
        return self.is_over and self.succeeded + self.failed == self.requests


class PartQuerySet(LeasedQuerySet["Part"]):
    def needing_attention(self) -> Self:
        return self.filter(status=Part.Status.NEEDS_ATTENTION)


PartManager = models.Manager.from_queryset(PartQuerySet)


class Part(Leased):
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
        REOPENING = "reopening", "Being reopened at the provider"
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
        Status.HARVESTING: {Status.RUNNING, Status.DONE, Status.PAUSED} | LEAVES,
        Status.REOPENING: {Status.RUNNING, Status.PAUSED} | LEAVES,
        Status.PAUSED: {Status.PREPARING, Status.WAITING, Status.REOPENING, Status.CANCELLED},
        Status.NEEDS_ATTENTION: {
            Status.PREPARING,
            Status.WAITING,
            Status.RUNNING,
            Status.HARVESTING,
            Status.REOPENING,
            Status.CANCELLED,
        },
        Status.DONE: {Status.REOPENING, Status.RUNNING},
        Status.CANCELLED: {Status.REOPENING, Status.RUNNING},
    }

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="parts")
    number = models.PositiveSmallIntegerField(default=1)
    status = models.CharField(max_length=20, choices=Status, default=Status.PREPARING)
    stopped_in = models.CharField(
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
    admitted_at = models.DateTimeField(
        null=True, help_text="Since when it has a place at the provider."
    )

    upstream_file_id = models.CharField(max_length=200, blank=True)
    upstream_id = models.CharField(max_length=200, blank=True)
    upload_attempted_at = models.DateTimeField(null=True)
    create_attempted_at = models.DateTimeField(null=True)
    may_have_twin = models.BooleanField(
        default=False, help_text="A create before the last was never confirmed, nor seen."
    )
    cancel_sent_at = models.DateTimeField(null=True)
    pause_sent_at = models.DateTimeField(null=True)
    reopened_at = models.DateTimeField(
        null=True, help_text="Reads may come from a replica that has not heard of it yet."
    )
    submitted_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    polled_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True, help_text="When the provider was seen to be done.")
    upstream_status = models.CharField(max_length=50, blank=True)
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

    objects = PartManager()

    class Meta:
        ordering = ["batch", "number"]
        constraints = [models.UniqueConstraint("batch", "number", name="one_part_per_number")]

    def __str__(self) -> str:
        return f"{self.batch}, part {self.number}"

    @property
    def token(self) -> str:
        """What names this part at the provider: hex, since ``_`` and ``%`` are wildcards there."""
        return self.pk.hex

    @property
    def may_be_at_provider(self) -> bool:
        """Whether a batch of it exists over there, as far as we know."""
        return bool(self.upstream_id or self.create_attempted_at)

    @property
    def is_called_off(self) -> bool:
        """Whether it can be cancelled without asking a provider."""
        return bool(self.batch.cancel_requested_at) and not self.may_be_at_provider
