"""Notices: what happened that people want to be told of, or that other programs want to know."""

import uuid
from enum import StrEnum, unique
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from batchapp.models.batches.batch import Batch
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.people.project import Project
from batchapp.models.people.user import User


@unique
class NoticeKind(StrEnum):
    """Everything that people are told of; ``presenters/notice_text.py`` has the sentences."""

    BATCH_FINISHED = "batch_finished"
    BATCH_FAILED = "batch_failed"
    BATCH_NEEDS_ATTENTION = "batch_needs_attention"
    BATCH_LATE = "batch_late"
    BUDGET_THRESHOLD = "budget_threshold"
    BUDGET_EXCEEDED = "budget_exceeded"
    APPROVAL_ASKED = "approval_asked"
    APPROVAL_DECIDED = "approval_decided"
    KEY_REFUSED = "key_refused"
    INVITED = "invited"
    STATEMENT_READY = "statement_ready"
    WEBHOOK_DISABLED = "webhook_disabled"


class NoticeManager(models.Manager.from_queryset(LeasedRowQuerySet["Notice"])):  # type: ignore[misc]
    def record(
        self,
        kind: NoticeKind,
        project: Project | None,
        *,
        batch: Batch | None = None,
        person: User | None = None,
        once: str = "",
        **data: Any,
    ) -> "Notice | None":
        """Store that something happened, for a worker to deliver.

        Call this in the transaction of the change, so that both are stored or neither. ``person``
        is the person whom the notice is about or for. ``data`` holds numbers, ids and names as
        they were then, and never a secret.

        With ``once``, only the first notice of this kind with this text for the same project,
        batch and person is stored; None is returned for the others.
        """
        key = ""
        if once:
            rows = (project, batch, person)
            key = "/".join([kind, *(str(row.pk) if row else "" for row in rows), once])
        notice = self.model(
            kind=kind, project=project, batch=batch, person=person, once=key, data=data
        )
        # A conflict must not break the transaction of the change.
        self.bulk_create([notice], ignore_conflicts=bool(key))
        is_stored = not key or self.filter(pk=notice.pk).exists()
        return notice if is_stored else None


class Notice(LeasedRow):
    """One thing that happened, which a worker delivers to people and to webhook endpoints."""

    class Status(models.TextChoices):
        DELIVERING = "delivering", "Being delivered"
        DELIVERED = "delivered", "Delivered"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {Status.DELIVERING: {Status.DELIVERED}}

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.DELIVERING)
    next_check_at = models.DateTimeField(
        null=True, default=timezone.now, editable=False, db_index=True
    )
    kind = models.CharField(max_length=40)
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="notices")
    batch = models.ForeignKey(Batch, models.CASCADE, null=True, related_name="notices")
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    once = models.CharField(max_length=250, blank=True, editable=False)
    data = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = NoticeManager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["once"], condition=~models.Q(once=""), name="one_notice_of_the_same"
            )
        ]

    def __str__(self) -> str:
        return self.kind
