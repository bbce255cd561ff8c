"""What pages say of exports."""

import pytest

from batchapp.domain.results.result_filter import RangeFilter, ResultFilter, ValueFilter
from batchapp.models import Batch, Export
from batchapp.presenters.export_text import FORMAT_TEXTS, chosen_text, export_status, file_name
from batchapp.services.results.exports.formats import FORMATS


def test_every_format_has_a_name_and_a_sentence() -> None:
    assert list(FORMAT_TEXTS) == list(FORMATS)
    assert all(text.label and text.sentence.endswith(".") for text in FORMAT_TEXTS.values())


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (ResultFilter(), ""),
        (ResultFilter("failed", "a b"), "Failed, with “a b”"),
        (ResultFilter("ok", own=True), "Answered, without retries"),
        (ResultFilter(values=(ValueFilter("field:a", "x"),)), "a is “x”"),
        (ResultFilter(values=(ValueFilter("field:a", None),)), "a is empty"),
        (ResultFilter(ranges=(RangeFilter("line", 1, 2),)), "a range of line"),
    ],
)
def test_a_filter_is_said_in_words(chosen: ResultFilter, text: str) -> None:
    assert chosen_text(chosen) == text


@pytest.mark.parametrize(
    ("rows", "total", "label"),
    [(0, None, "Being prepared"), (34, 126, "26 % written"), (126, 126, "99 % written")],
)
def test_the_progress_of_an_export_is_its_status(rows: int, total: int | None, label: str) -> None:
    assert export_status(Export(rows=rows, total=total)).label == label


@pytest.mark.parametrize(
    ("code", "is_partial", "name"),
    [
        ("csv", False, "reviews-a-results.csv"),
        ("joined", True, "reviews-a-results-joined-so-far.jsonl"),
    ],
)
def test_the_file_is_named_after_the_batch(code: str, name: str, *, is_partial: bool) -> None:
    export = Export(batch=Batch(name="Reviews ä"), format=code, is_partial=is_partial)

    assert file_name(export) == name
