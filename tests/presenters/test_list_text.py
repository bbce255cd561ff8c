"""What an empty list says of the filters that left it empty."""

from uuid import uuid4

import pytest

from batchapp.presenters.list_text import no_match, page_text
from batchapp.presenters.pagination import Cursor, ListPage


@pytest.mark.parametrize(
    ("text", "has_other_filters", "said"),
    [
        ("rucksack", False, "No batch has “rucksack” in its name"),
        ("rucksack", True, "No batch with “rucksack” in its name matches the other filters"),
        ("", True, "No batch matches these filters"),
    ],
)
def test_what_was_searched_in_vain_is_named(text: str, has_other_filters: bool, said: str) -> None:
    assert no_match("batch", "name", text, has_other_filters=has_other_filters) == said


def test_a_long_search_is_cut() -> None:
    assert len(no_match("file", "name", 2000 * "x", has_other_filters=False)) < 100


@pytest.mark.parametrize(
    ("start", "rows", "said"), [(1, 25, "1\u201325 of 1,034"), (26, 1, "26 of 1,034")]
)
def test_a_page_says_which_of_all_rows_it_has(start: int, rows: int, said: str) -> None:
    page = ListPage([Cursor(0, "", uuid4())] * rows, start)

    assert page_text(page, 1034) == said
