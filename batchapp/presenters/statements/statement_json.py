"""A statement as data: its sums, its groups and some of its lines, with exact amounts as text."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django.utils import timezone

from batchapp.models import Project, Statement, StatementLine
from batchapp.presenters.direct_text import direct_json
from batchapp.services.statements.sums import Total

COUNTS = ("requests", "answers", "input_tokens", "output_tokens", "cached_tokens")


def statement_json(
    project: Project,
    month: date,
    statement: Statement | None,
    *,
    total: Total,
    groups: Mapping[str, Iterable[Total]],
    lines: Iterable[StatementLine],
) -> dict[str, Any]:
    """Return the closed ``statement``, or without one the running total of ``month``.

    The sums of the total and the groups are of batches, and each says what its single requests
    have cost beside them; ``in_all`` has both.
    """
    return {
        "object": "statement",
        "project": project.slug,
        "name": statement.project_name if statement else project.name,
        "month": f"{month:%Y-%m}",
        "time_zone": timezone.get_default_timezone_name(),
        "currency": "USD",
        "closed_at": statement.closed_at if statement else None,
        "version": statement.version if statement else None,
        "total": _sums(total),
        "single_requests": direct_json(total.direct),
        "in_all": direct_json(total.in_all),
        "groups": {
            by: [
                {"name": row.name, **_sums(row), "single_requests": direct_json(row.direct)}
                for row in rows
            ]
            for by, rows in groups.items()
        },
        "lines": [_line(line) for line in lines],
    }


def _sums(total: Total) -> dict[str, Any]:
    is_unknown = total.unpriced and not total.cost_usd
    return {
        "batches": total.batches,
        **{name: getattr(total, name) for name in COUNTS},
        "cost_usd": None if is_unknown else _plain(total.cost_usd),
        "adjustments_usd": _plain(total.adjustments_usd),
        "lines_without_price": total.unpriced,
    }


def _line(line: StatementLine) -> dict[str, Any]:
    earlier = line.earlier
    return {
        "number": line.number or None,
        "kind": str(line.kind),
        "adjusts_month": f"{earlier.statement.month:%Y-%m}" if earlier else None,
        "finished_at": line.finished_at,
        "batch": str(line.batch_id),
        "batch_name": line.batch_name,
        "person": line.person,
        "cost_centre": line.cost_centre,
        "tags": line.tags,
        "model": line.model,
        "window": line.window,
        **{name: getattr(line, name) for name in COUNTS},
        "cost_usd": None if line.cost_usd is None else _plain(line.cost_usd),
        "total_usd": None if line.total_usd is None else _plain(line.total_usd),
    }


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"
