"""Every sum of the report, by whatever it is grouped, is a sum of the same costs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from random import Random
from typing import Any

import pytest

from batchapp.domain.batch_labels import Labels
from batchapp.domain.reports.periods import days_of
from batchapp.forms.date_range import presets
from batchapp.forms.reports import WITHOUT_NAMES
from batchapp.models import Batch, ModelCost, User
from batchapp.services.labels import batch_labels
from batchapp.services.reports import cost_report
from batchapp.services.reports.cost_report import portal_today
from batchapp.services.reports.cross_tab import TIME, CrossTab, cross_tab
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.services.reports.scope import Scope
from tests.make import (
    join,
    make_administrator,
    make_batch,
    make_key,
    make_portal_key,
    make_project,
    make_upload,
    make_user,
    request_line,
)

pytestmark = pytest.mark.django_db

GROUPINGS = [*DIMENSIONS, TIME]
BATCHES = 24


@pytest.fixture(scope="module")
def auditor(module_rows: None) -> User:
    """An administrator, and batches of two projects with all kinds of labels and odd amounts."""
    random = Random(17)  # no secret
    projects = [make_project(make_user(), name=f"Project {n}") for n in range(2)]
    uploads = {}
    for project in projects:
        content = f"{request_line(1)}\n{request_line(2, model='other/model')}\n".encode()
        uploads[project] = [make_upload(project), make_upload(project, content=content)]
    keys = {project: [make_key(project), make_key(project)] for project in projects}
    portal_keys = {
        project: [
            None,
            *(make_portal_key(join(make_user(), project), project).key for _ in range(2)),
        ]
        for project in projects
    }
    today = portal_today()
    for _ in range(BATCHES):
        project = random.choice(projects)
        batch = make_batch(
            project,
            upload=random.choice(uploads[project]),
            key=random.choice(keys[project]),
            window=random.choice(["24h", "1h"]),
        )
        tags = random.sample(["north", "south", "urgent"], random.randint(0, 3))
        labels = Labels(tuple(sorted(tags)), random.choice(["", "CC 1", "CC 2"]))
        batch_labels.set_labels(batch, batch.created_by, labels)
        day = today - timedelta(days=random.choice([0, 1, 20, 45, 80, 200, 390]))
        end = datetime(day.year, day.month, day.day, 0, 0, random.choice([0, 59]), tzinfo=UTC)
        Batch.objects.filter(pk=batch.pk).update(
            status=Batch.Status.COMPLETED,
            finished_at=end,
            portal_key=random.choice(portal_keys[project]),
        )
        for row in batch.model_costs.all():
            row.cost_usd = random.choice([None, Decimal(random.randint(0, 10**13)).scaleb(-8)])
            row.realtime_cost_usd = random.choice([None, Decimal(3)])
            row.save()
    return make_administrator()


def ranges() -> list[tuple[date, date]]:
    """Return every range on offer, and all of time."""
    today = portal_today()
    offered = [
        (date.fromisoformat(preset.first), date.fromisoformat(preset.last))
        for preset in presets(today, "", "")
        if preset.first
    ]
    return [*offered, (date(2000, 1, 1), date(2100, 12, 31))]


def raw(scope: Scope) -> tuple[Decimal, int]:
    """Add up the costs one by one, in Python."""
    costs = [row.cost_usd for row in scope.model_costs()]
    return sum((cost for cost in costs if cost is not None), Decimal(0)), costs.count(None)


def narrowed(scope: Scope, table: CrossTab, dimension: str, key: str) -> Scope:
    """Return the report on one group of a side of ``table``, as its link opens it."""
    changes: dict[str, Any] = {dimension: key}
    if dimension == TIME:
        first, last = days_of(key, table.unit, scope.first, scope.last)
        changes = {"first": first, "last": last}
    elif not key:
        both = {dimension, *scope.without.split(",")}
        changes = {"without": ",".join(name for name in WITHOUT_NAMES if name in both)}
    return replace(scope, **changes)


def opened(scope: Scope) -> tuple[Decimal, int]:
    """Add up the batches to which a figure leads."""
    rows = ModelCost.objects.filter(batch__in=scope.batches())
    if scope.model:
        rows = rows.filter(model=scope.model)
    costs = list(rows.values_list("cost_usd", flat=True))
    return sum((cost for cost in costs if cost is not None), Decimal(0)), costs.count(None)


# Each pair of groupings with one of the ranges, and each grouping by time with all of them.
CASES = [
    *((by, across, number % 5) for number, (by, across) in enumerate(permutations(GROUPINGS, 2))),
    *((by, TIME, number) for by in DIMENSIONS for number in range(5)),
]


@pytest.mark.parametrize(("by", "across", "number"), CASES)
def test_cells_rows_columns_and_the_batches_behind_them_are_one_sum(
    auditor: User, by: str, across: str, number: int
) -> None:
    scope = Scope(*ranges()[number], auditor)

    table = cross_tab(scope, by, across)

    total = raw(scope)
    assert (table.total.cost_usd, table.total.unpriced) == total == opened(scope)
    overlaps = (table.rows, table.rows_overlap), (table.columns, table.columns_overlap)
    for lines, overlap in overlaps:
        added = sum((line.cost_usd for line in lines), Decimal(0))
        assert added >= total[0] if overlap else added == total[0]
    for lines, dimension, cells in sides(table):
        for line in lines:
            of_group = narrowed(scope, table, dimension, line.key)
            assert (line.cost_usd, line.unpriced) == raw(of_group) == opened(of_group)
            added = sum((cell.cost_usd for cell in cells[line.key]), Decimal(0))
            other = table.columns_overlap if dimension == by else table.rows_overlap
            assert added >= line.cost_usd if other else added == line.cost_usd
    for (row, column), cell in table.cells.items():
        inside = narrowed(narrowed(scope, table, by, row), table, across, column)
        assert (cell.cost_usd, cell.unpriced) == raw(inside)


def sides(table: CrossTab) -> Iterator[tuple[Any, str, dict[str, list[Any]]]]:
    for lines, dimension, place in ((table.rows, table.by, 0), (table.columns, table.across, 1)):
        cells: dict[str, list[Any]] = {line.key: [] for line in lines}
        for keys, cell in table.cells.items():
            cells[keys[place]].append(cell)
        yield lines, dimension, cells


@pytest.mark.parametrize("by", [*DIMENSIONS])
def test_the_report_and_the_table_have_the_same_lines(auditor: User, by: str) -> None:
    scope = Scope(*ranges()[3], auditor)

    table = cross_tab(scope, by, TIME)
    sums = cost_report.sum_up(scope, by)

    assert {row.key: row for row in table.rows} == {line.key: line for line in sums.lines}
    assert table.total == sums.total
    assert cross_tab(scope, by, TIME, sums) == table
    assert cost_report.sum_groups(scope, by) == {row.key: row for row in table.rows}


def test_every_month_of_the_range_is_a_column_also_without_a_batch(auditor: User) -> None:
    scope = Scope(date(2020, 1, 31), date(2020, 4, 1), auditor)

    table = cross_tab(scope, "project", TIME)

    names = [column.name for column in table.columns]
    assert names == ["January 2020", "February 2020", "March 2020", "April 2020"]
    assert table.rows == []
    assert table.total.cost_usd == 0
