"""Say how far a month is, and what a line of a statement is about."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django import template
from django.utils import timezone

from batchapp.domain.money.statement_changes import LineKind
from batchapp.domain.months import month_after
from batchapp.models import MonthClosing, StatementLine
from batchapp.models.direct.direct_request import DirectSum
from batchapp.services.statements import calendar
from batchapp.services.statements.sums import Total
from batchapp.templatetags.words import count

register = template.Library()

CENT = Decimal("0.01")
KINDS = {LineKind.ADJUSTMENT: "Adjustment", LineKind.CREDIT: "Credit"}


@dataclass(frozen=True, slots=True)
class MonthState:
    """How far a month is; ``sentence`` says what comes next."""

    label: str
    tone: str
    icon: str
    sentence: str


def month_name(month: date) -> str:
    return f"{month:%B %Y}"


def month_state(month: date, closing: MonthClosing | None) -> MonthState:
    """Describe a month; ``closing`` is its row, None if it has none yet."""
    if closing and closing.status == MonthClosing.Status.CLOSED:
        closed_at = timezone.localtime(closing.closed_at)
        return MonthState("Closed", "quiet", "check", f"It was closed on {_day(closed_at)}.")
    if closing and closing.status == MonthClosing.Status.CLOSING:
        text = "The statements are being made. Look again in a minute."
        return MonthState("Being closed", "busy", "sum", text)
    due = calendar.closes_at(month)
    text = f"It is closed on {_day(timezone.localtime(due))}."
    if due < timezone.now():
        text = "It is due to be closed: a worker does so next."
    if calendar.is_over(month):
        return MonthState("Over, not closed", "warn", "clock", text)
    return MonthState("Running total", "busy", "play", text)


def _day(day: date) -> str:
    return f"{day:%-d %B %Y}"


def days_of(month: date) -> str:
    """Return the first and the last day of a month."""
    return f"1\N{EN DASH}{_day(month_after(month) - timedelta(days=1))}"


@register.filter
def exact_usd(amount: Decimal | None) -> str:
    """Show every digit of an amount, at least those of cents, so that a column adds up."""
    if amount is None:
        return "no price"
    text = f"{abs(amount).quantize(CENT) if amount == amount.quantize(CENT) else abs(amount):,f}"
    text = text if amount == amount.quantize(CENT) else text.rstrip("0")
    return f"{'-' if amount < 0 else ''}${text}"


@register.filter
def total_usd(total: Total | DirectSum) -> str:
    """Show a sum; with unknown costs in it, it is a minimum, and without a known one no price."""
    return at_least(total.cost_usd, total.unpriced)


def at_least(amount: Decimal, unpriced: int) -> str:
    if not unpriced:
        return exact_usd(amount)
    return f"at least {exact_usd(amount)}" if amount else "no price"


@register.filter
def without_price(number: int) -> str:
    return f"{count(number, 'line')} without a price"


@register.filter
def line_note(line: StatementLine) -> str:
    """Say what an adjustment is about; "" for a batch of the month."""
    if line.kind == LineKind.BATCH:
        return ""
    if line.earlier is None:
        month = month_name(timezone.localtime(line.finished_at).date())
        return f"Completed in {month}, and was on no statement"
    then, now = exact_usd(line.earlier.total_usd), exact_usd(line.total_usd)
    statement = month_name(line.earlier.statement.month)
    if then == now:
        return f"To the statement of {statement}: other counts, the same cost"
    return f"To the statement of {statement}: {then} then, {now} now"


@register.filter
def line_kind(line: StatementLine) -> str:
    return KINDS.get(LineKind(line.kind), "")
