"""Cells that may not be meant as they are get a notice, and none is changed without a choice."""

import io
import json

from batchapp.domain.tables.notices import NoticeCode, TableNotice
from batchapp.domain.tables.read_options import DETECT_ALL, ReadOptions
from batchapp.domain.tables.table_reader import read_table
from batchapp.presenters.table_notices import notice_texts
from tests.views.sample_tables import workbook


def read(
    content: str | bytes, options: ReadOptions = DETECT_ALL
) -> tuple[list[list[str]], list[TableNotice]]:
    data = content.encode() if isinstance(content, str) else content
    table = read_table(io.BytesIO(data), options)
    rows = list(table)
    return rows, table.notices


WORDS = "id,text,label\n1,NULL,a\n2,NaN,None\n3,NULL,b\n4,null and void,c\n"


def test_words_for_nothing_are_sent_and_told_for_each_column() -> None:
    rows, notices = read(WORDS)

    assert [row[1] for row in rows] == ["NULL", "NaN", "NULL", "null and void"]
    assert notice_texts(notices) == [
        (
            "3 cells of text say NULL or NaN; 1 cell of label says None. Such words are sent as "
            "they are; you can have them count as empty."
        )
    ]


def test_words_for_nothing_count_as_empty_if_a_person_wants_it() -> None:
    rows, notices = read(WORDS, ReadOptions(empty_words="1"))

    assert [row[1:] for row in rows] == [["", "a"], ["", ""], ["", "b"], ["null and void", "c"]]
    assert notice_texts(notices)[0].endswith("Such cells count as empty.")


def test_words_in_workbooks_and_json_are_found_as_well() -> None:
    sheet = workbook(S=[["id", "text"], ["1", "N/A"]])
    lines = json.dumps({"id": 1, "text": "N/A"}) + "\n"

    for content in (sheet, lines.encode()):
        rows, notices = read(content, ReadOptions(empty_words="1"))
        assert rows == [["1", ""]]
        assert [code for code, _ in notices] == [NoticeCode.EMPTY_WORDS_LEFT_OUT]


def test_many_columns_of_words_are_one_sentence() -> None:
    names = [f"c{n}" for n in range(9)]

    _, notices = read(f"{','.join(names)}\n{','.join(9 * ['NaN'])}\n")

    assert notice_texts(notices)[0].count("says NaN") == 5
    assert "so do cells of 4 more columns" in notice_texts(notices)[0]


def test_numbers_that_lost_digits_are_told_with_an_example() -> None:
    rows, notices = read("id,text\n1.23457E+11,a\n4.5E+12,b\n1E+2,c\n2.5,d\n")

    assert rows[0][0] == "1.23457E+11"
    assert notice_texts(notices) == [
        (
            "2 cells of id look like a number that a spreadsheet program shortened, such as "
            "1.23457E+11: its last digits are lost. Format the column as text there, and save the "
            "table again."
        )
    ]


def test_short_rows_are_told_with_the_first_line() -> None:
    _, notices = read("a,b,c\n1,2,3\n1\n\n1,2\n1,2,\n")

    assert notice_texts(notices) == [
        (
            "2 rows have fewer cells than the header, the first in line 3. The missing cells are "
            "empty."
        )
    ]


def test_a_character_that_no_text_needs_is_left_out_and_told() -> None:
    rows, notices = read('{"a": "x\\u0000y"}\n{"a": "z"}\n')

    assert rows == [["xy"], ["z"]]
    assert notice_texts(notices) == [
        "1 cell had the character NUL, which no text needs. It is left out."
    ]


def test_a_plain_table_has_no_notice() -> None:
    assert read("id,text\n1,Hello\n2,\n")[1] == []
