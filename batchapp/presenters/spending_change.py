"""How the cost of a month compares with the same days of the month before."""

from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from batchapp.services.reports import cost_report
from batchapp.services.reports.cost_report import Line, Scope
from batchapp.templatetags.words import usd

MINUS = "\u2212"


class Change(NamedTuple):
    """``text`` is short, such as "+12 % against October"; ``title`` names the amount before."""

    text: str
    title: str


def change_since_month_before(scope: Scope, now: Line) -> Change | None:
    """Compare ``now``, the sum of ``scope``; None if that is no month, or nothing can be told.

    A month that is not over is compared with as many days, which the text then names.
    """
    earlier = month_before(scope)
    before = earlier and cost_report.sum_all(earlier.model_costs())
    if not earlier or not before or not before.cost_usd or before.unpriced or now.unpriced:
        return None
    percent = round(100 * (now.cost_usd - before.cost_usd) / before.cost_usd)
    name = _name(earlier)
    title = f"{usd(before.cost_usd)} in {name}"
    if not percent:
        return Change(f"as in {name}", title)
    return Change(f"{'+' if percent > 0 else MINUS}{abs(percent):,} % against {name}", title)


def month_before(scope: Scope) -> Scope | None:
    """Return the same days of the month before; None if ``scope`` is no month from its first day.

    A whole month is compared with a whole month, however many days each of them has.
    """
    following = (scope.first + timedelta(days=31)).replace(day=1)
    if scope.first.day != 1 or scope.last >= following:
        return None
    end = scope.first - timedelta(days=1)
    is_whole = scope.last + timedelta(days=1) == following
    last = end if is_whole else end.replace(day=min(scope.last.day, end.day))
    return replace(scope, first=end.replace(day=1), last=last)


def _name(month: Scope) -> str:
    """Return "October", or "1\u201328 October" if that is not all of it."""
    if (month.last + timedelta(days=1)).day == 1:
        return f"{month.first:%B}"
    days = f"1\u2013{month.last.day}" if month.last.day > 1 else "1"
    return f"{days} {month.first:%B}"
