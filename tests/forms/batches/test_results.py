"""The address of a list of results: read and written."""

import pytest
from django.http import QueryDict

from batchapp.domain.results.result_filter import (
    RangeFilter,
    ResultFilter,
    ResultView,
    Sorting,
    ValueFilter,
)
from batchapp.forms.batches.results import MAX_CONDITIONS, ResultFilterForm, address

FULL = ResultView(
    chosen=ResultFilter(
        outcome="failed",
        text="ein Rücksack & more",
        values=(
            ValueFilter("field:label", "late: a=b&c"),
            ValueFilter("source:stars", None),
            ValueFilter("field:why", ""),
        ),
        ranges=(
            RangeFilter("input_tokens", 100, 199),
            RangeFilter("field:score", 0.1, 0.2, is_open=True),
            RangeFilter("cost_usd", None, 1e-7),
        ),
        own=True,
    ),
    sorting=Sorting("field:score", is_descending=True),
    columns=("source:stars", "field:label"),
    page=3,
    size=100,
)


def view_of(query: str) -> ResultView | None:
    return ResultFilterForm(QueryDict(query), has_retries=True).view


@pytest.mark.parametrize("view", [ResultView(), FULL])
def test_what_is_written_is_read(view: ResultView) -> None:
    assert view_of(address(view)[1:]) == view


def test_an_address_has_only_what_differs_from_the_usual() -> None:
    assert address(ResultView()) == "?"
    assert address(ResultView(), page=2) == "?page=2"
    assert address(FULL, chosen=ResultFilter(), sorting=Sorting(), columns=None, size=50) == (
        "?page=3"
    )


@pytest.mark.parametrize(
    "query",
    [
        *("outcome=nonsense", "page=0", "page=x", "rows=7", "line=-1", "q=" + "x" * 201),
        *("range.cost_usd=1", "range.cost_usd=a..b", "range.cost_usd=nan..", "range.x=1..inf"),
        *("is.x=%00", "is.%00=x", "no." + "x" * 300 + "=on", "is.x=" + "x" * 2001),
        *("columns=%00", "&".join(f"columns={n}" for n in range(61))),
        "&".join(f"is.c{n}=x" for n in range(MAX_CONDITIONS + 1)),
    ],
)
def test_parameters_that_say_nothing_are_refused(query: str) -> None:
    assert view_of(query) is None


def test_without_retries_all_answers_are_the_own_ones() -> None:
    form = ResultFilterForm(QueryDict("attempts=own"), has_retries=False)

    assert form.view == ResultView()
