"""Batches as a person sees them."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.urls import reverse
from django.utils import timezone

from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.files.upload import Upload
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User
from batchapp.models.providers.connection import Connection
from batchapp.models.providers.provider_key import ProviderKey

LOOKED_AFTER = timedelta(minutes=15)
"""How long a batch is looked at after its end, where more may become of it."""


class BatchQuerySet(LeasedRowQuerySet["Batch"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Batches of the projects ``user`` is in: the only door from a request to a row."""
        return self.filter(project__in=Project.objects.visible_to(user))

    def unfinished(self) -> Self:
        return self.exclude(status__in=Batch.OVER)


BatchManager = models.Manager.from_queryset(BatchQuerySet)


class Batch(LeasedRow):
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
        return reverse("batch_detail", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER

    @property
    def is_stop_requested(self) -> bool:
        """Whether nothing more should begin to run, for now or for good."""
        return bool(self.cancel_requested_at or self.pause_requested_at)

    def needs_pause_sent(self, sent_at: datetime | None) -> bool:
        """Whether a pause was asked for, and the provider was not surely told to stop since."""
        asked_at = self.pause_requested_at
        if asked_at is None or self.cancel_requested_at:
            return False
        return sent_at is None or sent_at <= asked_at

    @property
    def may_still_change(self) -> bool:
        """Whether requests in flight at a cancellation may yet be answered, or a twin turn up."""
        if not self.is_over or self.finished_at is None:
            return False
        if timezone.now() - self.finished_at >= LOOKED_AFTER:
            return False
        return (
            bool(self.cancelled) or self.provider_batches.filter(may_have_duplicate=True).exists()
        )

    def return_to_running(self, **fields: Any) -> None:
        """Go back to running, as if it had not ended; ``fields`` are written with it."""
        self.move_to(
            Batch.Status.RUNNING,
            next_check_at=None,
            finished_at=None,
            billed_cost_usd=None,
            pause_requested_at=None,
            discrepancy="",
            **fields,
        )

    @property
    def is_accounted_for(self) -> bool:
        """Whether every request ended in an answer or an error."""
        return self.is_over and self.succeeded + self.failed == self.requests
