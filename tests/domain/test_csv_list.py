"""Lists as CSV, and texts that a spreadsheet could take for formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.csv_list import (
    UnreadableList,
    escape_formula,
    read_cells,
    read_rows,
    unescape_formula,
)


@given(st.text())
def test_an_escaped_formula_is_read_back_unchanged(text: str) -> None:
    assert unescape_formula(escape_formula(text)) == text
    assert not escape_formula(text).startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"))


def test_rows_have_the_number_of_their_first_line_and_blank_rows_are_skipped() -> None:
    text = 'NAME; note\n\nx;"two\nlines"\n;\ny\n'

    assert list(read_rows(text, ["name"])) == [
        (3, {"name": "x", "note": "two\nlines"}),
        (6, {"name": "y"}),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "lacks name"), ("note\nx\n", "lacks name"), ('name\n"x\n', "Line 2 is no CSV")],
)
def test_a_text_that_is_no_list_is_refused_as_a_whole(text: str, says: str) -> None:
    with pytest.raises(UnreadableList, match=says):
        list(read_rows(text, ["name"]))


def test_a_cell_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="The name has more than 3 characters"):
        read_cells({"name": "long"}, {"name": 3})
