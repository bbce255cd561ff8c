"""Budgets as pages show them: figures, and a bar of what is spent, reserved and free."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from batchapp.domain.money.budgets import Limit
from batchapp.models import Budget
from batchapp.presenters.budget_text import month_name
from batchapp.services.budgets.budget_use import BudgetAfter, BudgetUse
from batchapp.templatetags.words import usd

OVER_TEXTS: Mapping[str, str] = {
    Budget.Over.STOP: "An order that does not fit is refused.",
    Budget.Over.APPROVAL: "An order that does not fit needs approval.",
    Budget.Over.TELL: "An order that does not fit is placed, and the owners are told.",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a meter in per cent of its width; ``kind`` is "spent" or "reserved"."""

    kind: str
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class Meter:
    """The figures of a budget as texts, and its bar; ``percent`` is what is used of it.

    ``tone`` is "bad" for an exceeded budget, "warn" from four fifths on, else "".
    """

    spent: str
    reserved: str
    free: str
    amount: str
    percent: int
    tone: str
    label: str
    bars: list[Bar]


@dataclass(frozen=True, slots=True)
class BudgetCard:
    """A budget with its meter, and what a page says of it."""

    budget: Budget
    title: str
    month: str
    meter: Meter
    rule: str
    note: str


@dataclass(frozen=True, slots=True)
class AfterRow:
    """What an order would leave of one budget."""

    title: str
    text: str
    is_short: bool


def meter_of(limit: Limit) -> Meter:
    """Return the meter of ``limit``; an unknown cost makes its figures "at least"."""
    use = limit.use
    at_least = "≥ " if use.unknown else ""
    whole = max(limit.amount, use.total)
    shares = [
        Decimal(100) * amount / whole if whole else Decimal(0)
        for amount in (use.spent, use.reserved)
    ]
    percent = int(100 * use.total / limit.amount) if limit.amount else 100 * bool(use.total)
    spent, reserved = f"{at_least}{usd(use.spent)}", usd(use.reserved)
    free, amount = usd(limit.free), usd(limit.amount)
    return Meter(
        spent=spent,
        reserved=reserved,
        free=free,
        amount=amount,
        percent=percent,
        tone=_tone(limit, percent),
        label=f"{spent} spent and {reserved} reserved of {amount}, {free} free",
        bars=[
            Bar("spent", "0", f"{shares[0]:.1f}"),
            Bar("reserved", f"{shares[0]:.1f}", f"{shares[1]:.1f}"),
        ],
    )


def budget_card(use: BudgetUse) -> BudgetCard:
    return BudgetCard(
        use.budget,
        budget_title(use.budget),
        month_name(use.month),
        meter_of(use.limit),
        OVER_TEXTS[use.budget.when_over],
        _note(use),
    )


def budget_title(budget: Budget) -> str:
    """Return the name of a budget as a heading."""
    name = budget.name
    return {
        Budget.Kind.PROJECT: "Whole project",
        Budget.Kind.PERSON: name,
        Budget.Kind.PORTAL_KEY: f"Portal key {name}",
        Budget.Kind.MODEL: name,
    }[Budget.Kind(budget.kind)]


def after_rows(budgets: list[BudgetAfter]) -> list[AfterRow]:
    """Return what an order would leave of each budget."""
    return [AfterRow(budget_title(row.budget), _after(row), not row.has_room) for row in budgets]


def _after(row: BudgetAfter) -> str:
    if row.added is None or row.left is None:
        return "What this order costs is not known, so it cannot be reserved."
    added, amount = usd(row.added), usd(row.limit.amount)
    if row.left < 0:
        free = usd(row.limit.free)
        return f"{added} to reserve, {free} of {amount} free: {usd(-row.left)} short"
    return f"{added} to reserve, then {usd(row.left)} of {amount} free"


def _note(use: BudgetUse) -> str:
    budget, limit = use.budget, use.limit
    if budget.is_orphaned:
        return "It was deleted, so nothing counts here any more."
    if limit.is_exceeded:
        return (
            f"{usd(limit.use.total - limit.amount)} more than the budget is spent or reserved. "
            "Nothing is cancelled; new orders do not fit."
        )
    if limit.use.unknown:
        return "What some batches cost is not known, so that more may be spent than it says."
    return ""


def _tone(limit: Limit, percent: int) -> str:
    if limit.is_exceeded:
        return "bad"
    return "warn" if percent >= 80 else ""  # the level before the last
