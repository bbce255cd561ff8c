"""Imports of batches that were made outside the portal."""

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from django.db import models

from batchapp.models.batches.batch import Batch
from batchapp.models.batches.provider_batch import TOKEN_KEY, ProviderBatch, provider_batch_id_of
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.fields.problem_field import ProblemField
from batchapp.models.files.upload import Upload
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User
from batchapp.models.providers.connection import Connection
from batchapp.models.providers.provider_key import ProviderKey
from batchapp.providers.json_values import MAX_ID_LENGTH
from batchapp.providers.remote_objects import RemoteBatch


class BatchImportQuerySet(LeasedRowQuerySet["BatchImport"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the imports that ``user`` may see; views use no other way to reach an import."""
        return self.filter(project__in=Project.objects.visible_to(user))

    def ids_in_portal(self, connection: Connection, remotes: Iterable[RemoteBatch]) -> set[str]:
        """Return the ids among ``remotes`` that the portal follows or imports already."""
        remotes = list(remotes)
        ids = [remote.id for remote in remotes]
        return self.followed_ids(connection, remotes) | self.imported_ids(connection, ids)

    def imported_ids(self, connection: Connection, ids: Iterable[str]) -> set[str]:
        """Return the members of ``ids`` that were imported or are being imported."""
        rows = self.filter(connection__in=connection.same_provider(), remote_id__in=list(ids))
        return set(
            rows.exclude(status=BatchImport.Status.FAILED).values_list("remote_id", flat=True)
        )

    def followed_ids(self, connection: Connection, remotes: Iterable[RemoteBatch]) -> set[str]:
        """Return the ids of remotes that are a provider batch here, or carry the token of one.

        The token counts only while its provider batch is not over.
        """
        remotes = list(remotes)
        provider_batches = ProviderBatch.objects.filter(
            batch__connection__in=connection.same_provider()
        )
        by_id = provider_batches.filter(remote_id__in=[remote.id for remote in remotes])
        remote_ids = {
            pk: remote.id
            for remote in remotes
            if (pk := provider_batch_id_of(remote.metadata.get(TOKEN_KEY, "")))
        }
        by_token = provider_batches.filter(pk__in=remote_ids).exclude(
            status__in=ProviderBatch.OVER
        )
        return {
            *by_id.values_list("remote_id", flat=True),
            *(remote_ids[pk] for pk in by_token.values_list("pk", flat=True)),
        }


BatchImportManager = models.Manager.from_queryset(BatchImportQuerySet)


class BatchImport(LeasedRow):
    """One batch made outside the portal: we fetch its file, then follow the batch.

    A batch of a provider can be imported only once in the whole portal.
    """

    class Status(models.TextChoices):
        FETCHING = "fetching", "Fetching the file"
        CHECKING = "checking", "Checking the file"
        DONE = "done", "Done"
        FAILED = "failed", "Not imported"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.FETCHING: {Status.CHECKING, Status.FAILED},
        Status.CHECKING: {Status.DONE, Status.FAILED},
        Status.FAILED: {Status.FETCHING},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.FAILED}
    PAST_TIMES: ClassVar[tuple[str, ...]] = ("refused_since",)
    NO_PROBLEM: ClassVar[dict[str, Any]] = {"failures": 0, "refused_since": None, "problem": None}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="batch_imports")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="+")
    key = models.ForeignKey(ProviderKey, models.CASCADE, related_name="+")
    requested_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    remote_id = models.CharField(max_length=MAX_ID_LENGTH)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status, default=Status.FETCHING)
    upload = models.ForeignKey(Upload, models.SET_NULL, null=True, related_name="+")
    batch = models.OneToOneField(Batch, models.SET_NULL, null=True, related_name="batch_import")
    problem = ProblemField(null=True)
    failures = models.PositiveIntegerField(default=0)
    refused_since = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BatchImportManager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint("connection", "remote_id", name="one_import_per_batch")
        ]

    def __str__(self) -> str:
        return self.name
