"""What approvals say: why a batch needs one, what was decided, and who may decide."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from batchapp.domain.money.approval_policy import ApprovalReason
from batchapp.models import ApprovalRequest, Batch, Budget, User
from batchapp.presenters.sentences import Data
from batchapp.services.approvals.policy import approvers_of
from batchapp.templatetags.words import count, short, usd

MAX_NAMED = 3  # people, or models, that a sentence names


def reasons_text(reasons: Iterable[Data]) -> str:
    """Say why a batch needs approval, one sentence for each reason."""
    return " ".join(reason_text(reason) for reason in reasons)


def reason_text(reason: Data) -> str:
    return SENTENCES[ApprovalReason(reason["reason"])](reason)


def _above_amount(data: Data) -> str:
    amount, limit = usd(Decimal(data["amount"])), usd(Decimal(data["limit"]))
    cost = "may cost up to" if data["by_most"] else "is expected to cost"
    return f"It {cost} {amount}, and the project asks for approval above {limit}."


def _unbounded(data: Data) -> str:
    requests = data["requests"]
    verb = "sets" if requests == 1 else "set"
    return f"Nothing limits its cost: {count(requests, 'request')} {verb} no max_tokens."


def _unpriced(data: Data) -> str:
    models = data["models"]
    names = ", ".join(short(model) for model in models[:MAX_NAMED])
    more = f" and {count(len(models) - MAX_NAMED, 'other model')}" if models[MAX_NAMED:] else ""
    return (
        f"Its cost is not known: {names}{more} {'has' if len(models) == 1 else 'have'} no price."
    )


def _over_budget(data: Data) -> str:
    """Name the budget; how much is left of that of a person or key only these and owners read."""
    kind, name = Budget.Kind(data["budget_kind"]), data["budget_name"]
    budget = {
        Budget.Kind.PROJECT: "the budget of the project",
        Budget.Kind.PERSON: f"the budget of {name}",
        Budget.Kind.PORTAL_KEY: f"the budget of the portal key {name}",
        Budget.Kind.MODEL: f"the budget for {name}",
    }[kind]
    if data["unknown"]:
        return f"Its cost is not known, so it cannot be reserved from {budget}."
    if kind in {Budget.Kind.PERSON, Budget.Kind.PORTAL_KEY}:
        return f"It goes over {budget} in this month."
    needed, free = usd(Decimal(data["needed"])), usd(Decimal(data["free"]))
    return f"It needs {needed}, and {budget} has {free} left in this month."


SENTENCES = {
    ApprovalReason.ABOVE_AMOUNT: _above_amount,
    ApprovalReason.OVER_BUDGET: _over_budget,
    ApprovalReason.UNBOUNDED: _unbounded,
    ApprovalReason.UNPRICED: _unpriced,
}


def approvers_text(approvers: Sequence[User]) -> str:
    """Say who may approve a batch."""
    names = [str(person) for person in approvers[:MAX_NAMED]]
    if len(approvers) > MAX_NAMED:
        names.append(count(len(approvers) - MAX_NAMED, "other owner"))
    if not names:
        return (
            "Nobody may approve it: the project has no other owner, and owners may not approve "
            "their own batches."
        )
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return f"{listed} may approve it."


def decision_text(request: ApprovalRequest) -> str:
    """Say how the waiting of a batch ended; "" while it waits."""
    state, by = ApprovalRequest.State, str(request.decided_by or "somebody who left")
    note = f": {request.note}" if request.note else "."
    sentences = {
        state.PENDING: "",
        state.APPROVED: f"Approved by {by}{note}",
        state.DENIED: f"Denied by {by}{note}",
        state.EXPIRED: "Nobody approved it in time, so it was cancelled. Nothing was sent.",
        state.WITHDRAWN: f"Withdrawn by {by} before it was approved.",
        state.VOID: f"Cancelled by {by} before it was approved.",
    }
    return sentences[state(request.state)]


def waiting_text(batch: Batch) -> str:
    """Say why ``batch`` waits for approval, and by whom it can be approved; "" if it does not."""
    request = ApprovalRequest.objects.filter(batch=batch).first()
    if request is None or not request.is_pending:
        return ""
    approvers = approvers_text(approvers_of(batch.project, batch.created_by))
    day = f"{timezone.localtime(request.expires_at):%-d %B %Y, %H:%M %Z}"
    return f"waits for approval until {day}. {reasons_text(request.reasons)} {approvers}"


def approval_facts(batch: Batch) -> dict[str, object] | None:
    """Return what a script may read of the approval of ``batch``; None if it needs none."""
    request = ApprovalRequest.objects.select_related("decided_by").filter(batch=batch).first()
    if request is None:
        return None
    approvers = approvers_of(batch.project, batch.created_by) if request.is_pending else []
    return {
        "state": request.state,
        "reasons": request.reasons,
        "expires_at": request.expires_at.isoformat(),
        "approvers": [person.email for person in approvers],
        "decided_by": request.decided_by.email if request.decided_by else None,
        "note": request.note,
        "url": settings.PUBLIC_URL + reverse("batch_approval", args=[batch.pk]),
    }


@dataclass(frozen=True, slots=True)
class ApprovalNote:
    """What the page of a batch says of its approval; ``text`` is why it waits, or its end."""

    text: str
    approvers: str
    expires_at: datetime
    is_pending: bool
    url: str


def approval_note(batch: Batch) -> ApprovalNote | None:
    """Return what to say of a batch that waits, or that was cancelled before it was approved."""
    request: ApprovalRequest | None = getattr(batch, "approval", None)
    if request is None or request.state == ApprovalRequest.State.APPROVED:
        return None
    is_pending = request.is_pending
    return ApprovalNote(
        text=reasons_text(request.reasons) if is_pending else decision_text(request),
        approvers=approvers_text(approvers_of(batch.project, batch.created_by))
        if is_pending
        else "",
        expires_at=request.expires_at,
        is_pending=is_pending,
        url=reverse("batch_approval", args=[batch.pk]),
    )
