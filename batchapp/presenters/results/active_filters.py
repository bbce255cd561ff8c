"""The conditions of a page of results as chips, each with the address without it."""

from dataclasses import dataclass
from decimal import Decimal

from batchapp.domain.results.result_filter import PROBLEM, RangeFilter, ResultView, ValueFilter
from batchapp.forms.batches.results import address
from batchapp.presenters.results.facet_charts import number_text, value_text, without_condition
from batchapp.presenters.results.result_columns import label_of
from batchapp.services.results.columns.columns_reader import ColumnsReader
from batchapp.services.results.problems import describe_problem


@dataclass(frozen=True, slots=True)
class ActiveFilter:
    """A condition in words; ``url`` is the page without it."""

    label: str
    text: str
    url: str


def active_filters(view: ResultView, reader: ColumnsReader | None) -> list[ActiveFilter]:
    """Return the conditions on columns; search and outcome are shown in their own places."""
    conditions = [(value.column, _text(value, reader)) for value in view.chosen.values]
    conditions += [(limits.column, range_text(limits)) for limits in view.chosen.ranges]
    return [
        ActiveFilter(
            label_of(column, reader),
            text or "empty",
            address(view, chosen=without_condition(view.chosen, column), page=1),
        )
        for column, text in conditions
    ]


def _text(condition: ValueFilter, reader: ColumnsReader | None) -> str:
    if condition.value is None:
        return "none"
    if condition.column == PROBLEM:
        text = describe_problem(reader, condition.value) if reader else "one kind"
        return value_text(PROBLEM, text)
    return value_text(condition.column, condition.value)


def range_text(limits: RangeFilter) -> str:
    show = number_text(limits.column)
    low, high = (
        None if end is None else show(Decimal(repr(end))) for end in (limits.low, limits.high)
    )
    if high is None:
        return f"from {low} on"
    if low is None:
        return f"below {high}" if limits.is_open else f"up to {high}"
    return low if low == high else f"{low} to {high}"
