"""Exports: files of the results of a batch, written for a person, and deleted after some days."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar, Self

import msgspec
from django.db import IntegrityError, models, transaction

from batchapp.domain.results.export_settings import ExportSettings
from batchapp.models.batches.batch import Batch
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.fields.problem_field import ProblemField
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User

RETENTION = timedelta(days=7)  # of the file; the row stays and says how to write the file again


class ExportQuerySet(LeasedRowQuerySet["Export"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the exports of the projects of ``user``; views use no other way to reach one."""
        return self.filter(batch__project__in=Project.objects.visible_to(user))

    def insert_once(self, export: "Export") -> "Export":
        """Insert ``export``, or return the stored one that has its primary key.

        The key is the form's submission id, so a form that is sent twice makes one export.
        """
        if stored := self.filter(pk=export.pk).first():
            return stored
        try:
            with transaction.atomic():
                export.save(force_insert=True)
        except IntegrityError:
            if stored := self.filter(pk=export.pk).first():
                return stored
            raise
        return export


ExportManager = models.Manager.from_queryset(ExportQuerySet)


def blob_name(export: "Export", filename: str) -> str:
    return f"exports/{export.batch_id}/{export.pk}-{filename}"


class Export(LeasedRow):
    """One file of results of a batch: what a person chose, and the file while it is kept.

    The file is deleted at ``expires_at``. It can be written again at any time, with the results
    that the batch has then.
    """

    class Status(models.TextChoices):
        WRITING = "writing", "Being written"
        READY = "ready", "Ready"
        FAILED = "failed", "Not written"
        EXPIRED = "expired", "Expired"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.WRITING: {Status.READY, Status.FAILED},
        Status.READY: {Status.EXPIRED, Status.WRITING},
        Status.FAILED: {Status.WRITING},
        Status.EXPIRED: {Status.WRITING},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.FAILED, Status.EXPIRED}
    LONGEST_DELAYS: ClassVar[dict[str, timedelta]] = {Status.READY: RETENTION + timedelta(days=1)}
    PAST_TIMES: ClassVar[tuple[str, ...]] = ("finished_at",)
    NO_FILE: ClassVar[dict[str, Any]] = {"blob": "", "size": 0, "sha256": "", "expires_at": None}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(Batch, models.CASCADE, related_name="exports")
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    format = models.CharField(max_length=10, help_text="A code of ``FORMATS``.")
    settings_fields = models.JSONField(default=dict, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.WRITING)
    rows = models.PositiveIntegerField(default=0, help_text="Written so far.")
    total = models.PositiveIntegerField(null=True, help_text="Rows in all, once they are counted.")
    is_partial = models.BooleanField(default=False, help_text="The batch was not over.")
    blob = models.FileField(max_length=200, upload_to=blob_name, blank=True)
    size = models.PositiveBigIntegerField(default=0, help_text="In bytes.")
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    problem = ProblemField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)

    objects = ExportManager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["batch", "-created_at"], name="export_list")]

    def __str__(self) -> str:
        return f"{self.format} of {self.batch_id}"

    @property
    def settings(self) -> ExportSettings:
        return msgspec.convert(self.settings_fields, ExportSettings)
