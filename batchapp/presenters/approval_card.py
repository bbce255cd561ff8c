"""What the pages of approvals show of one batch that needs or needed approval."""

from dataclasses import dataclass
from decimal import Decimal

from batchapp.domain.money.approval_policy import CostFigures
from batchapp.models import ApprovalRequest, ModelCost, Project
from batchapp.presenters.approval_text import decision_text, reason_text
from batchapp.presenters.charts.rail import Rail, rail
from batchapp.templatetags.words import count, short, usd

State = ApprovalRequest.State
TONES = {
    State.PENDING: ("warn", "hold"),
    State.APPROVED: ("good", "check"),
    State.DENIED: ("bad", "cross"),
    State.EXPIRED: ("quiet", "clock"),
    State.WITHDRAWN: ("quiet", "stop"),
    State.VOID: ("quiet", "stop"),
}


@dataclass(frozen=True, slots=True)
class StateMark:
    """The label, colour and picture of the state of a request."""

    label: str
    tone: str
    icon: str


@dataclass(frozen=True, slots=True)
class ApprovalCard:
    """``cost`` and ``most`` are as they were when the approval was asked for."""

    request: ApprovalRequest
    mark: StateMark
    reasons: list[str]
    decision: str
    cost: str
    most: str
    models: str


def approval_card(request: ApprovalRequest) -> ApprovalCard:
    """Return the card of a request whose batch has its costs prefetched."""
    state = State(request.state)
    models = [short(row.model) for row in request.batch.model_costs.all()]
    return ApprovalCard(
        request,
        StateMark(str(state.label), *TONES[state]),
        [reason_text(reason) for reason in request.reasons],
        decision_text(request),
        cost_text(request.expected_usd, request),
        most_text(request.most_usd),
        models[0] if len(models) == 1 else count(len(models), "model"),
    )


def cost_text(amount: Decimal | None, request: ApprovalRequest) -> str:
    """Return "~$1.20"; a minimum, or no price, if models have none."""
    unpriced = any(row["reason"] == "unpriced" for row in request.reasons)
    return f"{'≥ ' if unpriced and amount is not None else '~' if amount else ''}{usd(amount)}"


def most_text(amount: Decimal | None) -> str:
    return "no limit" if amount is None else f"at most {usd(amount)}"


def figures_text(figures: CostFigures) -> str:
    """Return the expected cost at present prices, with the sign of an estimate or a minimum."""
    sign = "≥ " if figures.unpriced else "~"
    return (
        usd(figures.expected_usd) if not figures.expected_usd else sign + usd(figures.expected_usd)
    )


def offer_rail(model_costs: list[ModelCost], figures: CostFigures) -> Rail | None:
    """Draw the range of what the batch may cost; None if a price is missing."""
    lows = [row.estimated_low_usd for row in model_costs if row.estimated_low_usd is not None]
    if figures.unpriced or len(lows) < len(model_costs):
        return None
    return rail(sum(lows, Decimal(0)), figures.most_usd, expected=figures.expected_usd)


def policy_text(project: Project) -> str:
    """Say which batches of ``project`` need approval."""
    policy = project.approval_policy
    if policy.is_empty:
        return "No batch needs approval."
    cases = []
    if policy.above_usd is not None:
        cost = "may cost" if policy.by_most else "is expected to cost"
        cases.append(f"that {cost} more than {usd(policy.above_usd)}, or whose cost is not known")
    if policy.if_unbounded:
        cases.append("whose cost nothing limits")
    waits = count(project.approval_days, "day")
    return f"A batch {', or '.join(cases)} waits for approval by an owner, at most {waits}."
