"""What a column holds among the chosen results."""

import json
from decimal import Decimal

import pytest

from batchapp.domain.results.result_filter import RangeFilter, ResultFilter, ValueFilter
from batchapp.models import Batch, Project, User
from batchapp.services.results.columns.facets import (
    DistinctTexts,
    Facet,
    Histogram,
    ValueCounts,
    are_kept,
    read_facets,
)
from batchapp.services.results.columns.open_columns import open_columns
from tests.answered import answer_table
from tests.make import (
    answer_line,
    build_columns,
    finish,
    make_batch,
    make_upload,
    request_file,
)

pytestmark = pytest.mark.django_db
ALL = ResultFilter()


@pytest.fixture
def batch(project: Project, user: User) -> Batch:
    """Return a batch of 20 reviews in JSON; the last two have no result."""
    table = "\n".join(["stars,review", *(f"{n % 4},text {n}" for n in range(20))])
    answers: list[str | None] = [
        json.dumps({"label": ["late", "fine"][n % 3 > 0], "score": n / 4, "why": f"for {n}"})
        for n in range(18)
    ]
    return answer_table(project, user, table, "Judge {review}", [*answers, None, None])


def facet(batch: Batch, user: User, name: str, chosen: ResultFilter = ALL) -> Facet:
    with open_columns(build_columns(batch), user) as reader:
        assert reader
        found = read_facets(reader, chosen, [name])[name]
        assert are_kept(reader, chosen, [name])
        return found


def test_a_column_of_few_texts_has_its_values_counted(batch: Batch, user: User) -> None:
    assert facet(batch, user, "field:label") == ValueCounts(
        [("fine", 12), ("late", 6)], others=0, missing=2, total=20
    )
    assert facet(batch, user, "outcome") == ValueCounts(
        [("ok", 18), ("missing", 2)], others=0, missing=0, total=20
    )
    late = ResultFilter(values=(ValueFilter("field:label", "late"),))
    assert facet(batch, user, "outcome", late) == ValueCounts([("ok", 6)], 0, 0, 6)


def test_a_column_of_numbers_has_ranges(batch: Batch, user: User) -> None:
    stars, scores = facet(batch, user, "source:stars"), facet(batch, user, "field:score")

    assert isinstance(stars, Histogram)
    assert [part.number for part in stars.bins] == [5, 5, 5, 5]
    assert isinstance(scores, Histogram)
    assert (scores.lowest, scores.highest, scores.missing) == (Decimal("0.0"), Decimal("4.25"), 2)
    assert sum(part.number for part in scores.bins) == 18


def test_a_range_finds_as_many_results_as_its_bar_says(batch: Batch, user: User) -> None:
    scores = facet(batch, user, "field:score")
    assert isinstance(scores, Histogram)

    with open_columns(build_columns(batch), user) as reader:
        assert reader
        found = [
            reader.count(
                ResultFilter(
                    ranges=(RangeFilter("field:score", float(low), float(high), is_open=True),)
                )
            )
            for low, high, _ in scores.bins
        ]

    assert found == [part.number for part in scores.bins]


def test_a_column_of_many_texts_has_their_lengths_or_their_number(
    batch: Batch, user: User
) -> None:
    question = facet(batch, user, "question")

    assert isinstance(question, Histogram)
    assert question.column == "question_length"
    assert facet(batch, user, "field:why") == DistinctTexts(18)
    assert facet(batch, user, "field:why", ResultFilter(text="for 1")) == DistinctTexts(None)


def test_a_search_narrows_the_distributions(batch: Batch, user: User) -> None:
    found = facet(batch, user, "field:label", ResultFilter(text="TEXT 1"))

    assert found == ValueCounts([("fine", 7), ("late", 2)], others=0, missing=2, total=11)


def answered(project: Project, user: User, texts: list[str]) -> Batch:
    upload = make_upload(project, user, content=request_file(len(texts)))
    lines = [answer_line(number, text=text) for number, text in enumerate(texts, start=1)]
    return finish(make_batch(upload=upload), lines)


@pytest.mark.parametrize(
    ("numbers", "drawn", "missing"),
    [
        (["1e308", "-1e308", "5", "null"], 1, 1),
        (["1e999", "-1e999", "0.5", "7"], 2, 0),
        (["5e-324", "1e-323", "0", "0"], 4, 0),
        (["9" * 5_000, "1", "2", "9" * 20], 3, 0),
        (["1e99", "-1e99", "null", "null"], 2, 2),
        (["100000000000000000", "100000000000000002", "1", "2"], 4, 0),
    ],
)
def test_numbers_of_any_size_are_drawn_or_left_out(
    project: Project, user: User, numbers: list[str], drawn: int, missing: int
) -> None:
    batch = answered(project, user, [f'{{"n": {number}}}' for number in numbers])

    histogram = facet(batch, user, "field:n")

    assert isinstance(histogram, Histogram)
    assert sum(part.number for part in histogram.bins) == drawn
    assert histogram.missing == missing
    with open_columns(build_columns(batch), user) as reader:
        assert reader
        none = ResultFilter(values=(ValueFilter("field:n", None),))
        assert reader.count(none) == missing


def test_long_texts_are_no_values_to_choose_though_they_are_equal(
    project: Project, user: User
) -> None:
    texts = [json.dumps({"text": "long " * 100, "word": "a"})] * 3
    batch = answered(project, user, texts)

    assert facet(batch, user, "field:word") == ValueCounts([("a", 3)], 0, 0, 3)
    assert facet(batch, user, "field:text") == DistinctTexts(1)
    assert isinstance(facet(batch, user, "answer"), Histogram)
