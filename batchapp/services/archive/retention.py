"""Decide what was kept long enough: the rule of a project, and what it would delete."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Exists, F, OuterRef, Sum
from django.utils import timezone

from batchapp import access
from batchapp.access import Actor
from batchapp.domain.results.outcome import Outcome
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Project,
    Result,
    ResultChunk,
    RetentionRule,
    Upload,
    User,
)
from batchapp.models.batches import lineage
from batchapp.models.files.upload import UploadQuerySet

Item = TypeVar("Item")

MAX_DAYS = 3_650
IDS_AT_ONCE = 500


@dataclass
class Outdated:
    """The content that a rule deletes: batches by family, and files that no batch was made from.

    A batch and its retries, whose answers are merged, are one family, and deleted together.
    ``held`` are the batches that are old enough, but on hold, or in a family with one on hold.
    ``reused`` are old enough, but a batch that stays has kept some of their answers.
    """

    families: list[list[Batch]] = field(default_factory=list)
    unused: list[UUID] = field(default_factory=list)
    held: list[Batch] = field(default_factory=list)
    reused: list[Batch] = field(default_factory=list)

    @property
    def batches(self) -> list[Batch]:
        return [batch for family in self.families for batch in family]

    @property
    def is_empty(self) -> bool:
        return not self.families and not self.unused


@dataclass(frozen=True, slots=True)
class ContentSize:
    """The stored files and bytes of some batches and unused files."""

    files: int
    bytes: int


def days_kept(project: Project) -> int | None:
    """Return the number of days of the project's rule; None if it keeps everything."""
    return RetentionRule.objects.filter(project=project).values_list("days", flat=True).first()


def set_rule(project: Project, actor: Actor, days: int | None) -> RetentionRule | None:
    """Keep requests and answers of ``project`` for ``days`` days, or forever with None.

    Returns the rule, which is due at once. What was deleted stays deleted.

    Raises:
        NotAllowed: nothing was written.
    """
    access.require_manage(actor, project)
    person = actor if isinstance(actor, User) else None
    with transaction.atomic():
        before = days_kept(project)
        if before != days:
            AuditEvent.objects.record(
                AuditKind.RETENTION_CHANGED, person, project, before=before, after=days
            )
        if days is None:
            RetentionRule.objects.filter(project=project).delete()
            return None
        rule, _ = RetentionRule.objects.update_or_create(
            project=project, defaults={"days": days, "next_check_at": timezone.now()}
        )
    return rule


def find_outdated(project: Project, days: int) -> Outdated:
    """Return what ``project`` has kept for more than ``days`` days."""
    before = timezone.now() - timedelta(days=days)
    outdated = Outdated()
    rows = Batch.objects.filter(project=project).order_by("created_at", "pk")
    columns = ("name", "parent_id", "status", "finished_at", "held_at", "purged_at", "upload_id")
    busy = batches_in_use(project)
    for family in lineage.families(rows.only(*columns)):
        left = [batch for batch in family if batch.purged_at is None]
        if not left or not all(_is_over_since(batch, before) for batch in left):
            continue
        if any(batch.held_at for batch in left):
            outdated.held += left
        elif busy.isdisjoint(batch.pk for batch in left):
            outdated.families.append(left)
    _leave_reused(outdated, _reused_answers(project))
    unused = unused_files(project).filter(created_at__lt=before)
    outdated.unused = list(unused.values_list("pk", flat=True))
    return outdated


def _is_over_since(batch: Batch, before: datetime) -> bool:
    return batch.is_over and batch.finished_at is not None and batch.finished_at < before


def batches_in_use(project: Project) -> set[UUID]:
    """Return the batches of ``project`` whose requests are being written into another file."""
    writing = Upload.objects.filter(project=project, status=Upload.Status.CHECKING)
    retried = writing.filter(retry_of__isnull=False).values_list("retry_of", flat=True)
    corrected = writing.filter(made_from__batches__isnull=False)
    return {*retried, *corrected.values_list("made_from__batches", flat=True)}


def _reused_answers(project: Project) -> dict[UUID, set[UUID]]:
    """Return batch -> the other batches with answers that it has as its own."""
    rows = Result.objects.filter(batch__project=project, batch__purged_at=None)
    rows = rows.filter(batch__reused__gt=0, outcome=Outcome.REUSED, retried__isnull=False)
    pairs = (
        rows.exclude(retried__batch=F("batch")).order_by().values_list("batch", "retried__batch")
    )
    sources: defaultdict[UUID, set[UUID]] = defaultdict(set)
    for batch, source in pairs.distinct():
        sources[batch].add(source)
    for batch, source, _ in _promised_answers(project):
        sources[batch].add(source)
    return sources


