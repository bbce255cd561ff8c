"""Batches as the team orders them."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.batch_labels import MAX_COST_CENTRE_LENGTH, Labels
from batchapp.domain.money.approval_policy import MAX_APPROVAL_DAYS
from batchapp.domain.refused import Refusal, Refused
from batchapp.models.batches.tag import BatchTag, Tag
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.files.upload import Upload
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User, portal_key_of
from batchapp.models.portal_keys.portal_key import PortalKey
from batchapp.models.providers.connection import Connection
from batchapp.models.providers.provider_key import ProviderKey

FOLLOW_UP_PERIOD = timedelta(minutes=15)  # time after its end in which a batch may still change


def must_send_pause(requested_at: datetime | None, sent_at: datetime | None) -> bool:
    """Return True if a pause was requested since ``sent_at``, the last confirmed stop."""
    return requested_at is not None and (sent_at is None or sent_at <= requested_at)


class BatchQuerySet(LeasedRowQuerySet["Batch"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the batches that ``user`` may see; views use no other way to reach a batch."""
        return self.filter(project__in=Project.objects.visible_to(user))

    def unfinished(self) -> Self:
        return self.filter(status__in=Batch.UNFINISHED)

    def count_for(self, name: str) -> Coalesce:
        """Return how many of the batches have the row of the outer query as their ``name``.

        Unlike a join, the subquery reads an index alone.
        """
        same = self.filter(**{name: models.OuterRef("pk")}).order_by().values(name)
        number = same.annotate(number=models.Count("*")).values("number")
        return Coalesce(models.Subquery(number), 0)


BatchManager = models.Manager.from_queryset(BatchQuerySet)


