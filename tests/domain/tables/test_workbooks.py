"""Sheets as people and programs leave them: what is read is what a person sees."""

import io
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.worksheet.worksheet import Worksheet

from batchapp.domain.tables import workbook_archive, workbooks
from batchapp.domain.tables.notices import NoticeCode
from batchapp.domain.tables.sheet_facts import SheetFacts, sheet_notices
from batchapp.domain.tables.workbooks import SheetReading
from tests import bombs
from tests.domain.tables.sample_workbooks import packed, replaced, saved, unpacked
from tests.sentences import refused


def read(
    content: bytes, sheet: str = "", *, without_hidden: bool = False
) -> tuple[list[list[str]], SheetReading]:
    reading = workbooks.read_sheet(io.BytesIO(content), sheet, without_hidden=without_hidden)
    return [cells for _, cells in reading.rows], reading


def sheet_of(rows: list[list[Any]], change: Callable[[Worksheet], None] | None = None) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    if change:
        change(book.active)
    return saved(book)


def test_cells_are_read_as_their_number_formats_show_them() -> None:
    formats = {"A2": "00000", "B2": '"K-"000', "C2": "0 %", "D2": "dd.mm.yyyy", "E2": "h:mm"}

    def change(sheet: Worksheet) -> None:
        for cell, number_format in formats.items():
            sheet[cell].number_format = number_format

    values = [1_067, 9, 0.25, date(2025, 3, 9), time(7, 5)]
    rows, reading = read(sheet_of([["plz", "key", "share", "day", "at"], values], change))

    assert rows[1] == ["01067", "K-009", "25 %", "09.03.2025", "7:05"]
    assert reading.facts == SheetFacts()


def test_cells_whose_look_cannot_be_known_are_counted() -> None:
    def change(sheet: Worksheet) -> None:
        sheet["A2"].number_format = "# ??/??"
        sheet["B2"].number_format = "mm-dd-yy"  # the short date of each country

    rows, reading = read(sheet_of([["a", "b"], [0.5, datetime(2025, 3, 9)]], change))  # noqa: DTZ001  # a cell knows no time zone

    assert rows[1] == ["0.5", "2025-03-09"]
    assert reading.facts.unlike_shown == 2


def test_days_that_count_from_1904_are_the_same_days() -> None:
    content = sheet_of([["day"], [date(2025, 3, 9)]])
    content = replaced(content, "workbook.xml", b"<workbookPr ", b'<workbookPr date1904="1" ')
    content = replaced(content, "sheet1.xml", b"<v>45725</v>", b"<v>44263</v>")

    assert read(content)[0][1] == ["2025-03-09"]


def test_texts_with_many_fonts_or_readings_are_one_text() -> None:
    rich = CellRichText("plain, ", TextBlock(InlineFont(b=True), "bold"), " and plain")
    rows, _ = read(sheet_of([["text"], [rich]]))
    shared = "<si><t>text</t></si><si><t>東京</t><rPh><t>トウキョウ</t></rPh></si>".encode()
    cells = b'<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row>'
    content = io.BytesIO()
    bombs.workbook(content, bombs.texts([shared]) | bombs.sheet([cells]))
    japanese, _ = read(content.getvalue())

    assert rows[1] == ["plain, bold and plain"]
    assert japanese[1:] == [["text"], ["東京"]]


def test_truth_values_errors_and_formulas() -> None:
    cells = (
        b'<c r="A2" t="b"><v>1</v></c><c r="B2" t="e"><v>#N/A</v></c>'
        b'<c r="C2" t="str"><f>A1</f><v>saved</v></c><c r="D2" t="str"><f>A1</f><v></v></c>'
        b'<c r="E2"><f>1+1</f></c><c r="F2" t="d"><v>2025-03-09T00:00:00</v></c>'
    )
    content = replaced(sheet_of([list("abcdef"), ["x"]]), "sheet1.xml", row_2(b"x"), cells)

    assert read(content)[0][1] == ["TRUE", "#N/A", "saved", "", workbooks.UNSAVED, "45725"]


def row_2(text: bytes) -> bytes:
    return b'<c r="A2" t="inlineStr"><is><t>' + text + b"</t></is></c>"


def test_a_workbook_with_prefixes_and_the_strict_namespace_is_read() -> None:
    content = sheet_of([["a", "b"], ["1", "x"]])
    strict = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
    data = unpacked(content)["xl/worksheets/sheet1.xml"]
    data = data.replace(b"http://schemas.openxmlformats.org/spreadsheetml/2006/main", strict)
    for old, new in ((b"<", b"<x:"), (b"<x:/", b"</x:"), (b"<x:?", b"<?"), (b"xmlns", b"xmlns:x")):
        data = data.replace(old, new)

    rows, _ = read(packed(content, {"xl/worksheets/sheet1.xml": data}))

    assert rows == [["a", "b"], ["1", "x"]]


def test_cells_without_a_reference_follow_each_other() -> None:
    content = sheet_of([["a", "b"], ["1", "x"]])
    for reference in (b' r="A1"', b' r="B1"', b' r="A2"', b' r="B2"', b' r="1"', b' r="2"'):
        content = replaced(content, "sheet1.xml", reference, b"")

    assert read(content)[0] == [["a", "b"], ["1", "x"]]


