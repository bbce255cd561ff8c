"""Tables of every kind, as people and programs write them."""

import csv
import io
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from batchapp.domain.refused import Refused
from batchapp.domain.tables import csv_dialect, table_reader, workbooks
from batchapp.domain.tables.read_options import DETECT_ALL, ReadOptions
from batchapp.domain.tables.table_reader import Table
from tests.domain.tables.sample_workbooks import packed, replaced, saved
from tests.sentences import refused


def read(content: str | bytes, options: ReadOptions = DETECT_ALL) -> tuple[Table, list[list[str]]]:
    data = content.encode() if isinstance(content, str) else content
    table = table_reader.read_table(io.BytesIO(data), options)
    return table, list(table)


def workbook(rows: Iterable[Iterable[Any]], **sheets: Iterable[Iterable[Any]]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    for title, sheet_rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in sheet_rows:
            sheet.append(list(row))
    return saved(book)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]
)
def test_delimiter_and_encoding_are_detected(delimiter: str, ending: str, encoding: str) -> None:
    lines = [f"id{delimiter}größe", f"1{delimiter}“süß”", f'2{delimiter}"a{ending}b"']

    table, rows = read(ending.join(lines).encode(encoding))

    assert table.columns == ["id", "größe"]
    assert rows == [["1", "“süß”"], ["2", f"a{ending}b"]]
    assert table.read_as.separator == delimiter


def test_a_byte_that_is_no_utf8_at_the_very_end_decides() -> None:
    text = "id,name\n" + 200_000 * "1,Ana\n" + "2,Zoë\n"

    table, rows = read(text.encode("cp1252"))

    assert table.read_as.encoding == "cp1252"
    assert rows[-1] == ["2", "Zoë"]


def test_another_encoding_can_be_chosen() -> None:
    _, rows = read("имя\nюля\n".encode("cp1251"), ReadOptions(encoding="cp1251"))

    assert rows == [["юля"]]


def test_a_single_column_keeps_its_commas() -> None:
    table, rows = read('text\nHello, world\n"quoted, too"\n')

    assert table.columns == ["text"]
    assert rows == [["Hello, world"], ["quoted, too"]]


def test_columns_get_names_that_a_prompt_can_hold() -> None:
    header = 'name,name,,"two\nlines",{brace},name (2),\u202eabc,x\n1,2,3,4,5,6,7,8\n'

    table, _ = read(header)

    assert table.columns == [
        *("name", "name (2)", "column 3", "two lines", "(brace)", "name (2) (2)", "�abc", "x")
    ]
    assert ("{brace}", "(brace)") in table.renamed
    assert ("", "column 3") in table.renamed


def test_blank_rows_are_left_out_and_short_rows_are_filled() -> None:
    table, rows = read("a,b\n\n1\n,\n1,2,,\n")

    assert rows == [["1", ""], ["1", "2"]]
    assert table.rows == 2


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_a_row_with_more_cells_than_the_header_is_refused_with_its_line(ending: str) -> None:
    content = 'id,"two\nlines",c\n1,Oslo, Norway,city\n2,Rome,city\n3,a,b,c\n'

    with refused(
        "Line 3 has 4 cells, .* header .line 1. names 3 columns. 1 more row is like this"
    ):
        read(content.replace("\n", ending))


def test_text_in_a_column_without_a_name_is_refused_with_its_line() -> None:
    with refused("Line 3 has text in column 4, which has no name"):
        read("id,text,,,\n1,a,,,\n2,b,,c,\n")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"\n \n", "is empty"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "old Excel file"),
        (b"%PDF-1.7", "PDF"),
        (b"<html><body><table><tr><td>id</td></tr></table></body></html>", "is a web page"),
        (b"\xef\xbb\xbf\r\n<!DOCTYPE HTML>\n<html></html>", "is a web page"),
        (b"<table border=1><tr><td>id</td></tr></table>", "is a web page"),
        (b'<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>', "is XML"),
        (b"<Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'>", "is XML"),
        (b"\x1f\x8b\x08", "gzip"),
        (b'{"custom_id": "1"}\n', "JSONL"),
        (bytes(100), "binary"),
        (b"a,b\n1,\x00\xff\n" + bytes(range(256)), "binary"),
        (b"PK\x03\x04 and no archive", "not an Excel workbook"),
        (",".join(f"c{n}" for n in range(1_001)).encode(), "more than 1,000 columns"),
        (b'a,b\n1,"' + (csv_dialect.MAX_CELL_LENGTH + 9) * b"x", "quotation mark is never closed"),
    ],
)
def test_a_file_that_is_no_table_is_refused_with_the_next_step(content: bytes, says: str) -> None:
    with refused(says):
        read(content)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", ["3,c", '3,"c"', "3,c\n", '3,"c"\n', "3,c\n\n"])
