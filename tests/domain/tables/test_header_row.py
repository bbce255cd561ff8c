"""The row that names the columns is found below titles, and never among the rows of data."""

import io

import pytest

from batchapp.domain.tables.read_options import ReadOptions
from batchapp.domain.tables.table_reader import read_table
from tests.sentences import refused


@pytest.mark.parametrize(
    ("content", "row", "columns"),
    [
        ("id,text\n1,a\n", 1, ["id", "text"]),
        ("\n\nid,text\n1,a\n", 3, ["id", "text"]),
        ("Tickets,,\nOf November,,\n,,\nid,text,team\n1,a,b\n2,c,d\n", 4, ["id", "text", "team"]),
        ("Tickets\n\nid;text\n1;a\n2;b\n", 3, ["id", "text"]),
        ("Made by:\tAna\t\t\t\nid\ttext\tteam\tkind\tday\n1\ta\tb\tc\td\n", 2, None),
        ("sep=;\nTickets;;\nid;text;team\n1;a;b\n", 3, ["id", "text", "team"]),
        ("Tickets\nid,text,team\n1,a,b\n2,c,d\n", 2, ["id", "text", "team"]),
        (",text\n0,a\n", 1, ["column 1", "text"]),
        ("id,text,,,\n1,a,,,\n,,,,\n", 1, ["id", "text"]),
        ("id,comment,a,b,c\n1,x\n2,y\n3,z\n", 1, None),
        ("text\nHello, world\nBye, then\n", 1, ["text"]),
        ("text\nA, b, and c\nD, e, and f\nG, h, and i\n", 1, ["text"]),
        ("Tickets,,\n1,a,b\n2,c,d\n", 1, None),
        ("Tickets,\n,\nid,text\n1,a\n", 3, ["id", "text"]),
        ("name,\nAna,\nBob,\n", 1, ["name"]),
        ("only a header,of two\n", 1, None),
    ],
)
def test_the_header_is_the_first_row_that_can_name_the_columns(
    content: str, row: int, columns: list[str] | None
) -> None:
    table = read_table(io.BytesIO(content.encode()))

    assert table.read_as.header_row == row
    assert columns is None or table.columns == columns


def test_a_lone_name_above_two_columns_is_no_title() -> None:
    with refused("Line 2 has text in column 2, which has no name in the header .line 1."):
        list(read_table(io.BytesIO(b"name,\nAna,Hello\nBob,Bye\n")))


def test_another_row_can_be_chosen_as_the_header() -> None:
    content = b"a,b\n1,2\nc,d\n3,4\n"

    table = read_table(io.BytesIO(content), ReadOptions(header_row=3))

    assert (table.columns, list(table)) == (["c", "d"], [["3", "4"]])
    with refused("no row 9 that could name the columns"):
        read_table(io.BytesIO(content), ReadOptions(header_row=9))


def test_the_header_of_a_text_far_below_is_counted_in_lines() -> None:
    content = "".join(f'"note {n}\nof two lines",\n' for n in range(60)) + "id,text\n1,a\n"

    table = read_table(io.BytesIO(content.encode()), ReadOptions(header_row=121))

    assert (table.columns, list(table)) == (["id", "text"], [["1", "a"]])
