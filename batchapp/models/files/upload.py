"""Files of requests, as a person sent them."""

import hashlib
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Self

import msgspec
from django.conf import settings
from django.core.files.base import File
from django.db import models
from django.urls import reverse

from batchapp.domain.corrections.corrected_file import Correction
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.results.retry_selection import Selection
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User

CHUNK = 1024 * 1024

REPORT_EVERY = 0.5
"""Seconds between two signs of life while its bytes are made: a page that polls sees it move."""


class UploadQuerySet(LeasedRowQuerySet["Upload"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Files of the projects ``user`` is in: the only door from a request to a row."""
        return self.filter(project__in=Project.objects.visible_to(user))


UploadManager = models.Manager.from_queryset(UploadQuerySet)


def blob_name(upload: "Upload", filename: str) -> str:
    """Where the bytes lie: by id, so that nobody's file name reaches the disk."""
    return f"uploads/{upload.project_id}/{upload.pk}.jsonl"


class Upload(LeasedRow):
    """One JSONL file of requests and what the preflight found in it. The bytes never change.

    A corrected version has no bytes until a worker has made them of ``made_from``; ``repairs`` is
    its ``Correction``, which outlives the original. A file of requests to be run again is made of
    ``made_from`` and the ledger of ``retry_of``; ``selection`` says which, and what changes.
    """

    class Status(models.TextChoices):
        CHECKING = "checking", "Checking"
        READY = "ready", "Ready"
        FAULTY = "faulty", "Has errors"
        FAILED = "failed", "Could not be checked"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.CHECKING: {Status.READY, Status.FAULTY, Status.FAILED},
        Status.FAILED: {Status.CHECKING},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.FAILED}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="uploads")
    uploaded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    name = models.CharField(max_length=255)
    blob = models.FileField(upload_to=blob_name)
    size = models.PositiveBigIntegerField(help_text="In bytes.")
    sha256 = models.CharField(max_length=64, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.CHECKING)
    lines_checked = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(null=True)
    report_fields = models.JSONField(null=True, editable=False)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    made_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="versions"
    )
    correction_fields = models.JSONField(null=True, editable=False)
    retry_of = models.ForeignKey(
        "batchapp.Batch", models.SET_NULL, null=True, editable=False, related_name="retry_files"
    )
    selection = models.JSONField(null=True, editable=False)

    objects = UploadManager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "-created_at"], name="upload_list")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("file_detail", args=[self.pk])

    @property
    def report(self) -> Report | None:
        return msgspec.convert(self.report_fields, Report) if self.report_fields else None

    @property
    def correction(self) -> Correction | None:
        """How it was, or is to be, made of another file; None for one that a person sent."""
        if not self.correction_fields:
            return None
        try:
            return msgspec.convert(self.correction_fields, Correction)
        except msgspec.ValidationError:  # written by another version of the portal
            return None

    @property
    def choice(self) -> Selection | None:
        """Which requests of ``retry_of`` it holds, or is to hold; None for any other file."""
        if not self.selection:
            return None
        try:
            return msgspec.convert(self.selection, Selection)
        except msgspec.ValidationError:  # written by another version of the portal
            return None

    @property
    def is_to_be_made(self) -> bool:
        """Whether its bytes are still to come."""
        return not self.blob

    def attach(self, lines: Iterable[bytes], told: Callable[[], dict[str, Any]]) -> None:
        """Make ``lines`` with their endings its bytes, once all of them are on disk.

        ``told`` is asked for more fields after the last line. The lease is renewed on the way.

        Raises:
            OSError: there is no room; nothing was written.
            StaleRow: another worker has it now; what this one wrote is dropped.
        """
        digest, written, said = hashlib.sha256(), 0, time.monotonic()
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as fresh:
            for line in lines:
                fresh.write(line)
                digest.update(line)
                written += bool(line)
                if time.monotonic() - said > REPORT_EVERY:
                    self.renew_lease(lines_checked=written)
                    said = time.monotonic()
            fields = told() | {"size": fresh.tell(), "sha256": digest.hexdigest()}
            fresh.seek(0)
            self.renew_lease(leases=2)
            self.blob.save("requests.jsonl", File(fresh), save=False)
        try:
            self.renew_lease(blob=self.blob.name, lines_checked=0, **fields)
        except BaseException:
            self.blob.delete(save=False)
            raise

    def chunks(self, start: int = 0, size: int | None = None) -> Iterator[bytes]:
        """Its bytes, a MiB at a time; of a stretch of it ``size`` bytes from byte ``start``."""
        left = sys.maxsize if size is None else size
        with self.blob.open("rb") as blob:
            blob.seek(start)
            while chunk := blob.read(min(CHUNK, left)):
                left -= len(chunk)
                yield chunk