@pytest.mark.parametrize("opened", ['1,"a', '"1\n1",a\n2,"a', '1,"a\n\nb,""'])
def test_a_quotation_mark_that_stays_open_is_named_with_its_line(
    opened: str, last: str, ending: str
) -> None:
    content = f"id,text\n{opened}\n2,b\n{last}".replace("\n", ending)
    line = 4 if opened.startswith('"') else 2

    with refused(f"opens in line {line}"):
        read(content)


def test_an_open_quotation_mark_in_the_header_is_named() -> None:
    with refused("opens in line 1 is never closed"):
        read('id,"text\n1,a\n2,b\n')


def test_a_quotation_mark_within_a_line_is_text() -> None:
    _, rows = read('id\ttext\n1\t"Hello" he said\n2\t5" pipe\n3\t"two\nlines"\n')

    assert rows == [["1", '"Hello" he said'], ["2", '5" pipe'], ["3", "two\nlines"]]


@pytest.mark.parametrize(("encoding", "says"), [("utf-8-sig", "not UTF-8"), ("xx", "no encoding")])
def test_an_encoding_that_does_not_fit_is_named(encoding: str, says: str) -> None:
    with refused(says):
        read("a\nü\n".encode("cp1252"), ReadOptions(encoding=encoding))


def test_a_sign_of_less_than_begins_no_web_page() -> None:
    table, rows = read("< 5 kg,text\n<3,a\n")

    assert (table.columns, rows) == (["< 5 kg", "text"], [["<3", "a"]])


def test_a_table_of_five_hundred_columns_is_read() -> None:
    header = ",".join(f"c{n}" for n in range(500))

    table, rows = read(f"{header}\n{header}\n")

    assert len(table.columns) == len(rows[0]) == 500


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\x1f")).filter(
    lambda text: text.strip()
)


@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=5)
    )
)
def test_csv_of_a_program_is_read_back(rows: list[list[str]]) -> None:
    width = len(rows[0]) if rows else 2
    text = io.StringIO(newline="")
    csv.writer(text).writerows([[f"c{n}" for n in range(width)], *rows])

    _, read_rows = read(text.getvalue(), ReadOptions(encoding="utf-8", separator=","))

    assert read_rows == rows


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_a_table_error(content: bytes) -> None:
    with suppress(Refused):
        table, rows = read(content)
        assert all(len(row) == len(table.columns) for row in rows)


def test_a_workbook_gives_the_values_that_a_person_sees() -> None:
    moment = datetime(2025, 1, 31, 9, 30, 0, 400)  # noqa: DTZ001  # a cell knows no time zone
    values = ["text", 3, 3.0, 0.1 + 0.2, True, date(2025, 1, 31), moment, None, "#N/A"]
    header = ["text", "int", "float", "sum", "bool", "date", "moment", "none", "error"]

    table, rows = read(workbook([header, values, [None] * 9, ["last"]]))

    assert rows[0] == [
        *("text", "3", "3", "0.3", "TRUE", "2025-01-31", "2025-01-31 9:30:00", "", "")
    ]
    assert rows[1:] == [["last"] + [""] * 8]
    assert table.error_cells == 1


def test_a_formula_gives_the_value_that_was_saved_with_it() -> None:
    content = workbook([["a", "b"], [1, "=A2+1"]])
    with_value = replaced(content, "sheet1.xml", b"<f>A2+1</f><v></v>", b"<f>A2+1</f><v>2</v>")
    with_value = replaced(with_value, "sheet1.xml", b"<f>A2+1</f><v />", b"<f>A2+1</f><v>2</v>")

    assert read(with_value)[1] == [["1", "2"]]
    assert read(content)[1] == [["1", ""]]