def test_hidden_rows_are_counted_and_can_be_left_out() -> None:
    def change(sheet: Worksheet) -> None:
        sheet.row_dimensions[3].hidden = True
        sheet.row_dimensions[9].hidden = True  # a blank row
        sheet.column_dimensions["B"].hidden = True

    content = sheet_of([["a", "b"], ["1", "x"], ["2", "y"], ["3", "z"]], change)
    rows, reading = read(content)
    visible, _ = read(content, without_hidden=True)

    assert [row[0] for row in rows[:4]] == ["a", "1", "2", "3"]
    assert (reading.facts.hidden_rows, reading.facts.hidden_columns) == (1, 1)
    assert [row[0] for row in visible] == ["a", "1", "3"]


def test_merged_cells_are_counted_and_named() -> None:
    def change(sheet: Worksheet) -> None:
        for cells in ("A2:A4", "B2:B3", "A6:B6", "A7:B7"):
            sheet.merge_cells(cells)

    _, reading = read(sheet_of([["a", "b"], *(["x", "y"] for _ in range(6))], change))

    assert reading.facts.merged == 4
    assert len({*reading.facts.merged_ranges} & {"A2:A4", "B2:B3", "A6:B6", "A7:B7"}) == 3


def test_notices_say_what_became_of_hidden_rows() -> None:
    facts = SheetFacts(hidden_rows=2, hidden_columns=1, merged=1, merged_ranges=["A1:B1"])

    sent = [notice.code for notice in sheet_notices(facts, was_left_out=False)]
    left_out = [notice.code for notice in sheet_notices(facts, was_left_out=True)]

    assert sent == [
        *(NoticeCode.HIDDEN_ROWS_SENT, NoticeCode.HIDDEN_COLUMNS_SENT, NoticeCode.MERGED_CELLS)
    ]
    assert left_out[0] == NoticeCode.HIDDEN_ROWS_LEFT_OUT
    assert sheet_notices(SheetFacts(), was_left_out=False) == []


def cover_sheets(cover: list[list[str]], state: str = "visible") -> bytes:
    book = Workbook()
    book.active.title = "Cover"
    for row in cover:
        book.active.append(row)
    table = book.create_sheet("Reviews")
    for row in (["id", "review"], ["1", "fine"]):
        table.append(row)
    table.sheet_state = state
    return saved(book)


@pytest.mark.parametrize("cover", [[], [["Report"]], [["Report"], ["by Ana"], ["of May"]]])
def test_the_first_sheet_with_a_table_is_read(cover: list[list[str]]) -> None:
    rows, reading = read(cover_sheets(cover))

    assert (reading.name, reading.sheets) == ("Reviews", ["Cover", "Reviews"])
    assert rows == [["id", "review"], ["1", "fine"]]


def test_a_hidden_sheet_is_read_only_by_its_name() -> None:
    content = cover_sheets([["Report"], ["by Ana"]], "hidden")

    assert read(content)[1].name == "Cover"
    assert read(content, "Reviews")[0][1] == ["1", "fine"]


def test_a_sheet_of_one_column_is_a_table_if_no_other_is() -> None:
    book = Workbook()
    book.active.append(["Report"])
    texts = book.create_sheet("Texts")
    for text in ("text", "one", "two"):
        texts.append([text])

    assert read(saved(book))[1].name == "Texts"


def test_rows_have_the_numbers_that_the_sheet_shows() -> None:
    book = Workbook()
    book.active["B3"], book.active["B9"] = "text", "one"

    reading = workbooks.read_sheet(io.BytesIO(saved(book)))

    assert [(number, cells) for number, cells in reading.rows if any(cells)] == [
        (3, ["", "text"]),
        (9, ["", "one"]),
    ]


def test_a_missing_sheet_is_answered_with_the_names_of_those_there_are() -> None:
    with refused("no sheet Sheet3\\. It has: Cover, Reviews"):
        read(cover_sheets([]), "Sheet3")


def test_limits_are_told_with_their_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    content = cover_sheets([])
    monkeypatch.setattr(workbook_archive, "MAX_SHEETS", 1)
    with refused("more than 1 sheets"):
        read(content)
    monkeypatch.setattr(workbook_archive, "MAX_TEXT_LENGTH", 3)
    with refused("more than 3 characters"):
        read(sheet_of([["id", "name"], ["1", "long"]]))


def test_a_binary_workbook_is_named() -> None:
    files = unpacked(sheet_of([["a"]]))
    relations = files["_rels/.rels"].replace(b"workbook.xml", b"workbook.bin")

    with refused("binary one .* Save it as \\.xlsx"):
        read(packed(sheet_of([["a"]]), {"_rels/.rels": relations}))


def test_elements_deeper_in_each_other_than_in_any_workbook_are_refused() -> None:
    file, tags = "xl/worksheets/sheet1.xml", 200_000
    nested = b"<a>" * tags + b"</a>" * tags
    content = replaced(sheet_of([["a", "b"]]), file, b"<sheetData>", nested + b"<sheetData>")

    with refused("not an Excel workbook that can be read"):
        read(content)
