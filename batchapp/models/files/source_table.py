"""Tables from which files of requests are created."""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

import msgspec
from django.db import models
from django.db.models import Exists, F, OuterRef
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.tables.read_options import ReadOptions
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models.batches.batch import Batch
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.fields.problem_field import ProblemField
from batchapp.models.files.prompt_template import PromptTemplateVersion, prompt_settings_from
from batchapp.models.files.upload import Upload
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User

PROGRESS_ROWS = 500  # rows between two updates of the progress
RETENTION = timedelta(days=7)  # of a table that no batch uses; its files stay


class SourceTableQuerySet(LeasedRowQuerySet["SourceTable"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the tables of the projects of ``user``; every view must start from here."""
        return self.filter(project__in=Project.objects.visible_to(user))

    def without_batches(self) -> Self:
        """Leave out the tables of batches, whose results refer to the rows while they are kept."""
        batches = Batch.objects.filter(upload__table=OuterRef("pk"), purged_at=None)
        return self.filter(~Exists(batches))

    def resume_retention(self) -> int:
        """Make these tables due when their time without use is over, which may be now."""
        waiting = self.filter(status__in=self.model.LONGEST_DELAYS)
        return waiting.update(next_check_at=F("used_at") + RETENTION)

    def delete_with_content(self) -> int:
        """Delete these tables with their stored bytes, and return how many were deleted."""
        tables = list(self.only("blob", "cells"))
        deleted = self.model.objects.filter(pk__in=[table.pk for table in tables]).delete()[1]
        for table in tables:
            for content in (table.blob, table.cells):
                if content.name:
                    content.storage.delete(content.name)
        return deleted.get(self.model._meta.label, 0)


SourceTableManager = models.Manager.from_queryset(SourceTableQuerySet)


def sent_name(table: "SourceTable", filename: str) -> str:
    return f"tables/{table.project_id}/{table.pk}.sent"


def rows_name(table: "SourceTable", filename: str) -> str:
    return f"tables/{table.project_id}/{table.pk}.jsonl"


class SourceTable(LeasedRow):
    """A table as a person sent it, its rows, and the prompt settings for its requests.

    ``blob`` never changes; ``cells`` has the rows as JSON lists, one a line, once the table was
    read. While the table waits for a person, ``next_check_at`` is the time of its deletion: a
    table is deleted after ``RETENTION`` without use. A table of a batch is kept, with the rows as
    the batch has them, for as long as the batch with its results is.

    A table of answers has no ``blob``: ``answers_of`` is the batch, ``answer_filter`` says which
    of its results are the rows, and ``newest_chunk`` is the primary key of the newest stored
    results that it was made from.
    """

    class Status(models.TextChoices):
        READING = "reading", "Being read"
        KEPT = "kept", "Read"
        REFUSED = "refused", "Could not be read"
        MAKING = "making", "Creating requests"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.READING: {Status.KEPT, Status.REFUSED},
        Status.KEPT: {Status.READING, Status.MAKING},
        Status.REFUSED: {Status.READING},
        Status.MAKING: {Status.KEPT},
    }

    LONGEST_DELAYS: ClassVar[dict[str, timedelta]] = dict.fromkeys(
        (Status.KEPT, Status.REFUSED), RETENTION + timedelta(days=1)
    )
    PAST_TIMES: ClassVar[tuple[str, ...]] = ("used_at",)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="tables")
    created_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    requested_by = models.ForeignKey(
        User, models.PROTECT, null=True, related_name="+", help_text="Asked for the requests."
    )
    name = models.CharField(max_length=255)
    blob = models.FileField(upload_to=sent_name)
    cells = models.FileField(upload_to=rows_name, blank=True)
    size = models.PositiveBigIntegerField(help_text="Of ``blob``, in bytes.")
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    cells_sha256 = models.CharField(max_length=64, blank=True, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.READING)
    read_as = models.JSONField(default=list, help_text="Encoding, delimiter and sheet.")
    sheets = models.JSONField(default=list)
    columns = models.JSONField(default=list)
    renamed = models.JSONField(default=list)
    rows = models.PositiveIntegerField(default=0)
    ragged = models.PositiveIntegerField(default=0)
    error_cells = models.PositiveIntegerField(default=0)
    notices = models.JSONField(default=list, help_text="What a person must know of the rows.")
    problem = ProblemField(null=True)
    prompt_settings_fields = models.JSONField(null=True, editable=False)
    template_version = models.ForeignKey(
        PromptTemplateVersion,
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Last loaded.",
    )
    findings = models.JSONField(default=list, help_text="Of the last run: row and sentence.")
    finding_total = models.PositiveIntegerField(default=0)
    upload = models.ForeignKey(Upload, models.SET_NULL, null=True, related_name="+")
    answers_of = models.ForeignKey(
        Batch, models.SET_NULL, null=True, editable=False, related_name="answer_tables"
    )
    answer_filter = models.JSONField(null=True, editable=False)
    newest_chunk = models.PositiveBigIntegerField(null=True, editable=False)
    used_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SourceTableManager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("table_detail", args=[self.pk])

    @staticmethod
    def restart_retention() -> dict[str, datetime]:
        """Return the fields to write whenever a table is used."""
        now = timezone.now()
        return {"used_at": now, "next_check_at": now + RETENTION}

    @property
    def is_from_answers(self) -> bool:
        """Return True if the table was made from the results of a batch, which may be gone."""
        return self.answer_filter is not None

    @property
    def has_batches(self) -> bool:
        return Batch.objects.filter(upload__table=self, purged_at=None).exists()

    @property
    def read_options(self) -> ReadOptions:
        return ReadOptions(*self.read_as)

    @property
    def prompt_settings(self) -> PromptSettings | None:
        fields = self.prompt_settings_fields
        return prompt_settings_from(fields) if fields else None

    def open_rows(self) -> Iterator[dict[str, str]]:
        """Yield column -> cell for each row, in order; several readers may read at once."""
        decode = msgspec.json.Decoder(list[str]).decode
        with self.cells.storage.open(str(self.cells), "rb") as rows:
            for line in rows:
                yield dict(zip(self.columns, decode(line), strict=True))


class FileOrigin(models.Model):
    """The table name and prompt settings of a created file, and the ids that were replaced."""

    upload = models.OneToOneField(Upload, models.CASCADE, primary_key=True, related_name="origin")
    table_name = models.CharField(max_length=255)
    rows = models.PositiveIntegerField(help_text="Of the table.")
    skipped = models.PositiveIntegerField(help_text="Rows without a request, for an empty cell.")
    prompt_settings_fields: Any = models.JSONField(editable=False)
    version = models.ForeignKey(
        PromptTemplateVersion,
        models.SET_NULL,
        null=True,
        related_name="files",
        help_text="Unchanged.",
    )
    replaced = models.PositiveIntegerField(default=0, help_text="Number of ids in ``ids``.")
    ids = models.BinaryField(default=b"", help_text="zlib of a CSV: custom_id, id in the table.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.upload_id} from {self.table_name}"

    @property
    def prompt_settings(self) -> PromptSettings:
        return prompt_settings_from(self.prompt_settings_fields)