def test_numbers_and_hours_are_written_out() -> None:
    hours, negative = timedelta(hours=30), timedelta(hours=-1, minutes=-5)

    _, rows = read(workbook([["a"], [1e16], [0.00001], [hours], [negative], [1e300]]))

    assert [row[0] for row in rows] == [
        *("10000000000000000", "0.00001", "30:00:00", "-01:05:00", "1e+300")
    ]


def test_control_characters_in_a_sheet_are_not_left_in_code() -> None:
    _, rows = read(workbook([["a"], ["one_x000D_\ntwo _x0041_"]]))

    assert rows == [["one\r\ntwo _x0041_"]]


def test_formulas_without_a_saved_value_are_counted() -> None:
    table, rows = read(workbook([["a", "b"], [1, "=A2+1"], [2, None]]))

    assert rows == [["1", ""], ["2", ""]]
    assert table.error_cells == 1


def test_gaps_and_far_cells_cost_nothing() -> None:
    content = workbook([["a", "b"], [1, 2]])
    far = replaced(content, "sheet1.xml", b'r="2"', b'r="900000000"')
    wide = replaced(content, "sheet1.xml", b'r="B2"', b'r="XFD2"')

    assert read(far)[1] == [["1", "2"]]
    table, rows = read(wide)
    assert (rows, table.ragged) == ([["1", ""]], 1)


def test_blank_rows_without_end_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_reader, "MAX_BLANK_ROWS", 5)

    assert read("a,b\n" + "\n" * 5 + "1,2\n")[1] == [["1", "2"]]
    for content in ("\n" * 6 + "a,b\n", "a,b\n1,2\n" + " \n" * 6):
        with refused("blank rows"):
            read(content)


@pytest.mark.parametrize("line", ["sep=;\n", '"sep=;"\r\n', "SEP=;\r"])
def test_a_line_that_names_the_delimiter_is_no_header(line: str) -> None:
    table, rows = read(f"{line}id;text\n1;a, b, c, d\n")

    assert (table.columns, rows) == (["id", "text"], [["1", "a, b, c, d"]])
    assert table.read_as.separator == ";"


def test_a_sheet_is_chosen_by_name_and_else_the_first_visible_one() -> None:
    content = workbook([["hidden"], ["x"]], Second=[["a"], ["b"]])
    hidden = replaced(content, "workbook.xml", b'name="Sheet" ', b'name="Sheet" ')
    hidden = replaced(hidden, "workbook.xml", b'state="visible"', b'state="hidden"', times=1)

    table, rows = read(hidden)

    assert table.sheets == ["Sheet", "Second"]
    assert (table.read_as.sheet, rows) == ("Second", [["b"]])
    assert read(hidden, ReadOptions(sheet="Sheet"))[1] == [["x"]]
    with refused("no sheet Third\\. It has: Sheet, Second"):
        read(hidden, ReadOptions(sheet="Third"))


def test_a_workbook_that_would_unpack_without_end_is_refused() -> None:
    content = workbook([["a"], ["b"]])
    bomb = packed(content, {"xl/worksheets/sheet1.xml": bytes(300 * 1024 * 1024)})
    style = packed(content, {"xl/styles.xml": b" " * 17 * 1024 * 1024})

    for content in (bomb, style):
        assert len(content) < 1024 * 1024
        with refused("too large"):
            read(content)


def test_entities_in_a_workbook_are_not_expanded() -> None:
    laughs = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><worksheet>&b;</worksheet>'

    with refused():
        read(packed(workbook([["a"], ["b"]]), {"xl/worksheets/sheet1.xml": laughs}))


def test_a_damaged_workbook_is_refused_and_never_crashes() -> None:
    content = workbook([["a", "b"]] + 50 * [["x", 1]])

    for place in range(0, len(content), 97):
        broken = content[:place] + b"\xff" + content[place + 1 :]
        for damaged in (broken, content[:place]):
            with suppress(Refused):
                table, rows = read(damaged)
                assert all(len(row) == len(table.columns) for row in rows)


def test_an_archive_that_is_no_workbook_is_refused() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("table.csv", "a,b\n1,2\n")

    with refused("not an Excel workbook"):
        read(content.getvalue())


def test_every_error_that_excel_shows_is_known() -> None:
    assert {"#N/A", "#DIV/0!", "#REF!"} <= workbooks.ERRORS
