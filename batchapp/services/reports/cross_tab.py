"""Add up the costs of a report by two dimensions at once."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from batchapp.domain.reports import periods
from batchapp.services.reports.cost_report import (
    SINCE,
    KeyAndName,
    Sums,
    by_columns,
    sum_all,
    sum_groups,
)
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.services.reports.line import (
    COST,
    SUMS,
    Line,
    Values,
    add,
    add_rows,
    dollars,
    line_of_values,
)
from batchapp.services.reports.scope import Scope

TIME = "time"  # the months of the range, or its years, beside the keys of ``DIMENSIONS``


class Cells(Mapping[tuple[str, str], Line]):
    """The sums of a table by the keys of row and column.

    A line is made when it is read: of thousands of cells a page shows some hundred.
    """

    def __init__(self, values: Mapping[tuple[str, str], Values]) -> None:
        self._values = values

    def __getitem__(self, keys: tuple[str, str]) -> Line:
        return line_of_values("", "", self._values[keys])

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    @property
    def largest_usd(self) -> Decimal:
        """Return the highest cost of a cell, 0 without any."""
        return dollars(max((values[COST] or 0 for values in self._values.values()), default=0))


@dataclass(frozen=True, slots=True)
class CrossTab:
    """The sums of each group of ``by`` in each group of ``across``.

    ``cells`` has those with a cost, by the keys of row and column. ``rows``, ``columns`` and
    ``total`` count each batch once. If costs overlap in the rows, the rows add up to more than
    the columns and the total; likewise with columns. ``unit`` is that of the periods of ``TIME``.
    """

    by: str
    across: str
    unit: str
    rows: list[Line]
    columns: list[Line]
    cells: Cells
    total: Line

    @property
    def rows_overlap(self) -> bool:
        return self.by != TIME and DIMENSIONS[self.by].costs_overlap

    @property
    def columns_overlap(self) -> bool:
        return self.across != TIME and DIMENSIONS[self.across].costs_overlap


def cross_tab(scope: Scope, by: str, across: str, sums: Sums | None = None) -> CrossTab:
    """Return the table of ``by`` and ``across``, which are different.

    Two queries give all cells, and two more each side whose sums they do not give, because groups
    of the other side have batches in common. ``sums`` are those of ``by`` if they are known; they
    may have the cells as well.
    """
    cells = _known_cells(scope, across, sums) or _cells(scope, by, across)
    known = {line.key: line for line in sums.lines} if sums else {}
    if not known and _groups_overlap(across):
        known = _once(scope, by)
    rows = _side(scope, by, [(row, values) for (row, _), values in cells.items()], known)
    once = _once(scope, across) if _groups_overlap(by) else {}
    columns = _side(
        scope, across, [(column, values) for (_, column), values in cells.items()], once
    )
    if sums:
        total = sums.total
    elif not _groups_overlap(by):
        total = add("", "Total", rows)
    elif not _groups_overlap(across):
        total = add("", "Total", columns)
    else:
        total = sum_all(scope)
    return CrossTab(
        by=by,
        across=across,
        unit=_unit(scope),
        rows=rows,
        columns=columns,
        cells=Cells({(row[0], column[0]): values for (row, column), values in cells.items()}),
        total=total,
    )


_Cells = dict[tuple[KeyAndName, KeyAndName], Values]


def _known_cells(scope: Scope, across: str, sums: Sums | None) -> _Cells:
    """Return the cells that ``sums`` has; none if its periods are not the columns."""
    of_range = _periods(scope)
    if across != TIME or sums is None or sums.unit != _unit(scope):
        return {}
    names = {period.key: period.name for period in of_range}
    return _added_up(
        ((group, _period(row[SINCE], names)), row)
        for group, rows in sums.rows.items()
        for row in rows
    )


def _cells(scope: Scope, by: str, across: str) -> _Cells:
    with_time = TIME in {by, across}
    of_range = _periods(scope)
    names = {period.key: period.name for period in of_range}
    dimensions = [name for name in (by, across) if name != TIME]
    found = by_columns(scope, *dimensions, of_range=of_range if with_time else ())

    def keys_of(row: Values) -> tuple[KeyAndName, KeyAndName]:
        groups = iter(row[len(SUMS) :])
        of = {dimension: _group(*islice(groups, 2)) for dimension in dimensions}
        if with_time:
            of[TIME] = _period(row[SINCE], names)
        return of[by], of[across]

    return _added_up((keys_of(row), row) for row in found)


def _added_up(rows: Iterable[tuple[tuple[KeyAndName, KeyAndName], Values]]) -> _Cells:
    """Return the sums of each cell, which may have a row of batches and one of requests."""
    cells: defaultdict[tuple[KeyAndName, KeyAndName], list[Values]] = defaultdict(list)
    for keys, row in rows:
        cells[keys].append(row)
    return {
        keys: values[0] if len(values) == 1 else add_rows(values) for keys, values in cells.items()
    }


def _period(key: str, names: Mapping[str, str]) -> KeyAndName:
    return key, names[key]


def _group(key: object, name: str | None) -> KeyAndName:
    return str(key or ""), name or ""


def _side(
    scope: Scope,
    dimension: str,
    values_of_groups: Iterable[tuple[KeyAndName, Values]],
    known: Mapping[str, Line],
) -> list[Line]:
    """Return the sums of one side: periods in their order, other groups by falling cost.

    The sums that are ``known`` by the key of their group are not added up.
    """
    of_groups: defaultdict[KeyAndName, list[Values]] = defaultdict(list)
    if dimension == TIME:
        of_groups |= {(period.key, period.name): [] for period in _periods(scope)}
    for group, values in values_of_groups:
        of_groups[group].append(values)
    lines = [
        known.get(group[0]) or line_of_values(*group, add_rows(values))
        for group, values in of_groups.items()
    ]
    if dimension == TIME:
        return sorted(lines, key=lambda line: line.key)
    return sorted(lines, key=lambda line: (-line.cost_usd, line.name.casefold(), line.key))


def _once(scope: Scope, dimension: str) -> dict[str, Line]:
    if dimension != TIME:
        return sum_groups(scope, dimension)
    of_range = _periods(scope)
    names = {period.key: period.name for period in of_range}
    of_periods: defaultdict[str, list[Values]] = defaultdict(list)
    for row in by_columns(scope, of_range=of_range):
        of_periods[row[SINCE]].append(row)
    return {
        key: line_of_values(key, names[key], add_rows(rows)) for key, rows in of_periods.items()
    }


def _unit(scope: Scope) -> str:
    return periods.month_or_year(scope.first, scope.last)


def _periods(scope: Scope) -> list[periods.Period]:
    return periods.periods(scope.first, scope.last, _unit(scope))


def _groups_overlap(dimension: str) -> bool:
    return dimension != TIME and DIMENSIONS[dimension].groups_overlap
