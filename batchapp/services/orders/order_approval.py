"""Ask for the approval of an order, and let an approved batch run at the prices of then."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.money.approval_policy import ApprovalReason, CostFigures
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    REALTIME,
    ApprovalRequest,
    AuditKind,
    Batch,
    EventKind,
    ModelCost,
    Project,
    Reservation,
    StaleRow,
    User,
)
from batchapp.models.fields.money_field import rounded
from batchapp.services.orders import order_checks, price_quotes

Reasons = list[dict[str, Any]]


def reasons_for(
    project: Project, quotes: Mapping[str, Estimate], window: str, fallback: str = ""
) -> Reasons:
    """Return why an order in ``project`` needs approval; nothing if it needs none.

    Of ``window`` and ``fallback``, the window that costs more counts.
    """
    figures = [_figures_of(quotes[name]) for name in (window, fallback) if name]
    by_window = [project.approval_policy.reasons(row) for row in figures]
    return max(by_window, key=_weight)


def over_budget(short: Sequence[Mapping[str, Any]]) -> Reasons:
    """Return a reason for each budget that has too little left and asks for approval then."""
    return [{"reason": ApprovalReason.OVER_BUDGET, **facts} for facts in short]


def _weight(reasons: Reasons) -> tuple[int, Decimal]:
    amounts = (Decimal(row.get("amount", 0)) for row in reasons)
    return len(reasons), max(amounts, default=Decimal(0))


def _figures_of(quote: Estimate) -> CostFigures:
    return CostFigures(
        _rounded_sum([model.expected_usd for model in quote.models]),
        quote.ceiling_usd and rounded(quote.ceiling_usd),
        sum(model.unbounded_requests for model in quote.models),
        quote.unpriced,
    )


def _rounded_sum(amounts: Sequence[Decimal | None]) -> Decimal | None:
    """Add up the known amounts, rounded as they are stored; None if none is known."""
    known = [rounded(amount) for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known else None


def cost_figures(model_costs: Sequence[ModelCost]) -> CostFigures:
    """Return what a batch with these costs, stored or not, is expected to cost and may cost."""
    most = [row.estimated_ceiling_usd for row in model_costs]
    return CostFigures(
        _rounded_sum([row.estimated_cost_usd for row in model_costs]),
        None if None in most else _rounded_sum(most),
        sum(row.unbounded_requests or 0 for row in model_costs),
        [row.model for row in model_costs if row.unit_price is None],
    )


def ask_approval(
    batch: Batch,
    user: User,
    reasons: Reasons,
    quotes: Mapping[str, Estimate],
    expires_at: datetime,
) -> ApprovalRequest:
    """Store that ``batch``, whose costs are stored, waits for approval until it expires.

    Call this in the transaction that stores the batch.
    """
    figures = cost_figures(list(batch.model_costs.all()))
    request = ApprovalRequest.objects.create(
        batch=batch,
        reasons=reasons,
        file_sha256=batch.upload.sha256,
        price_tag=_price_tag(batch, quotes),
        expected_usd=figures.expected_usd,
        most_usd=figures.most_usd,
        expires_at=expires_at,
    )
    request.tell(
        EventKind.APPROVAL_ASKED,
        AuditKind.APPROVAL_ASKED,
        user,
        reasons=reasons,
        expected=_text(figures.expected_usd),
    )
    return request


def expiry_of(project: Project, now: datetime) -> datetime:
    """Return until when a batch that is ordered ``now`` may be approved."""
    return now + timedelta(days=project.approval_days)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the approval of a batch would let it cost, at the prices of one instant.

    ``model_costs`` are not stored yet if ``has_changed``, since a price changed after the order.
    """

    model_costs: Sequence[ModelCost]
    figures: CostFigures
    tag: str
    has_changed: bool
    sent_first: int


