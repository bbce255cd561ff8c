"""How a cost compares with that of the period before."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from batchapp.services.reports import cost_report
from batchapp.services.reports.line import Line
from batchapp.services.reports.scope import Scope
from batchapp.templatetags.words import usd

AS_BEFORE = "as before"
MINUS = "\u2212"
MOST_PERCENT = 1000  # beyond this, a percentage says less than the two amounts


class Change(NamedTuple):
    """``text`` is short, such as "+12 % against October"; ``title`` names the amount before.

    ``amount`` is the difference, such as "+$1.20", and ``percent`` alone "+12 %" or "as before".
    """

    text: str
    title: str
    amount: str = ""
    percent: str = ""


def change_since_before(scope: Scope, now: Line, today: date) -> Change | None:
    """Compare ``now``, the sum of ``scope``; None if nothing can be told.

    A period that is not over is compared with as many days, which the text then names.
    """
    earlier = scope.before(today)
    before = earlier and cost_report.sum_all(earlier[0])
    if not earlier or not before or not before.cost_usd or before.unpriced or now.unpriced:
        return None
    name = earlier[1]
    running = "; today is not over" if scope.last >= today else ""
    title = f"{usd(before.cost_usd)} in {name}{running}"
    percent = _percent(now.cost_usd, before.cost_usd)
    amount = signed_usd(now.cost_usd - before.cost_usd)
    text = f"{percent} against {name}" if percent else f"as in {name}"
    return Change(text, title, amount, percent or AS_BEFORE)


def changes_of(lines: list[Line], earlier: Mapping[str, Line]) -> dict[str, Change]:
    """Return the change of each line by its key, against the line that had the key before.

    A line with an unknown cost, now or before, has none.
    """
    changes = {}
    for line in lines:
        before = earlier.get(line.key)
        if line.unpriced or (before and before.unpriced):
            continue
        if before is None or not before.cost_usd:
            changes[line.key] = Change("", "Nothing was spent before", percent="new")
            continue
        percent = _percent(line.cost_usd, before.cost_usd) or AS_BEFORE
        amount = signed_usd(line.cost_usd - before.cost_usd)
        changes[line.key] = Change("", f"{usd(before.cost_usd)} before", amount, percent)
    return changes


def signed_usd(amount: Decimal) -> str:
    """Show a difference with its sign."""
    sign = "+" if amount > 0 else MINUS if amount else ""
    return f"{sign}{usd(abs(amount))}"


def _percent(now: Decimal, before: Decimal) -> str:
    """Return the change in whole per cent, "" if there is none."""
    percent = round(100 * (now - before) / before)
    if not percent:
        return ""
    if percent > MOST_PERCENT:
        return f"{now / before:,.0f} times as much"
    return f"{'+' if percent > 0 else MINUS}{abs(percent):,} %"
