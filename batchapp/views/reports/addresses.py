"""The addresses of a report on other days, or on one of its groups alone."""

from urllib.parse import urlencode

from batchapp.domain.reports.periods import days_of
from batchapp.forms.reports import BY, GROUP_NAMES, ONLY_NAMES, WITHOUT_NAMES
from batchapp.http import Request
from batchapp.presenters.report_text import group_name
from batchapp.services.reports import cost_report
from batchapp.services.reports.cross_tab import TIME, CrossTab
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.services.reports.line import Line
from batchapp.services.reports.scope import Scope

DRILL_DOWN = {"model": "project"}  # by what a group opens, if not by model
KEPT_BY_TABS = ("first", "last", *DIMENSIONS, "without", "sandbox")


def address(request: Request, **changes: object) -> str:
    """Return the address of the first page of this report with ``changes``."""
    values: dict[str, object] = request.GET.dict() | changes | {"page": "", "all": ""}
    return f"?{urlencode({name: value for name, value in values.items() if value})}"


def of_tabs(request: Request) -> str:
    """Return the parameters that the other pages of the report take over."""
    given = request.GET.dict()
    kept = {name: given[name] for name in KEPT_BY_TABS if given.get(name)}
    return f"?{urlencode(kept)}" if kept else ""


def group_address(request: Request, scope: Scope, by: str, line: Line) -> str:
    """Return the address of the report on the group of ``line`` alone, "" if there is none."""
    narrowing = _narrowing(scope, by, line.key)
    return address(request, **narrowing, by=_below(by)) if narrowing else ""


def cell_address(
    request: Request, scope: Scope, table: CrossTab, row: str | None, column: str | None
) -> str:
    """Return the address of the report on a row, a column or a cell of ``table``, or "".

    The keys are those of the groups, None for the total of the other side.
    """
    changes: dict[str, object] = {"by": _below(table.by), "across": ""}
    for dimension, key in ((table.by, row), (table.across, column)):
        if key is None:
            continue
        if dimension == TIME:
            first, last = days_of(key, table.unit, scope.first, scope.last)
            changes |= {"first": first, "last": last}
        elif narrowing := _narrowing(scope, dimension, key):
            changes |= _joined(changes, narrowing)
        else:
            return ""
    return address(request, **changes)


def period_address(request: Request, scope: Scope, line: Line) -> str:
    """Return the address of the report on the period of ``line`` alone, "" if it is this page."""
    first, last = cost_report.period_of(scope, line)
    if (first, last) == (scope.first, scope.last):
        return ""
    return address(request, first=first, last=last)


def narrowed_to(request: Request, scope: Scope) -> list[tuple[str, str, str]]:
    """Return kind, name and the address without it, of each group that the report is of."""
    without = [name for name in scope.without.split(",") if name]
    groups = [
        (
            GROUP_NAMES[name],
            "none",
            address(request, without=",".join(other for other in without if other != name)),
        )
        for name in without
    ]
    if scope.only:
        groups.append(("Batches", ONLY_NAMES[scope.only], address(request, only="")))
    return groups + [
        (GROUP_NAMES[name], group_name(name, scope.name_of(name)), address(request, **{name: ""}))
        for name in GROUP_NAMES
        if getattr(scope, name)
    ]


def _below(by: str) -> str:
    """Return by what the report on one group is grouped."""
    return DRILL_DOWN.get(by, "model") if by != TIME else BY


def _narrowing(scope: Scope, by: str, key: str) -> dict[str, object]:
    """Return the parameters that narrow ``scope`` to a group of ``by``; none if no address can.

    A report on one tag has lines of the other tags of its batches: no address names two tags.
    """
    if DIMENSIONS[by].costs_overlap and getattr(scope, by) not in {"", key}:
        return {}
    if key or by not in WITHOUT_NAMES:
        return {by: key}
    return {"without": _names({by, *scope.without.split(",")})}


def _joined(changes: dict[str, object], narrowing: dict[str, object]) -> dict[str, object]:
    """Join what two groups of a cell say of ``without``, as for no tag and no cost centre."""
    both = f"{changes.get('without', '')},{narrowing.get('without', '')}"
    names = _names(set(both.split(",")))
    return narrowing | ({"without": names} if names else {})


def _names(without: set[str]) -> str:
    return ",".join(name for name in WITHOUT_NAMES if name in without)
