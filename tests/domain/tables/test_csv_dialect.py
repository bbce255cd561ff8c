"""The way in which a program writes quotation marks and separators is detected."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables import csv_dialect
from batchapp.domain.tables.read_options import DETECT_ALL, NO_SEPARATOR, ReadOptions
from batchapp.domain.tables.table_reader import read_table
from tests.sentences import refused


def read(content: str, options: ReadOptions = DETECT_ALL) -> tuple[ReadOptions, list[list[str]]]:
    table = read_table(io.BytesIO(content.encode()), options)
    return table.read_as, list(table)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_quotation_marks_behind_a_backslash_are_read(separator: str) -> None:
    content = (
        'id,text\n1,"Say \\"hi\\", and go"\n2,"C:\\\\new"\n3,"C:\\new"\n4,a\\, b\n5,"x\\\ny"\n'
    )

    read_as, rows = read(content.replace(",", separator))

    assert read_as.quoting == "backslash"
    assert [row[1].replace(separator, ",") for row in rows] == [
        *('Say "hi", and go', "C:\\new", "C:\\new", "a, b", "x\ny")
    ]


def test_one_escaped_mark_at_the_very_end_of_a_long_text_decides() -> None:
    content = "id,text\n" + 50_000 * '1,"a, b"\n' + '2,"Say \\"hi\\", and go"\n'

    read_as, rows = read(content)

    assert read_as.quoting == "backslash"
    assert rows[-1] == ["2", 'Say "hi", and go']


def test_a_backslash_before_a_closing_mark_is_text_where_marks_are_doubled() -> None:
    read_as, rows = read('id,path\n1,"C:\\dir\\"\n2,"a ""b"" \\"\n')

    assert read_as.quoting == "double"
    assert rows == [["1", "C:\\dir\\"], ["2", 'a "b" \\']]


def test_marks_are_text_where_a_program_writes_tabs_and_quotes_nothing() -> None:
    read_as, rows = read('id\ttext\n1\t"Hello" he said\n2\t"open\n3\t"whole"\n')

    assert read_as.quoting == "none"
    assert [text for _, text in rows] == ['"Hello" he said', '"open', '"whole"']


def test_a_row_whose_quotation_marks_cannot_be_right_is_refused_with_its_line() -> None:
    with refused("Line 3 cannot be read: a quotation mark ends a cell, and more text follows"):
        read('id,text\n1,"a, b"\n2,"say "hi", and go"\n')


def test_the_way_of_writing_marks_can_be_chosen() -> None:
    content = 'id,text\n1,"a""b"\n'

    assert read(content, ReadOptions(quoting="none"))[1] == [["1", '"a""b"']]
    assert read('id,text\n1,"a\\"b"\n', ReadOptions(quoting="backslash"))[1] == [["1", 'a"b']]


@pytest.mark.parametrize(
    ("content", "separator"),
    [
        ("text\nHello, world\nBye; now\n", NO_SEPARATOR),
        ("id,text\n1,a; b; c; d\n2,e; f; g; h\n", ","),
        ("id;price\n1;3,50\n2;4,20\n", ";"),
        ("a|b|c\n1|x, y, z|2\n", "|"),
        ("id,text\n1,Oslo, Norway\n2,Bern, Switzerland\n", ","),
    ],
)
def test_the_separator_of_the_header_wins(content: str, separator: str) -> None:
    dialect = csv_dialect.detect_dialect(
        io.TextIOWrapper(io.BytesIO(content.encode()), "utf-8", newline=""), ReadOptions()
    )

    assert dialect.separator == separator


def test_a_line_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_dialect, "MAX_LINE_LENGTH", 50)

    with refused("Line 2 is longer than 50 characters"):
        read("id,text\n1," + 60 * "x")


TEXT = st.text(alphabet='ab",;\\\t\n é', max_size=8).map(lambda text: f"x{text}x")


@given(st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6), st.sampled_from(",;\t|"))
def test_what_a_program_writes_with_backslashes_is_read_back(
    rows: list[tuple[str, str]], separator: str
) -> None:
    content = io.StringIO(newline="")
    writer = csv.writer(
        content,
        delimiter=separator,
        doublequote=False,
        escapechar="\\",
        quoting=csv.QUOTE_ALL,
        lineterminator="\n",
    )
    writer.writerows([("id", "text"), *rows])

    _, found = read(
        content.getvalue(), ReadOptions(separator=separator, quoting="backslash", header_row=1)
    )

    assert found == [list(row) for row in rows]
