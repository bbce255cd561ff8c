"""The question whether a batch may run, which an owner of its project answers."""

from typing import Any

from django.db import models
from django.utils import timezone

from batchapp.models.audit.audit_event import AuditEvent
from batchapp.models.audit.audit_kind import AuditKind
from batchapp.models.batches.batch import Batch
from batchapp.models.batches.event import Event, EventKind
from batchapp.models.batches.provider_batch import ProviderBatch
from batchapp.models.fields.leased_row import StaleRow
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.notifications.notice import Notice, NoticeKind
from batchapp.models.people.user import User

MAX_NOTE_LENGTH = 1_000  # characters of what the person writes who decides


class ApprovalRequestManager(models.Manager["ApprovalRequest"]):
    def pending(self) -> models.QuerySet["ApprovalRequest"]:
        return self.filter(state=ApprovalRequest.State.PENDING)

    def cancel(self, batch: Batch, person: User) -> bool:
        """Cancel ``batch`` if it waits for approval; False if it does not.

        The request counts as withdrawn if the person asked for it, and otherwise as void.

        Raises:
            StaleRow: another person decides at this moment; roll back.
        """
        request = self.pending().filter(batch=batch).first()
        if request is None:
            return False
        is_own = batch.created_by_id == person.pk
        state = ApprovalRequest.State.WITHDRAWN if is_own else ApprovalRequest.State.VOID
        request.close(state, person)
        return True


class ApprovalRequest(models.Model):
    """One batch that needs approval: why, what was asked for, and what was decided.

    The approval is bound to the bytes of the file, the windows of the batch and the estimate.
    ``price_tag`` stands for all prices behind the estimate. The person who ordered the batch asks.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        APPROVED = "approved", "Approved"
        DENIED = "denied", "Denied"
        EXPIRED = "expired", "Expired"
        WITHDRAWN = "withdrawn", "Withdrawn"
        VOID = "void", "Cancelled"

    batch = models.OneToOneField(
        Batch, models.CASCADE, primary_key=True, related_name="approval", editable=False
    )
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    reasons = models.JSONField(help_text="Each with its facts, as the policy of the project gave.")
    file_sha256 = models.CharField(max_length=64)
    price_tag = models.CharField(max_length=64)
    expected_usd = MoneyField(null=True, help_text="When the approval was asked for.")
    most_usd = MoneyField(null=True, help_text="Empty if nothing limited the cost.")
    asked_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    note = models.CharField(max_length=MAX_NOTE_LENGTH, blank=True)

    objects = ApprovalRequestManager()

    class Meta:
        ordering = ["-asked_at", "-pk"]
        indexes = [
            # Few wait; each page of an owner counts them.
            models.Index(
                fields=["batch"],
                name="approvals_waiting",
                condition=models.Q(state="pending"),
            ),
        ]

    def __str__(self) -> str:
        return f"approval of {self.batch}: {self.state}"

    @property
    def is_pending(self) -> bool:
        return self.state == self.State.PENDING

    def close(self, state: str, person: User | None = None, *, note: str = "") -> ProviderBatch:
        """Let the batch run if ``state`` is approved, and have it cancelled otherwise.

        Call this in a transaction. The UPDATE of the batch decides between two persons. A
        cancelled batch gets its provider batch as well: workers write its results, so that they
        can be retried, and never send it.

        Raises:
            StaleRow: somebody else decided at this moment, or the batch expires; roll back.
        """
        if self.batch.status != Batch.Status.AWAITING_APPROVAL:
            raise StaleRow(f"batch {self.batch_id}")
        now = timezone.now()
        is_approved = state == self.State.APPROVED
        self.batch.move_to(
            Batch.Status.RUNNING,
            next_check_at=None,
            cancel_requested_at=None if is_approved else now,
        )
        self.state, self.decided_at, self.note = state, now, note
        self.decided_by = person
        self.save(update_fields=["state", "decided_at", "decided_by", "note"])
        return ProviderBatch.objects.create(
            batch=self.batch, total=self.batch.requests, next_check_at=now
        )

    def tell(
        self,
        kind: EventKind,
        audit: AuditKind,
        person: User | None,
        *,
        address: str = "",
        **data: Any,
    ) -> None:
        """Store what happened in the timeline, in the audit and for those who are told of it.

        Those who may approve are told what is asked for, and the asker what was decided.
        """
        Event.objects.create(batch=self.batch, actor=person, kind=kind, data=data)
        AuditEvent.objects.record(
            audit,
            person,
            self.batch.project,
            address=address,
            batch=self.batch.name,
            batch_id=str(self.batch.pk),
            **data,
        )
        asked = kind == EventKind.APPROVAL_ASKED
        Notice.objects.record(
            NoticeKind.APPROVAL_ASKED if asked else NoticeKind.APPROVAL_DECIDED,
            self.batch.project,
            batch=self.batch,
            person=self.batch.created_by,
            once=self.state,
            name=self.batch.name,
            state=self.state,
            by=str(person or ""),
            estimate=None if self.expected_usd is None else str(self.expected_usd),
            note=data.get("note", ""),
            reasons=self.reasons,
        )