def _promised_answers(project: Project) -> Iterator[tuple[UUID, UUID, int]]:
    """Yield batch, source and number of answers that a batch under way will have as its own.

    The results that point to them are written only once the batch is prepared.
    """
    rows = Batch.objects.filter(project=project, reused__gt=0, purged_at=None)
    written = Result.objects.filter(batch=OuterRef("pk"), outcome=Outcome.REUSED)
    rows = rows.exclude(status__in=Batch.OVER).filter(~Exists(written))
    for batch in rows.select_related("upload"):
        for source in batch.upload.reuse.sources if batch.upload.reuse else ():
            yield batch.pk, UUID(source.batch), source.requests


def _leave_reused(outdated: Outdated, sources: dict[UUID, set[UUID]]) -> None:
    """Leave out the families with answers that a batch which stays has as its own.

    These stay as well, and so do those whose answers they have.
    """
    while True:
        leaving = {batch.pk for batch in outdated.batches}
        users = sources.keys() - leaving
        needed = set().union(*(sources[pk] for pk in users))
        staying = [
            family
            for family in outdated.families
            if not needed.isdisjoint(batch.pk for batch in family)
        ]
        if not staying:
            return
        outdated.families = [family for family in outdated.families if family not in staying]
        outdated.reused += [batch for family in staying for batch in family]


class ReusedElsewhere(NamedTuple):
    """How many ``answers`` of some batches other batches have as their own."""

    batches: int
    answers: int


def reused_elsewhere(batches: Sequence[Batch], leaving: Iterable[Batch] = ()) -> ReusedElsewhere:
    """Count the other batches that lose answers if the content of ``batches`` is deleted.

    Those that are ``leaving`` as well do not count.
    """
    pks = {batch.pk for batch in batches}
    without = pks | {batch.pk for batch in leaving}
    rows = Result.objects.filter(retried__batch__in=pks, outcome=Outcome.REUSED)
    rows = rows.filter(batch__purged_at=None).exclude(batch__in=without)
    numbers = rows.aggregate(batches=Count("batch", distinct=True), answers=Count("pk"))
    promised = [
        (user, answers)
        for project in {batch.project for batch in batches}
        for user, source, answers in _promised_answers(project)
        if source in pks and user not in without
    ]
    return ReusedElsewhere(
        numbers["batches"] + len({user for user, _ in promised}),
        numbers["answers"] + sum(answers for _, answers in promised),
    )


def unused_files(project: Project) -> UploadQuerySet:
    """Return the files that no batch was made from, and from which no file is being written."""
    writing = Upload.objects.filter(status=Upload.Status.CHECKING, made_from=OuterRef("pk"))
    batches = Batch.objects.filter(upload=OuterRef("pk"))
    uploads = Upload.objects.filter(~Exists(batches), ~Exists(writing), project=project)
    return uploads.filter(leased_until=None).exclude(status=Upload.Status.CHECKING)


def size_of(outdated: Outdated) -> ContentSize:
    """Count the files and bytes that deleting ``outdated`` frees."""
    batches = [batch.pk for batch in outdated.batches]
    files = size = 0
    for pks in _some_at_a_time(batches):
        chunks = ResultChunk.objects.filter(provider_batch__batch__in=pks)
        number, bytes_ = chunks.aggregate(n=Count("pk"), sum=Sum("size")).values()
        files, size = files + number, size + (bytes_ or 0)
    uploads = [*outdated.unused, *files_only_of(outdated.batches)]
    for pks in _some_at_a_time(uploads):
        sizes = Upload.objects.filter(pk__in=pks).exclude(blob="").values_list("size", flat=True)
        files, size = files + len(sizes), size + sum(sizes)
    return ContentSize(files, size)


def files_only_of(batches: Iterable[Batch]) -> list[UUID]:
    """Return the files that no batch but these uses, without those that are purged already."""
    batches = list(batches)
    own: dict[UUID, int] = {}
    for batch in batches:
        own[batch.upload_id] = own.get(batch.upload_id, 0) + 1
    only = []
    for pks in _some_at_a_time([*own]):
        rows = Batch.objects.filter(upload__in=pks, purged_at=None, upload__purged_at=None)
        users = rows.order_by().values_list("upload").annotate(Count("pk"))
        only += [upload for upload, number in users if number <= own[upload]]
    return only


def _some_at_a_time(items: list[Item]) -> Iterator[list[Item]]:
    for start in range(0, len(items), IDS_AT_ONCE):
        yield items[start : start + IDS_AT_ONCE]


def lock(rows: UploadQuerySet) -> int:
    """Lock ``rows`` until the end of the transaction, which reads anew what others committed."""
    return rows.update(status=F("status"))
