"""Files of requests: uploaded, corrected, or written for a retry."""

import hashlib
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Self, TypeVar

import msgspec
from django.conf import settings
from django.core.files.base import File
from django.db import IntegrityError, models, transaction
from django.urls import reverse

from batchapp.domain.corrections.corrected_file import Correction
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.results.retry_selection import Selection
from batchapp.domain.reuse.reuse_plan import Reuse, ReuseOffer
from batchapp.models.audit.origin import AuditSource
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.fields.problem_field import ProblemField
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User
from batchapp.models.portal_keys.portal_key import PortalKey

CHUNK_BYTES = 1024 * 1024
PROGRESS_SECONDS = 0.5  # between two updates of the progress that a polling page shows
NAME_LENGTH = 255  # characters
ENDING = ".jsonl"

Fields = TypeVar("Fields")


class UploadQuerySet(LeasedRowQuerySet["Upload"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the files of the projects of ``user``; every view must start from here."""
        return self.filter(project__in=Project.objects.visible_to(user))

    def with_content(self) -> Self:
        """Leave out the files whose requests were deleted."""
        return self.filter(purged_at=None)

    def delete_with_content(self) -> int:
        """Delete these files with their bytes, and return how many were deleted.

        Raises:
            ProtectedError: a batch was made from one of them; nothing was deleted.
        """
        uploads = list(self.only("blob"))
        deleted = self.model.objects.filter(pk__in=[upload.pk for upload in uploads]).delete()[1]
        for upload in uploads:
            if upload.blob.name:
                upload.blob.storage.delete(upload.blob.name)
        return deleted.get(self.model._meta.label, 0)

    def insert_once(self, upload: "Upload") -> "Upload":
        """Insert ``upload``, or return the stored file that has its primary key.

        The key is made from the form's submission id, so a form that is sent twice, even at the
        same instant, makes one file.
        """
        if stored := self.filter(pk=upload.pk).first():
            return stored
        try:
            with transaction.atomic():
                upload.save(force_insert=True)
        except IntegrityError:
            if stored := self.filter(pk=upload.pk).first():
                return stored
            raise
        return upload


UploadManager = models.Manager.from_queryset(UploadQuerySet)


def blob_name(upload: "Upload", filename: str) -> str:
    # By id: no name that a person chose reaches the disk.
    return f"uploads/{upload.project_id}/{upload.pk}.jsonl"


def numbered_name(stem: str, mark: str, number: int) -> str:
    """Return ``stem`` with ``mark`` behind it, and with ``number`` from the second file on."""
    mark += ENDING if number == 1 else f"-{number}{ENDING}"
    return f"{stem[: NAME_LENGTH - len(mark)]}{mark}"


def sha256_of(content: "File[bytes]") -> str:
    """Return the SHA-256 of ``content`` in hex; ``content`` can then be read from its start."""
    digest = hashlib.sha256()
    for chunk in content.chunks(CHUNK_BYTES):
        digest.update(chunk)
    content.seek(0)
    return digest.hexdigest()


def _converted(fields: Any, kind: type[Fields]) -> Fields | None:
    try:
        return msgspec.convert(fields, kind) if fields else None
    except msgspec.ValidationError:  # written by another version of the portal
        return None


class Upload(LeasedRow):
    """One JSONL file of requests and the report of its check. The bytes never change.

    A worker writes a corrected file from ``made_from``; ``correction_fields`` is its
    ``Correction``, which stays when the original is deleted. A worker writes a retry file from
    ``made_from`` and the results of ``retry_of``; ``selection`` says which requests are retried
    and how they change. A worker writes a file of what is new from ``made_from``; its
    ``reuse_fields`` say which requests are left out, see ``Reuse``. A blank line stands in their
    places, so that its lines have the numbers of the original.
    """

    class Status(models.TextChoices):
        CHECKING = "checking", "Checking"
        READY = "ready", "Ready"
        FAULTY = "faulty", "Has errors"
        FAILED = "failed", "Could not be checked"
        PURGED = "purged", "Deleted"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.CHECKING: {Status.READY, Status.FAULTY, Status.FAILED},
        Status.READY: {Status.PURGED},
        Status.FAULTY: {Status.PURGED},
        Status.FAILED: {Status.CHECKING, Status.PURGED},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.FAILED}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="uploads")
    uploaded_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    portal_key = models.ForeignKey(
        PortalKey,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        help_text="By which it was sent; empty for a file from a page or a command.",
    )
    source = models.CharField(
        max_length=10,
        choices=AuditSource,
        blank=True,
        editable=False,
        help_text="Empty for a file that was made from others, and of an earlier version.",
    )
    name = models.CharField(max_length=NAME_LENGTH)
    blob = models.FileField(upload_to=blob_name)
    size = models.PositiveBigIntegerField(help_text="In bytes.")
    sha256 = models.CharField(max_length=64, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.CHECKING)
    lines_checked = models.PositiveIntegerField(default=0)
    requests = models.PositiveIntegerField(null=True)
    report_fields = models.JSONField(null=True, editable=False)
    problem = ProblemField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    checked_at = models.DateTimeField(null=True)
    purged_at = models.DateTimeField(
        null=True, help_text="From then on nobody can see its requests."
    )
    made_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, editable=False, related_name="versions"
    )
    correction_fields = models.JSONField(null=True, editable=False)
    retry_of = models.ForeignKey(
        "batchapp.Batch", models.SET_NULL, null=True, editable=False, related_name="retry_files"
    )
    selection = models.JSONField(null=True, editable=False)
    reuse_fields = models.JSONField(null=True, editable=False)
    offer_fields = models.JSONField(
        null=True, editable=False, help_text="What need not be sent, as the check has found."
    )
    table = models.ForeignKey(
        "batchapp.SourceTable",
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="uploads",
        help_text="Its rows became these requests, also by way of a correction or a retry.",
    )

    objects = UploadManager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["project", "-created_at"], name="upload_list")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("file_detail", args=[self.pk])

    def require_content(self) -> None:
        """Raise ``Refused`` if the requests of the file were deleted.

        Ask this wherever they are shown, downloaded or used.
        """
        if self.purged_at is not None:
            at = self.purged_at.isoformat()
            raise Refused(Refusal.FILE_PURGED, file=self.name, at=at)

    @property
    def report(self) -> Report | None:
        return msgspec.convert(self.report_fields, Report) if self.report_fields else None

    @property
    def correction(self) -> Correction | None:
        """Return how this file is corrected from another; None for any other kind of file."""
        return _converted(self.correction_fields, Correction)

    @property
    def retry_selection(self) -> Selection | None:
        """Return the requests of ``retry_of`` in this file; None for any other kind of file."""
        return _converted(self.selection, Selection)

    @property
    def reuse(self) -> Reuse | None:
        """Return which requests of ``made_from`` this file leaves out; None for other files."""
        return _converted(self.reuse_fields, Reuse)

    @property
    def reuse_offer(self) -> ReuseOffer | None:
        """Return which requests need not be sent; None if all must be, or if it is not known."""
        return _converted(self.offer_fields, ReuseOffer)

    @property
    def lacks_content(self) -> bool:
        """Return True until a worker has written the bytes of a file that is made from another."""
        return not self.blob

    def write_content(
        self, lines: Iterable[bytes], final_fields: Callable[[], dict[str, Any]]
    ) -> None:
        """Store ``lines``, which end with a newline each, as the bytes of this file.

        ``final_fields`` is called after the last line and returns further fields to save. The
        lease is renewed meanwhile.

        Raises:
            OSError: the disk is full, or a source cannot be read; nothing was stored.
            StaleRow: another worker has the row now; the bytes of this worker are dropped.
        """
        digest, written, renewed_at = hashlib.sha256(), 0, time.monotonic()
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
            for line in lines:
                content.write(line)
                digest.update(line)
                written += bool(line)
                if time.monotonic() - renewed_at > PROGRESS_SECONDS:
                    self.renew_lease(lines_checked=written)
                    renewed_at = time.monotonic()
            fields = final_fields() | {"size": content.tell(), "sha256": digest.hexdigest()}
            content.seek(0)
            self.renew_lease(leases=2)
            self.blob.save("requests.jsonl", File(content), save=False)
        try:
            self.renew_lease(blob=self.blob.name, lines_checked=0, **fields)
        except BaseException:
            self.blob.delete(save=False)
            raise

    def chunks(self, start: int = 0, size: int | None = None) -> Iterator[bytes]:
        """Yield the bytes in chunks of a MiB: ``size`` of them, or all, from byte ``start`` on."""
        left = sys.maxsize if size is None else size
        with self.blob.open("rb") as blob:
            blob.seek(start)
            while chunk := blob.read(min(CHUNK_BYTES, left)):
                left -= len(chunk)
                yield chunk
