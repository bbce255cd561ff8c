"""Prove that the closed statements add up: each to its lines, and each line to those before it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum, unique
from typing import Any, NamedTuple

from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Sum

from batchapp.domain.money.statement_changes import LineKind
from batchapp.models import Project, Statement, StatementLine

MAX_NAMED = 20  # lines of one statement; the others are counted


@unique
class StatementDifferenceCode(StrEnum):
    SUMS_DIFFER = "statement_sums_differ"
    LINE_DIFFERS = "statement_line_differs"


class StatementDifference(NamedTuple):
    """Something that does not add up; ``data`` names it, as JSON."""

    code: StatementDifferenceCode
    data: dict[str, Any]


@dataclass
class StatementProgress:
    statements: int = 0
    lines: int = 0
    on_change: Callable[["StatementProgress"], None] = field(default=lambda _: None, repr=False)


def closed_statements(project: Project | None) -> QuerySet[Statement]:
    rows = Statement.objects.closed()
    return rows.filter(project=project) if project else rows


def verify_statements(
    project: Project | None, progress: StatementProgress
) -> Iterator[StatementDifference]:
    """Compare each closed statement, of ``project`` or of all, with its lines."""
    statements = closed_statements(project).select_related("project").order_by("month", "pk")
    for statement in statements.iterator(chunk_size=100):
        yield from _verify_sums(statement)
        yield from _verify_lines(statement)
        progress.statements += 1
        progress.lines += statement.lines_number
        progress.on_change(progress)


_LATER = ~Q(kind=LineKind.BATCH)
_ADDED_UP = ("requests", "answers", "input_tokens", "output_tokens", "cached_tokens", "cost_usd")
_SUMS: dict[str, Any] = {
    "lines_number": Count("pk"),
    "last_number": Max("number"),
    "batches": Count("batch", distinct=True, filter=~_LATER),
    "adjustments_usd": Sum("cost_usd", filter=_LATER),
    "unpriced": Count("pk", filter=Q(cost_usd=None)),
    **{name: Sum(name) for name in _ADDED_UP},
}


def _verify_sums(statement: Statement) -> Iterator[StatementDifference]:
    # Under other names: an aggregate hides the column of its name from the others.
    of_lines = {f"found_{name}": column for name, column in _SUMS.items()}
    found = statement.lines.order_by().aggregate(**of_lines)
    counts = {}
    for name in _SUMS:
        is_last = name == "last_number"
        was = statement.lines_number if is_last else getattr(statement, name)
        now = found[f"found_{name}"] or type(was)(0)
        if was != now:
            counts[name] = [_plain(was), _plain(now)]
    if counts:
        data = _named(statement) | {"counts": counts}
        yield StatementDifference(StatementDifferenceCode.SUMS_DIFFER, data)


def _verify_lines(statement: Statement) -> Iterator[StatementDifference]:
    """Compare what each line says of the whole cost with all lines up to it.

    Lines without a total say that the cost is unknown, and prove nothing.
    """
    up_to = StatementLine.objects.order_by().filter(
        batch=OuterRef("batch"), model=OuterRef("model"), pk__lte=OuterRef("pk")
    )
    stated = up_to.values("batch").annotate(usd=Sum("cost_usd")).values("usd")
    lines = statement.lines.filter(total_usd__isnull=False).annotate(stated_usd=Subquery(stated))
    wrong = lines.exclude(stated_usd=F("total_usd")).order_by("number")
    named = list(wrong[: MAX_NAMED + 1])
    for line in named[:MAX_NAMED]:
        data = _named(statement) | {
            "line": line.number,
            "batch": str(line.batch_id),
            "usd": [_plain(line.total_usd), _plain(line.stated_usd or Decimal(0))],
        }
        yield StatementDifference(StatementDifferenceCode.LINE_DIFFERS, data)
    if len(named) > MAX_NAMED:
        data = _named(statement) | {"more": wrong.count() - MAX_NAMED}
        yield StatementDifference(StatementDifferenceCode.LINE_DIFFERS, data)


def _named(statement: Statement) -> dict[str, Any]:
    return {
        "project": statement.project.slug,
        "name": statement.project_name,
        "month": f"{statement.month:%Y-%m}",
    }


def _plain(value: Any) -> Any:
    return f"{value:f}" if isinstance(value, Decimal) else value
