"""The results of a batch in columns: a copy for search, distributions, sorting and exports."""

from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.utils import timezone
from django.utils.crypto import get_random_string

from batchapp.models.batches.batch import Batch
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet

UNUSED_PERIOD = timedelta(days=30)  # without a reader, after which the copy is deleted


class ResultColumnsQuerySet(LeasedRowQuerySet["ResultColumns"]):
    def of(self, batch: Batch) -> Self:
        return self.filter(batch=batch)


ResultColumnsManager = models.Manager.from_queryset(ResultColumnsQuerySet)


def columns_name(columns: "ResultColumns", filename: str) -> str:
    return f"columns/{columns.batch_id}-{get_random_string(8)}.duckdb"


class ResultColumns(LeasedRow):
    """The columns file of one batch: a DuckDB database of its results, for fast questions.

    The truth stays in the rows of results and in the stored bytes: the file can be deleted at any
    time and is built again from them. ``built_from`` names the state of the batch that the file
    shows; a file of an older state is complete in itself, and only out of date.
    """

    class Status(models.TextChoices):
        BUILDING = "building", "Being built"
        READY = "ready", "Ready"
        DELETED = "deleted", "Deleted"
        FAILED = "failed", "Could not be built"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.BUILDING: {Status.READY, Status.FAILED},
        Status.READY: {Status.BUILDING, Status.DELETED},
        Status.DELETED: {Status.BUILDING},
        Status.FAILED: {Status.BUILDING},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.DELETED, Status.FAILED}
    LONGEST_DELAYS: ClassVar[dict[str, timedelta]] = {
        Status.READY: UNUSED_PERIOD + timedelta(days=1)
    }
    PAST_TIMES: ClassVar[tuple[str, ...]] = ("used_at", "built_at")

    batch = models.OneToOneField(
        Batch, models.CASCADE, primary_key=True, related_name="result_columns"
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.BUILDING)
    blob = models.FileField(max_length=200, upload_to=columns_name, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text="In bytes.")
    built_from = models.CharField(max_length=200, blank=True)
    built_at = models.DateTimeField(null=True)
    build_seconds = models.FloatField(default=0, help_text="Time that the last build took.")
    lines_done = models.PositiveIntegerField(default=0, help_text="Progress of the build.")
    used_at = models.DateTimeField(default=timezone.now)

    objects = ResultColumnsManager()

    class Meta:
        verbose_name_plural = "result columns"

    def __str__(self) -> str:
        return f"columns of {self.batch_id}"

    @staticmethod
    def restart_retention() -> dict[str, Any]:
        """Return the fields to write whenever a person uses the file."""
        now = timezone.now()
        return {"used_at": now, "next_check_at": now + UNUSED_PERIOD}
