"""The tags of batches: short words by which a project sorts its batches and their costs."""

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Self
from uuid import UUID

from django.db import models

from batchapp.domain.batch_labels import MAX_TAG_LENGTH
from batchapp.models.people.project import Project

if TYPE_CHECKING:
    from batchapp.models.batches.batch import Batch


class TagQuerySet(models.QuerySet["Tag"]):
    def in_use(self) -> Self:
        """Leave out the tags that no batch has any more."""
        return self.filter(models.Exists(BatchTag.objects.filter(tag=models.OuterRef("pk"))))

    def get_or_insert(self, project_id: UUID, names: Collection[str]) -> list["Tag"]:
        """Return the tags of the project with these names; new names become tags."""
        if not names:
            return []
        rows = [Tag(project_id=project_id, name=name) for name in names]
        self.bulk_create(rows, ignore_conflicts=True)
        return list(self.filter(project=project_id, name__in=names))


TagManager = models.Manager.from_queryset(TagQuerySet)


class Tag(models.Model):
    """A word of one project; a row is made when a batch first has it."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="tags", db_index=False)
    name = models.CharField(max_length=MAX_TAG_LENGTH)

    objects = TagManager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint("project", "name", name="one_tag_per_name")]

    def __str__(self) -> str:
        return self.name


class BatchTagManager(models.Manager["BatchTag"]):
    def replace(self, batch: "Batch", names: Collection[str]) -> None:
        """Give ``batch`` these tags and no others."""
        self.filter(batch=batch).exclude(tag__name__in=names).delete()
        self.add([batch], names)

    def add(self, batches: Iterable["Batch"], names: Collection[str]) -> None:
        """Give each of ``batches``, which are of one project, these tags as well."""
        batches = list(batches)
        if not batches:
            return
        tags = Tag.objects.get_or_insert(batches[0].project_id, names)
        rows = [BatchTag(batch=batch, tag=tag) for batch in batches for tag in tags]
        self.bulk_create(rows, ignore_conflicts=True)


class BatchTag(models.Model):
    """One batch has one tag."""

    batch = models.ForeignKey("batchapp.Batch", models.CASCADE, related_name="+", db_index=False)
    tag = models.ForeignKey(Tag, models.CASCADE, related_name="+", db_index=False)

    objects = BatchTagManager()

    class Meta:
        constraints = [models.UniqueConstraint("batch", "tag", name="tag_once_per_batch")]
        # A list that is filtered by a tag reads the batches of the tag from this index alone.
        indexes = [models.Index(fields=["tag", "batch"], name="batches_of_tag")]

    def __str__(self) -> str:
        return f"{self.batch_id}: {self.tag_id}"
