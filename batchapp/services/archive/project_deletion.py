"""Delete a project: its people, keys, files and answers go, its counts and costs stay.

The rows of the project, its batches and their costs are kept for the reports of the portal. The
stored bytes are deleted by the workers, as those of a retention rule of no days.
"""

from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models import Count, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    BatchImport,
    DirectRequest,
    Invitation,
    ModelCost,
    PortalKey,
    Project,
    PromptTemplate,
    ProviderKey,
    ResultChunk,
    RetentionRule,
    SourceTable,
    Upload,
    User,
)
from batchapp.models.direct.direct_request import DirectSum
from batchapp.models.files.source_table import RETENTION
from batchapp.models.providers.provider_key import ProviderKeyQuerySet


@dataclass(frozen=True, slots=True)
class Contents:
    """What a deletion takes away, and the batches and costs that stay in the reports.

    With ``unpriced`` costs in it, ``cost_usd`` is a minimum; ``direct`` is the sum of the single
    requests. ``bytes`` are those of files and
    answers. The project cannot be deleted while batches are ``running`` or ``held``.
    """

    batches: int
    running: int
    held: int
    answers: int
    files: int
    templates: int
    tables: int
    keys: int
    members: int
    bytes: int
    cost_usd: Decimal
    unpriced: int
    direct: DirectSum


def contents_of(project: Project) -> Contents:
    unpurged = Q(purged_at=None)
    batches = Batch.objects.filter(project=project).aggregate(
        batches=Count("pk"),
        running=Count("pk", filter=Q(status__in=Batch.UNFINISHED)),
        held=Count("pk", filter=Q(held_at__isnull=False) & unpurged),
        answers=Coalesce(Sum("succeeded", filter=unpurged), 0),
    )
    files = Upload.objects.filter(project=project, purged_at=None).aggregate(
        files=Count("pk"), bytes=Coalesce(Sum("size"), 0)
    )
    chunks = ResultChunk.objects.filter(provider_batch__batch__project=project)
    costs = ModelCost.objects.filter(batch__project=project).aggregate(
        cost=Sum("cost_usd"), unpriced=Count("pk", filter=Q(cost_usd=None))
    )
    return Contents(
        **batches,
        files=files["files"],
        bytes=files["bytes"] + (chunks.aggregate(sum=Sum("size"))["sum"] or 0),
        templates=PromptTemplate.objects.filter(project=project).count(),
        tables=SourceTable.objects.filter(project=project).count(),
        keys=_keys(project).count(),
        members=project.memberships.of_people().count(),
        cost_usd=costs["cost"] or Decimal(0),
        unpriced=costs["unpriced"],
        direct=DirectRequest.objects.filter(project=project).charged().sum_up(),
    )


def delete_project(project: Project, user: User) -> RetentionRule | None:
    """Take the project from all its members for good, and have workers delete what is stored.

    Returns the rule that a worker is to be told of; None if the project was deleted already.

    Raises:
        NotAllowed: nothing was written.
        Refused: batches run or are on hold; nothing was written.
    """
    access.require_manage_in_person(user, project)
    now = timezone.now()
    with transaction.atomic():
        # Locks the row: an order at this moment is seen below, or finds the project archived.
        rows = Project.objects.filter(pk=project.pk, deleted_at=None)
        if not rows.update(deleted_at=now, archived_at=Coalesce("archived_at", now)):
            return None
        contents = contents_of(project)
        if contents.running:
            raise Refused(Refusal.PROJECT_RUNS, batches=contents.running)
        if contents.held:
            raise Refused(Refusal.PROJECT_ON_HOLD, batches=contents.held)
        AuditEvent.objects.record(
            AuditKind.PROJECT_DELETED,
            user,
            project,
            name=project.name,
            batches=contents.batches,
            answers=contents.answers,
            files=contents.files,
        )
        project.memberships.all().delete()
        _keys(project).update(ciphertext="", webhook_ciphertext="")
        Invitation.objects.unanswered().filter(project=project).update(revoked_at=now)
        PortalKey.objects.filter(project=project).revoke(user)
        PromptTemplate.objects.filter(project=project).delete()
        BatchImport.objects.filter(project=project, batch=None).delete()
        tables = SourceTable.objects.filter(project=project)
        tables.update(used_at=now - RETENTION)
        tables.resume_retention()
        rule, _ = RetentionRule.objects.update_or_create(
            project=project, defaults={"days": 0, "next_check_at": now}
        )
    return rule


def _keys(project: Project) -> ProviderKeyQuerySet:
    return ProviderKey.objects.filter(project=project).exclude(ciphertext="")