def offer_of(request: ApprovalRequest, at: datetime) -> Offer:
    """Quote the batch of ``request`` at the prices of ``at``; what is learned since is left out.

    Raises:
        Refused: the file has no report any more.
    """
    batch = request.batch
    report = order_checks.checked_report(batch.upload)
    before = request.asked_at
    names = {batch.window, batch.fallback_window, REALTIME} - {""}
    histories = price_quotes.histories_for(report, batch.project, batch.created_by, before)
    quotes = price_quotes.quote(
        report,
        batch.connection,
        sorted(names),
        at,
        histories,
        project=batch.project,
        before=before,
    )
    tag = _price_tag(batch, quotes)
    if tag == request.price_tag:
        stored = list(batch.model_costs.all())
        return Offer(stored, cost_figures(stored), tag, has_changed=False, sent_first=0)
    if batch.sent_first:
        quotes = price_quotes.sending_first(quotes)
    model_costs = price_quotes.frozen_model_costs(batch, report, quotes)
    sent_first = quotes[batch.window].sent_first if batch.sent_first else 0
    return Offer(
        model_costs, cost_figures(model_costs), tag, has_changed=True, sent_first=sent_first
    )


def approve(
    request: ApprovalRequest,
    user: User,
    *,
    shown_prices: str,
    note: str = "",
    address: str = "",
) -> None:
    """Let the batch of ``request`` run, at the prices of this instant, which become its own.

    ``shown_prices`` is the ``tag`` of the offer on which the person decided. All is written or
    nothing, and the provider batch is made once, whoever else decides at this moment.

    Raises:
        NotAllowed: also if the key pays for nothing more, or the project is archived; nothing was
            written.
        Refused: nothing was written.
    """
    batch = request.batch
    access.require_approve(user, batch)
    require_pending(request)
    order_checks.refuse_changed(request)
    offer = offer_of(request, timezone.now())
    if shown_prices != offer.tag:
        raise Refused(Refusal.APPROVAL_PRICES_CHANGED)
    try:
        with transaction.atomic():
            access.require_open(batch.project)
            order_checks.require_connection_in_use(batch.connection)
            request.close(ApprovalRequest.State.APPROVED, user, note=note)
            if offer.has_changed:
                _freeze(batch, offer)
            request.tell(
                EventKind.APPROVED,
                AuditKind.BATCH_APPROVED,
                user,
                address=address,
                note=note,
                before={"expected_usd": _text(request.expected_usd)},
                after={"expected_usd": _text(offer.figures.expected_usd)},
            )
    except StaleRow as exc:
        raise _decided(request) from exc


def _freeze(batch: Batch, offer: Offer) -> None:
    """Give the batch the prices and the estimate that were approved, and reserve its cost."""
    batch.model_costs.all().delete()
    ModelCost.objects.bulk_create(offer.model_costs)
    Reservation.objects.hold_anew(batch, offer.model_costs)
    figures = offer.figures
    expected = None if figures.unpriced else figures.expected_usd
    Batch.objects.filter(pk=batch.pk).update(
        estimated_cost_usd=expected, sent_first=offer.sent_first
    )


def require_pending(request: ApprovalRequest) -> None:
    """Raise ``Refused`` if it was decided before, or its time is over."""
    if not request.is_pending or request.expires_at <= timezone.now():
        raise _decided(request)


def _decided(request: ApprovalRequest) -> Refused:
    request.refresh_from_db()
    is_late = request.is_pending and request.expires_at <= timezone.now()
    state = ApprovalRequest.State.EXPIRED if is_late else request.state
    person = str(request.decided_by or "")
    return Refused(Refusal.APPROVAL_DECIDED, state=state, person=person)


def _price_tag(batch: Batch, quotes: Mapping[str, Estimate]) -> str:
    """Return the tag of the prices that ``batch`` may be charged."""
    names = [batch.window, batch.fallback_window]
    return price_quotes.price_tag({name: quotes[name] for name in names if name})


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
