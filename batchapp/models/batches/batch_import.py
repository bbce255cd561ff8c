"""Batches that were made elsewhere, on their way into a project."""

import uuid
from collections.abc import Iterable
from typing import ClassVar, Self

from django.db import models

from batchapp.models.batches.batch import Batch
from batchapp.models.batches.provider_batch import TOKEN_KEY, ProviderBatch, provider_batch_id_of
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.files.upload import Upload
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User
from batchapp.models.providers.connection import Connection
from batchapp.models.providers.provider_key import ProviderKey
from batchapp.providers.remote_objects import RemoteBatch


class BatchImportQuerySet(LeasedRowQuerySet["BatchImport"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Those of the projects ``user`` is in: the only door from a request to a row."""
        return self.filter(project__in=Project.objects.visible_to(user))

    def ids_in_portal(self, connection: Connection, remotes: Iterable[RemoteBatch]) -> set[str]:
        """The ids of those of ``remotes`` that the portal follows or is bringing in."""
        remotes = list(remotes)
        ids = [each.id for each in remotes]
        return self.followed_ids(connection, remotes) | self.imported_ids(connection, ids)

    def imported_ids(self, connection: Connection, ids: Iterable[str]) -> set[str]:
        """Those of ``ids`` that were brought in, or are on their way."""
        rows = self.filter(connection__in=connection.same_provider(), remote_id__in=list(ids))
        return set(
            rows.exclude(status=BatchImport.Status.FAILED).values_list("remote_id", flat=True)
        )

    def followed_ids(self, connection: Connection, remotes: Iterable[RemoteBatch]) -> set[str]:
        """The ids of those that are a part here, or carry the mark of one that is under way."""
        remotes = list(remotes)
        provider_batches = ProviderBatch.objects.filter(
            batch__connection__in=connection.same_provider()
        )
        known = provider_batches.filter(remote_id__in=[each.id for each in remotes])
        tokens = {
            provider_batch_id_of(each.metadata.get(TOKEN_KEY, "")): each.id for each in remotes
        }
        marked = {token: name for token, name in tokens.items() if token}
        live = provider_batches.filter(pk__in=marked).exclude(status__in=ProviderBatch.OVER)
        return {
            *known.values_list("remote_id", flat=True),
            *(marked[pk] for pk in live.values_list("pk", flat=True)),
        }


BatchImportManager = models.Manager.from_queryset(BatchImportQuerySet)


class BatchImport(LeasedRow):
    """One batch at the provider that nobody made here: its file is fetched, then it is followed.

    A provider's batch is taken in once in the whole portal.
    """

    class Status(models.TextChoices):
        FETCHING = "fetching", "Fetching the file"
        CHECKING = "checking", "Checking the file"
        DONE = "done", "Done"
        FAILED = "failed", "Could not be brought in"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.FETCHING: {Status.CHECKING, Status.FAILED},
        Status.CHECKING: {Status.DONE, Status.FAILED},
        Status.FAILED: {Status.FETCHING},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.FAILED}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="batch_imports")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="+")
    key = models.ForeignKey(ProviderKey, models.CASCADE, related_name="+")
    asked_by = models.ForeignKey(User, models.PROTECT, related_name="+")
    remote_id = models.CharField(max_length=200)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=10, choices=Status, default=Status.FETCHING)
    upload = models.ForeignKey(Upload, models.SET_NULL, null=True, related_name="+")
    batch = models.OneToOneField(Batch, models.SET_NULL, null=True, related_name="batch_import")
    trouble = models.TextField(blank=True)
    failures = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = BatchImportManager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint("connection", "remote_id", name="one_import_per_batch")
        ]

    def __str__(self) -> str:
        return self.name