class Batch(LeasedRow):
    """One file of requests, followed from the order to its results and its cost.

    A batch consists of provider batches, and is over when all of them are and its tokens and cost
    are added up. ``model_costs`` keep the prices as they were at the time of the order.
    """

    class Status(models.TextChoices):
        AWAITING_APPROVAL = "awaiting_approval", "Awaiting approval"
        RUNNING = "running", "Running"
        SETTLING = "settling", "Adding up"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    OVER: ClassVar[set[str]] = {Status.COMPLETED, Status.FAILED, Status.CANCELLED}
    UNFINISHED: ClassVar[set[str]] = {*(Status.AWAITING_APPROVAL, Status.RUNNING, Status.SETTLING)}
    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        # Also to be cancelled: the portal writes the results of its requests first.
        Status.AWAITING_APPROVAL: {Status.RUNNING},
        Status.RUNNING: {Status.SETTLING},
        Status.SETTLING: OVER,
        # Failed requests can be retried in place.
        Status.COMPLETED: {Status.RUNNING},
        Status.FAILED: {Status.RUNNING},
        Status.CANCELLED: {Status.RUNNING},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = OVER
    LONGEST_DELAYS: ClassVar[dict[str, timedelta]] = {
        # The pauses before the billed cost is asked for grow to a day, and once more.
        **dict.fromkeys(OVER, timedelta(days=3)),
        Status.AWAITING_APPROVAL: timedelta(days=MAX_APPROVAL_DAYS + 1),
    }
    STATE_FIELDS: ClassVar[tuple[str, ...]] = (*LeasedRow.STATE_FIELDS, "purged_at")
    PAST_TIMES: ClassVar[tuple[str, ...]] = ("created_at", "finished_at")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Each of the indexes below begins with a foreign key, which needs no other.
    project = models.ForeignKey(Project, models.PROTECT, related_name="batches", db_index=False)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="batches")
    key = models.ForeignKey(ProviderKey, models.PROTECT, related_name="batches", db_index=False)
    upload = models.ForeignKey(Upload, models.PROTECT, related_name="batches", db_index=False)
    created_by = models.ForeignKey(User, models.PROTECT, related_name="batches")
    portal_key = models.ForeignKey(
        PortalKey,
        models.SET_NULL,
        null=True,
        related_name="batches",
        db_index=False,
        help_text="By which it was ordered; empty for an order on a page or by a command.",
    )
    submission = models.UUIDField(
        default=uuid.uuid4,
        unique=True,
        editable=False,
        help_text="Comes from the order form: one form makes one batch.",
    )
    name = models.CharField(max_length=200)
    endpoint = models.CharField(max_length=100)
    cost_centre = models.CharField(max_length=MAX_COST_CENTRE_LENGTH, blank=True)
    tags = models.ManyToManyField(Tag, through=BatchTag, related_name="batches")
    window = models.CharField("completion window", max_length=20)
    fallback_window = models.CharField(
        max_length=20, blank=True, help_text="Used if the provider has no room in the first."
    )
    parent = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="retries",
        db_index=False,
    )
    metadata = models.JSONField(
        null=True, help_text="Texts by name, as the script that ordered it sent them."
    )
    status = models.CharField(max_length=20, choices=Status, default=Status.RUNNING)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    pause_requested_at = models.DateTimeField(null=True)
    held_at = models.DateTimeField(
        null=True, help_text="Its requests and answers are kept, whatever the project's rule says."
    )
    purged_at = models.DateTimeField(
        null=True, help_text="From then on nobody can see its requests and answers."
    )

    requests = models.PositiveIntegerField(help_text="Sent, and paid for if they are answered.")
    sent_first = models.PositiveIntegerField(
        default=0,
        help_text="Requests that go before the others, so that these read prompts from the cache.",
    )
    reused = models.PositiveIntegerField(
        default=0, help_text="Requests that were not sent: another result has their answer."
    )
    succeeded = models.PositiveIntegerField(default=0)
    usable = models.PositiveIntegerField(
        default=0,
        help_text="Answers that were not cut short, refused, empty or of a wrong form.",
    )
    failed = models.PositiveIntegerField(default=0)
    cancelled = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    improved = models.PositiveIntegerField(
        null=True, help_text="Of a retry: requests that ended better than before."
    )
    repeated = models.PositiveIntegerField(
        null=True, help_text="Of a retry: requests that failed with the same error as before."
    )
    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    estimated_cost_usd = MoneyField(null=True)
    actual_cost_usd = MoneyField(null=True)
    discrepancy = models.JSONField(
        default=list,
        help_text="The counts of provider batches whose provider and results differ.",
    )
    billed_cost_usd = MoneyField(null=True, help_text="The provider's own sum, if it reports one.")
    billed_list_cost_usd = MoneyField(
        null=True, help_text="That sum as it would be if no prompt had been cached."
    )
    billed_answers = models.PositiveBigIntegerField(
        null=True,
        help_text="Answers in that sum, by the provider's count; more after a crash there.",
    )

    # Set on the batch of an order that had been placed before.
    was_ordered_before = False

    objects = BatchManager()

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "batches"
        indexes = [
            models.Index(fields=["project", "-created_at"], name="batch_list"),
            models.Index(fields=["project", "status"], name="batch_by_status"),
            models.Index(fields=["key", "status"], name="batch_by_key"),
            models.Index(fields=["upload", "-created_at"], name="batch_by_file"),
            # A report reads the ends of all projects, and nothing else of a batch.
            models.Index(
                fields=["finished_at", "project", "connection", "id"], name="batch_by_end"
            ),
            # Few batches are retries. An index of all would look useless in the statistics.
            models.Index(
                fields=["parent"], name="batch_retries", condition=models.Q(parent__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("batch_detail", args=[self.pk])

    @property
    def labels(self) -> Labels:
        return Labels(tuple(sorted(tag.name for tag in self.tags.all())), self.cost_centre)

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER

    @property
    def doubtful(self) -> int:
        """Return how many answers may not be of use; 0 until the batch is over."""
        return self.succeeded - self.usable

    def require_content(self) -> None:
        """Raise ``Refused`` if the requests and answers of the batch were deleted.

        Ask this wherever they are shown, downloaded or run again. ``purge`` has the details.
        """
        if self.purged_at is not None:
            raise Refused(
                Refusal.BATCH_PURGED,
                batch=self.name,
                at=self.purged_at.isoformat(),
                days=self.purge.days,
                person=str(self.purge.requested_by or ""),
            )

    def require_allowed_models(self, user: AnyUser) -> None:
        """Raise ``Refused`` if ``user`` acts by a portal key that does not allow a model of it."""
        portal_key = portal_key_of(user)
        if portal_key and portal_key.model_names:
            portal_key.require_models(self.model_costs.values_list("model", flat=True))

    @property
    def is_stop_requested(self) -> bool:
        """Return True if a person asked to cancel or to pause the batch."""
        return bool(self.cancel_requested_at or self.pause_requested_at)

    def reload_requested_stops(self) -> None:
        """Read again if people want the batch stopped: the call before may have taken minutes."""
        self.refresh_from_db(fields=["cancel_requested_at", "pause_requested_at"])

    def needs_pause_sent(self, sent_at: datetime | None) -> bool:
        """Return True if a pause was requested since ``sent_at``, the last confirmed stop."""
        return not self.cancel_requested_at and must_send_pause(self.pause_requested_at, sent_at)

    @property
    def may_still_change(self) -> bool:
        """Return True if cancelled requests may still be answered, or a duplicate may appear."""
        if not self.is_over or self.finished_at is None:
            return False
        if timezone.now() - self.finished_at >= FOLLOW_UP_PERIOD:
            return False
        doubtful = self.provider_batches.filter(may_have_duplicate=True)
        return bool(self.cancelled) or doubtful.exists()

    def billed_too_many(self) -> tuple[int, int] | None:
        """Return the number of answers that were billed and of those that came, if fewer came.

        A provider that crashes may run requests again, and bill both answers. It bills answers
        with a status 2xx only, also those that hold an error.
        """
        billed = self.billed_answers or 0
        if billed <= self.succeeded:
            return None
        came = self.results.filter(status_code__gte=200, status_code__lt=300).count()
        return (billed, came) if billed > came else None

    def return_to_running(self, **fields: Any) -> None:
        """Set the batch back to running, as if it had not ended, and write ``fields``.

        What it has spent counts as reserved until it ends again. Call this in a transaction.
        """
        self.move_to(
            Batch.Status.RUNNING,
            next_check_at=None,
            finished_at=None,
            billed_cost_usd=None,
            billed_list_cost_usd=None,
            billed_answers=None,
            pause_requested_at=None,
            discrepancy=[],
            **fields,
        )
        self.reservations.reserve_spent()

    @property
    def is_accounted_for(self) -> bool:
        """Return True if every request ended in an answer or an error."""
        return self.is_over and self.succeeded + self.failed == self.requests
