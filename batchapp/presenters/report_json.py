"""A report as data: the cross-tab in JSON and in rows of a CSV."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from django.utils import timezone

from batchapp.domain.csv_list import escape_formula
from batchapp.forms.reports import ACROSS_NAMES
from batchapp.models.direct.direct_request import DirectSum
from batchapp.presenters.direct_text import direct_json
from batchapp.presenters.report_text import group_name
from batchapp.services.reports.cross_tab import TIME, CrossTab
from batchapp.services.reports.line import Line
from batchapp.services.reports.scope import Scope


def cross_tab_json(scope: Scope, table: CrossTab, direct: DirectSum) -> dict[str, Any]:
    """Return the table with exact amounts as text; cells without a cost are left out.

    The single requests of ``direct`` are a part of the total.
    """
    return {
        "object": "report",
        "first": scope.first.isoformat(),
        "last": scope.last.isoformat(),
        "time_zone": timezone.get_default_timezone_name(),
        "currency": "USD",
        "with_sandbox": scope.with_sandbox,
        "by": table.by,
        "across": table.across,
        "rows_overlap": table.rows_overlap,
        "columns_overlap": table.columns_overlap,
        "columns": [_group(table.across, line) for line in table.columns],
        "rows": [
            _group(table.by, row)
            | {
                "cells": {
                    column.key: _figures(table.cells[row.key, column.key])
                    for column in table.columns
                    if (row.key, column.key) in table.cells
                }
            }
            for row in table.rows
        ],
        "total": _figures(table.total),
        "single_requests": direct_json(direct),
    }


def cross_tab_rows(table: CrossTab) -> Iterator[list[object]]:
    """Yield a header, a row for each group and one of the totals; amounts are in USD.

    A cell is empty without a cost, or if no cost in it is known. The last column counts the costs
    without a price: with these, the amounts of the row are minimums.
    """
    yield [
        ACROSS_NAMES[table.by],
        *(escape_formula(group_name(table.across, column.name)) for column in table.columns),
        "Total",
        "Costs without a price",
    ]
    for row in table.rows:
        cells = (table.cells.get((row.key, column.key)) for column in table.columns)
        yield [
            escape_formula(group_name(table.by, row.name)),
            *(_amount(cell) or "" for cell in cells),
            _amount(row) or "",
            row.unpriced,
        ]
    yield [
        "Total, each batch once" if table.rows_overlap else "Total",
        *(_amount(column) or "" for column in table.columns),
        _amount(table.total) or "",
        table.total.unpriced,
    ]


def _group(dimension: str, line: Line) -> dict[str, Any]:
    name = line.name if dimension == TIME else group_name(dimension, line.name)
    return {"key": line.key, "name": name, **_figures(line)}


def _figures(line: Line) -> dict[str, Any]:
    return {
        "batches": line.batches,
        "requests": line.requests,
        "input_tokens": line.input_tokens,
        "output_tokens": line.output_tokens,
        "cached_tokens": line.cached_tokens,
        "cost_usd": _amount(line),
        "realtime_usd": _plain(line.realtime_usd),
        "saving_usd": _plain(line.saving_usd),
        "costs_without_price": line.unpriced,
    }


def _amount(line: Line | None) -> str | None:
    """Return the known cost; None without any, or if no cost is known."""
    if line is None or (line.unpriced and not line.cost_usd):
        return None
    return _plain(line.cost_usd)


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"
