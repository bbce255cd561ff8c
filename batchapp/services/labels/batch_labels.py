"""Change the tags and the cost centre of batches, and the default of a project."""

from collections.abc import Collection, Iterable, Sequence

from django.db import transaction
from django.db.models import F

from batchapp import access
from batchapp.domain.batch_labels import MAX_TAGS, Labels, clean_cost_centre, clean_tags
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    BatchTag,
    Event,
    EventKind,
    Project,
    Tag,
    User,
)


def set_labels(batch: Batch, user: User, labels: Labels) -> bool:
    """Give ``batch`` these tags and this cost centre; False if it has them already.

    Reports go by the present labels of a batch, also for the time before the change.

    Raises:
        NotAllowed: nothing was written.
        Refused: the labels are not valid; nothing was written.
    """
    access.require_write(user, batch.project)
    labels = Labels(clean_tags(labels.tags), clean_cost_centre(labels.cost_centre))
    with transaction.atomic():
        _lock([batch])
        stored = Batch.objects.get(pk=batch.pk)
        before = stored.labels
        if labels == before:
            return False
        Batch.objects.filter(pk=batch.pk).update(cost_centre=labels.cost_centre)
        BatchTag.objects.replace(stored, labels.tags)
        is_moved = labels.cost_centre != before.cost_centre
        Event.objects.create(
            batch=stored,
            actor=user,
            kind=EventKind.LABELLED,
            data={
                "added": sorted(set(labels.tags) - set(before.tags)),
                "removed": sorted(set(before.tags) - set(labels.tags)),
                "cost_centre": labels.cost_centre if is_moved else None,
                "before": before.cost_centre,
            },
        )
    batch.cost_centre = labels.cost_centre
    return True


def change_tags(
    batches: Sequence[Batch], user: User, *, add: Collection[str], remove: Collection[str] = ()
) -> list[Batch]:
    """Add and remove tags of many batches at once, and return the batches that changed.

    A batch that would have too many tags stays as it is.

    Raises:
        NotAllowed: one of the batches is of a project that ``user`` may not write; nothing was
            written.
        Refused: a tag is not valid; nothing was written.
    """
    added, removed = set(clean_tags(add)), set(clean_tags(remove))
    for project in {batch.project for batch in batches}:
        access.require_write(user, project)
    changed = []
    with transaction.atomic():
        _lock(batches)
        tags_of = stored_tags(batches)
        events = []
        for batch in batches:
            before = tags_of.get(batch.pk, set())
            after = (before | added) - removed
            if after == before or len(after) > MAX_TAGS:
                continue
            changed.append(batch)
            data = {"added": sorted(after - before), "removed": sorted(before - after)}
            data |= {"cost_centre": None, "before": ""}  # type: ignore[dict-item]
            events.append(Event(batch=batch, actor=user, kind=EventKind.LABELLED, data=data))
        for project_id in {batch.project_id for batch in changed}:
            own = [batch for batch in changed if batch.project_id == project_id]
            BatchTag.objects.filter(batch__in=own, tag__name__in=removed).delete()
            BatchTag.objects.add(own, added - removed)
        Event.objects.bulk_create(events)
    return changed


def set_default_cost_centre(project: Project, user: User, cost_centre: str) -> None:
    """Set the cost centre of the new batches of ``project``; those that exist keep theirs.

    Raises:
        NotAllowed: nothing was written.
        Refused: the cost centre is not valid; nothing was written.
    """
    access.require_manage(user, project)
    after = clean_cost_centre(cost_centre)
    with transaction.atomic():
        old = Project.objects.select_for_update(no_key=True).get(pk=project.pk)
        project.cost_centre = after
        project.save(update_fields=["cost_centre"])
        if old.cost_centre != after:
            AuditEvent.objects.record(
                AuditKind.COST_CENTRE_CHANGED, user, project, before=old.cost_centre, after=after
            )


def tags_of_project(project: Project) -> list[str]:
    """Return the tags that batches of ``project`` have, sorted."""
    return list(Tag.objects.filter(project=project).in_use().values_list("name", flat=True))


def stored_tags(batches: Iterable[Batch]) -> dict[object, set[str]]:
    """Return the tags of each of ``batches`` that has any, by its primary key."""
    tags: dict[object, set[str]] = {}
    rows = BatchTag.objects.filter(batch__in=[batch.pk for batch in batches])
    for pk, name in rows.values_list("batch", "tag__name"):
        tags.setdefault(pk, set()).add(name)
    return tags


def _lock(batches: Iterable[Batch]) -> None:
    """Let other changes of the labels of ``batches`` wait for the end of this transaction."""
    rows = Batch.objects.filter(pk__in=[batch.pk for batch in batches])
    rows.update(cost_centre=F("cost_centre"))
