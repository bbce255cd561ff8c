"""The deletion of what a batch was asked and answered; its counts, cost and events stay."""

from datetime import timedelta
from typing import ClassVar

from django.db import models

from batchapp.models.batches.batch import Batch
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.people.project import Project
from batchapp.models.people.user import User

CHECK_INTERVAL = timedelta(hours=1)  # between two looks at what a project has kept long enough
# Between the time from which no page shows the content and its deletion: downloads that run can
# end meanwhile.
DOWNLOAD_GRACE = timedelta(minutes=15)


class RetentionRule(LeasedRow):
    """The time that a project keeps requests and answers; without a rule it keeps them forever.

    A worker looks for batches and files that are older, hour by hour.
    """

    class Status(models.TextChoices):
        WATCHING = "watching", "Watching"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {Status.WATCHING: set()}

    project = models.OneToOneField(
        Project, models.CASCADE, primary_key=True, related_name="retention_rule", editable=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.WATCHING)
    days = models.PositiveIntegerField(
        help_text="Since the end of a batch and its retries, or the upload of an unused file."
    )

    objects = models.Manager.from_queryset(LeasedRowQuerySet["RetentionRule"])()

    def __str__(self) -> str:
        return f"{self.project} keeps requests and answers for {self.days} days"


class Purge(LeasedRow):
    """The deletion of the requests and answers of one batch; once done, its tombstone.

    From the creation of this row on, which sets ``Batch.purged_at``, no page shows the content.
    """

    class Status(models.TextChoices):
        DELETING = "deleting", "Being deleted"
        DONE = "done", "Deleted"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {Status.DELETING: {Status.DONE}}

    batch = models.OneToOneField(
        Batch, models.CASCADE, primary_key=True, related_name="purge", editable=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.DELETING)
    days = models.PositiveIntegerField(
        null=True, help_text="Of the rule of the project; empty if a person asked."
    )
    requested_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    files = models.PositiveIntegerField(default=0)
    bytes = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    objects = models.Manager.from_queryset(LeasedRowQuerySet["Purge"])()

    def __str__(self) -> str:
        return f"deletion of the content of {self.batch}"
