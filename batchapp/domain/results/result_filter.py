"""Choose results by their outcome, by a text, and by the values in their columns."""

from typing import NamedTuple

import msgspec

from batchapp.domain.results.outcome import GROUPS, Outcome

PROBLEM = "problem"  # the column with the key of the kind of problem


class ValueFilter(msgspec.Struct, frozen=True):
    """The results whose ``column`` has ``value``; None for those without one."""

    column: str
    value: str | None


class RangeFilter(msgspec.Struct, frozen=True):
    """The results whose number in ``column`` is from ``low`` to ``high``.

    ``low`` is included, and ``high`` as well unless the range ``is_open``.
    """

    column: str
    low: float | None = None
    high: float | None = None
    is_open: bool = False


class ResultFilter(msgspec.Struct, frozen=True):
    """The results that a page shows or an export has; every condition must hold.

    ``outcome`` is an outcome or a group of outcomes, "" for all. ``text`` is searched in id,
    question, answer and error, without regard to upper and lower case. ``own`` leaves out the
    answers of retries.
    """

    outcome: str = ""
    text: str = ""
    values: tuple[ValueFilter, ...] = ()
    ranges: tuple[RangeFilter, ...] = ()
    own: bool = False

    @property
    def outcomes(self) -> frozenset[Outcome]:
        """Return the outcomes that are chosen, none for all."""
        if not self.outcome:
            return frozenset()
        return GROUPS.get(self.outcome) or frozenset({Outcome(self.outcome)})

    @property
    def is_empty(self) -> bool:
        return not (self.outcome or self.text or self.values or self.ranges)

    @property
    def column_names(self) -> set[str]:
        """Return the columns that conditions on values and ranges name."""
        return {value.column for value in self.values} | {limits.column for limits in self.ranges}


class Sorting(NamedTuple):
    """The order of results: by a column, and by line among equal values."""

    column: str = "line"
    is_descending: bool = False


BY_LINE = Sorting()
PAGE_SIZES = (50, 100)  # results on a page; the first unless a person chooses another


class ResultView(msgspec.Struct, frozen=True):
    """The view of a list of results: its filter, its order and its columns.

    ``columns`` are names of columns beside line and custom_id, in their order; None for those
    that a batch of this kind usually has. ``page`` counts from 1.
    """

    chosen: ResultFilter = ResultFilter()
    sorting: Sorting = BY_LINE
    columns: tuple[str, ...] | None = None
    page: int = 1
    size: int = PAGE_SIZES[0]

    @property
    def start(self) -> int:
        """Return the position of the first result of the page, from 0."""
        return (self.page - 1) * self.size
