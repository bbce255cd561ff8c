"""The files of exports, read back by the programs of analysts."""

import csv
import io
import json
from decimal import Decimal
from typing import Any

import openpyxl
import pandas
import pyarrow.parquet
import pytest
from django.core.files.base import ContentFile
from openpyxl.utils.escape import unescape

from batchapp.access import NotAllowed
from batchapp.domain.results.result_filter import RangeFilter, ResultFilter, ValueFilter
from batchapp.models import Batch, Project, ResultChunk, Upload, User
from batchapp.services.results import merge
from batchapp.services.results.exports import xlsx
from batchapp.services.results.exports.export_columns import UnknownColumn
from batchapp.services.results.exports.formats import FORMATS
from tests.answered import answer_table, export
from tests.make import (
    answer,
    answer_line,
    build_columns,
    error_line,
    finish,
    make_batch,
    make_project,
    make_upload,
    make_user,
    request_file,
    request_line,
)

pytestmark = pytest.mark.django_db

CELLS = [
    ["007", "12345678901234567890", "=1+1", 'He said "no", then left'],
    ["-5", "1e5", "@SUM(A1)", "two\nlines\r\nor three"],
    ["", "", "", ""],
    ["+49 30", " padded ", "\u202edesrever", "<b>ü</b> \U0001f600"],
]
ANSWERS = [
    json.dumps({"label": "late", "score": 0.5, "id": 12345678901234567890, "ok": True}),
    json.dumps({"label": "=cmd|' /C calc'!A0", "score": -2, "id": 1, "ok": None}),
    "no JSON, \x00 and \ud83d",
]
TEXTS = [ANSWERS[0], ANSWERS[1], "no JSON, \N{REPLACEMENT CHARACTER} and ?"]
NAMES = ["code", "number", "formula", "answer"]
HEADER = [*NAMES, "answer_2", "label", "score", "id", "ok", "outcome", "error"]


def table_text() -> str:
    text = io.StringIO()
    csv.writer(text).writerows([NAMES, *CELLS[:2], ["x", "", "", ""], CELLS[3]])
    return text.getvalue()


@pytest.fixture(scope="module")
def batch_of_module(module_rows: None) -> Batch:
    """Return a batch of a table of four rows, the third of which has no request."""
    user = make_user("ada@example.com")
    batch = answer_table(make_project(user), user, table_text(), "Judge {formula}", ANSWERS)
    build_columns(batch)
    return batch


@pytest.fixture
def batch(batch_of_module: Batch) -> Batch:
    return Batch.objects.get(pk=batch_of_module.pk)


@pytest.fixture
def project(batch: Batch) -> Project:
    return batch.project


@pytest.fixture
def user(batch: Batch) -> User:
    return batch.created_by


def expected_rows() -> list[list[str | None]]:
    source = [*CELLS[:2], ["x", "", "", ""], CELLS[3]]
    return [
        [*source[0], TEXTS[0], "late", "0.5", "12345678901234567890", "true", "ok", ""],
        [*source[1], TEXTS[1], "=cmd|' /C calc'!A0", "-2", "1", None, "ok", ""],
        [*source[2], *[None] * 7],
        [*source[3], TEXTS[2], None, None, None, None, "ok", ""],
    ]


def read_csv(content: bytes, encoding: str = "utf-8") -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline="")))


def test_a_csv_has_the_whole_table_as_it_was_with_the_answers_behind(
    batch: Batch, user: User
) -> None:
    header, *rows = read_csv(export(batch, user, "csv", has_bom=False, has_guard=False))

    assert header == HEADER
    assert rows == [[cell or "" for cell in row] for row in expected_rows()]


def test_a_csv_is_made_for_excel_unless_that_is_switched_off(batch: Batch, user: User) -> None:
    content = export(batch, user, "csv")
    _, *rows = read_csv(content, "utf-8-sig")
    numbers = [row[0] for row in rows]

    assert content.startswith(b"\xef\xbb\xbfcode,")
    assert content.count(b"\r\n") > len(rows)
    assert [row[2] for row in rows[:2]] == ["'=1+1", "'@SUM(A1)"]
    assert rows[1][5] == "'=cmd|' /C calc'!A0"
    assert numbers == ["007", "-5", "x", "'+49 30"]
    assert rows[1][6] == "-2"


def test_pandas_reads_a_csv_with_equal_values(batch: Batch, user: User) -> None:
    content = export(batch, user, "csv", has_guard=False)

    frame = pandas.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False)

    assert list(frame.columns) == HEADER
    assert frame.values.tolist() == [[cell or "" for cell in row] for row in expected_rows()]


def unescaped(value: Any) -> Any:
    """Return a text as Excel reads it: a workbook writes control characters as _x000D_."""
    return unescape(value) if isinstance(value, str) else value


def test_a_workbook_has_texts_as_texts_and_numbers_as_numbers(batch: Batch, user: User) -> None:
    book = openpyxl.load_workbook(io.BytesIO(export(batch, user, "xlsx")))
    header, *rows = book["Results"].iter_rows()

    expected = []
    for row in expected_rows():
        cells: list[Any] = [cell or None for cell in row]
        for number, name in enumerate(HEADER):
            if cells[number] is None:
                continue
            if name == "score":
                cells[number] = float(cells[number])
            elif name == "ok":
                cells[number] = cells[number] == "true"
            elif name == "id" and len(cells[number]) < 16:
                cells[number] = int(cells[number])
        expected.append(cells)
    assert [cell.value for cell in header] == HEADER
    assert [[unescaped(cell.value) for cell in row] for row in rows] == expected
    assert book.sheetnames == ["Results"]
    assert {cell.data_type for row in rows for cell in row} <= {"s", "n", "b", "inlineStr"}
    assert not any(cell.hyperlink for row in rows for cell in row)


def test_pandas_reads_a_workbook_with_equal_texts(batch: Batch, user: User) -> None:
    frame = pandas.read_excel(io.BytesIO(export(batch, user, "xlsx")), keep_default_na=False)

    assert frame["code"].tolist() == ["007", "-5", "x", "+49 30"]
    assert frame["number"].tolist()[0] == "12345678901234567890"


def test_a_parquet_file_has_the_table_as_texts_and_the_answers_with_types(
    batch: Batch, user: User
) -> None:
    content = export(
        batch,
        user,
        "parquet",
        columns=(
            *("source:code", "source:number", "source:formula", "source:answer", "answer"),
            *("field:label", "field:score", "field:id", "field:ok"),
            *("outcome", "input_tokens", "cost_usd", "line"),
        ),
    )
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    kinds = {field.name: str(field.type) for field in table.schema}
    rows = table.to_pylist()

    source = [*CELLS[:2], ["x", "", "", ""], CELLS[3]]
    assert [[row[name] for name in NAMES] for row in rows] == source
    assert [row["answer_2"] for row in rows] == [TEXTS[0], TEXTS[1], None, TEXTS[2]]
    assert [row["score"] for row in rows] == [0.5, -2.0, None, None]
    assert [row["id"] for row in rows] == [Decimal(12345678901234567890), 1, None, None]
    assert [row["ok"] for row in rows] == [True, None, None, None]
    assert [row["input_tokens"] for row in rows] == [100, 100, None, 100]
    assert [row["cost_usd"] for row in rows] == [Decimal("0.0002")] * 2 + [
        None,
        Decimal("0.0002"),
    ]
    assert kinds["code"] == kinds["outcome"] == "string"
    assert kinds["score"] == "double"
    assert kinds["id"] == "decimal128(38, 0)"
    assert kinds["input_tokens"] == "int64"
    assert kinds["cost_usd"].startswith("decimal128")


def test_pandas_reads_a_parquet_file_with_equal_values(batch: Batch, user: User) -> None:
    frame = pandas.read_parquet(io.BytesIO(export(batch, user, "parquet")))

    assert list(frame.columns) == HEADER
    assert frame["formula"].tolist() == ["=1+1", "@SUM(A1)", "", "\u202edesrever"]


def test_joined_lines_have_the_row_the_request_and_the_result(batch: Batch, user: User) -> None:
    lines = [json.loads(line) for line in export(batch, user, "joined").splitlines()]

    assert [line["line"] for line in lines] == [1, 2, 3]
    assert [line["outcome"] for line in lines] == ["ok"] * 3
    assert lines[0]["row"] == dict(zip(NAMES, CELLS[0], strict=True))
    assert lines[0]["request"]["body"]["messages"][0]["content"] == "Judge =1+1"
    content = lines[2]["result"]["response"]["body"]["choices"][0]["message"]["content"]
    assert content == ANSWERS[2]


def test_a_result_line_that_is_no_strict_json_is_joined_as_a_text(
    project: Project, user: User
) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(1)))
    odd = answer_line(1).replace(b'"error": null', b'"error": null, "odd": NaN')
    finish(batch, [odd])

    line = json.loads(export(batch, user, "joined"), parse_constant=pytest.fail)

    assert line["result"] is None
    assert line["result_text"] == odd.decode()


def test_raw_lines_are_those_of_the_merged_download(project: Project, user: User) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(4)))
    finish(batch, [answer_line(3), answer_line(1)], [error_line(2)])
    retry = make_batch(upload=make_upload(project, user, content=request_file(4)), parent=batch)
    finish(retry, [answer_line(2, text="mended")])

    everything = b"".join(merge.download(batch, user))
    failed = export(batch, user, "raw", chosen=ResultFilter("failed", own=True))

    assert export(batch, user, "raw") == everything
    assert everything.count(b"\n") == 4
    assert failed == error_line(2) + b"\n"


@pytest.mark.parametrize(
    ("chosen", "codes"),
    [
        (ResultFilter(text="judge =1"), ["007"]),
        (ResultFilter(values=(ValueFilter("source:code", "-5"),)), ["-5"]),
        (ResultFilter(ranges=(RangeFilter("field:score", high=0),)), ["-5"]),
        (ResultFilter("doubtful"), []),
    ],
)
def test_a_filter_leaves_the_chosen_results_without_other_rows_of_the_table(
    batch: Batch, user: User, chosen: ResultFilter, codes: list[str]
) -> None:
    _, *rows = read_csv(
        export(batch, user, "csv", chosen=chosen, has_bom=False, columns=("source:code",))
    )

    assert [code for (code,) in rows] == codes
    assert len(export(batch, user, "joined", chosen=chosen).splitlines()) == len(codes)


def test_rows_without_a_request_can_be_left_out(batch: Batch, user: User) -> None:
    content = export(batch, user, "csv", has_bom=False, has_all_rows=False, columns=("line",))

    assert content == b"line\r\n1\r\n2\r\n3\r\n"


def test_without_a_table_each_request_has_its_question(project: Project, user: User) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(2)))
    finish(batch, [answer_line(2, text="A, b")], [error_line(1, "Overloaded.")])

    rows = read_csv(export(batch, user, "csv", has_bom=False))

    assert rows == [
        ["custom_id", "question", "answer", "outcome", "error"],
        ["row-1", "Question 1?", "", "provider_error", "Overloaded."],
        ["row-2", "Question 2?", "A, b", "ok", ""],
    ]


def test_an_empty_cell_alone_in_its_row_is_still_a_row(batch: Batch, user: User) -> None:
    rows = read_csv(export(batch, user, "csv", has_bom=False, columns=("field:label",)))

    assert rows[3:] == [[""], [""]]


def test_a_column_that_is_not_there_is_named(batch: Batch, user: User) -> None:
    with pytest.raises(UnknownColumn, match=r"field:nothing"):
        export(batch, user, "csv", columns=("field:nothing",))


@pytest.mark.parametrize("code", FORMATS)
def test_a_running_batch_exports_what_is_there(project: Project, user: User, code: str) -> None:
    batch = make_batch(upload=make_upload(project, user, content=request_file(3)))
    answer(batch, [answer_line(2, text="Early bird.")])

    assert export(batch, user, code)
    if code in {"csv", "raw", "joined"}:
        lines = export(batch, user, code).splitlines()
        assert sum(b"Early bird." in line for line in lines) == 1
        assert len(lines) == {"csv": 4, "raw": 1, "joined": 3}[code]


def test_a_long_word_is_whole_in_csv_and_parquet_and_cut_with_a_note_in_a_workbook(
    project: Project, user: User
) -> None:
    long = "x" * 1_500_000
    batch = make_batch(upload=make_upload(project, user, content=request_file(2)))
    finish(batch, [answer_line(1, text=long), answer_line(2, text="\U0001f600" * 20_000)])

    csv.field_size_limit(len(long))
    rows = read_csv(export(batch, user, "csv", columns=("answer",)))
    table = pyarrow.parquet.read_table(io.BytesIO(export(batch, user, "parquet")))
    book = openpyxl.load_workbook(io.BytesIO(export(batch, user, "xlsx", columns=("answer",))))

    assert rows[1] == [long]
    assert table["answer"][0].as_py() == long
    cells = [row[0] for row in book["Results"].iter_rows(values_only=True)]
    assert cells[1] == "x" * (32_767 - len(xlsx.CUT)) + xlsx.CUT
    assert len(cells[2].encode("utf-16-le")) // 2 in {32_766, 32_767}
    assert cells[2].endswith(xlsx.CUT)
    assert book["Notes"]["A1"].value.startswith("2 cells are cut after 32,767 characters")


def test_a_workbook_that_is_full_says_how_many_rows_it_lacks(
    project: Project, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "MAX_ROWS", 4)
    batch = make_batch(upload=make_upload(project, user, content=request_file(5)))
    finish(batch)

    book = openpyxl.load_workbook(io.BytesIO(export(batch, user, "xlsx", columns=("custom_id",))))
    rows = [row[0] for row in book["Results"].iter_rows(values_only=True)]

    assert rows[:3] == ["custom_id", "row-1", "row-2"]
    assert rows[3].startswith("3 more rows do not fit")
    assert len(rows) == 4


def test_embeddings_are_numbers_in_parquet_and_joined_lines(project: Project, user: User) -> None:
    requests = [
        request_line(n, url="/v1/embeddings", body={"model": "m", "input": f"Text {n}"})
        for n in (1, 2, 3)
    ]
    upload = make_upload(project, user, content="\n".join(requests).encode())
    batch = make_batch(upload=upload)
    body = {"data": [{"embedding": [0.1, -0.25]}], "usage": {"prompt_tokens": 3}}
    coded = {"data": [{"embedding": "AACAPwAAAMA="}], "usage": {"prompt_tokens": 3}}
    lines = [
        json.dumps({"custom_id": f"row-{n}", "response": {"status_code": 200, "body": each}})
        for n, each in [(1, body), (3, coded)]
    ]
    finish(batch, [line.encode() for line in lines])

    table = pyarrow.parquet.read_table(io.BytesIO(export(batch, user, "parquet")))
    joined = [json.loads(line) for line in export(batch, user, "joined").splitlines()]

    assert table["embedding"].to_pylist() == [[0.1, -0.25], None, [1.0, -2.0]]
    assert joined[0]["result"]["response"]["body"]["data"][0]["embedding"] == [0.1, -0.25]


def test_names_that_differ_only_in_case_stay_apart_in_parquet(
    project: Project, user: User
) -> None:
    batch = answer_table(project, user, "Outcome,outcome\na,b\n", "{Outcome}", ["x"])

    content = export(batch, user, "parquet", columns=("source:Outcome", "outcome"))
    table = pyarrow.parquet.read_table(io.BytesIO(content))

    assert table.to_pylist() == [{"Outcome": "a", "outcome_2": "ok"}]


@pytest.mark.parametrize("code", FORMATS)
def test_an_outsider_exports_nothing(batch: Batch, code: str) -> None:
    with pytest.raises(NotAllowed):
        export(batch, make_user(), code)


def cut_off(row: ResultChunk | Upload) -> None:
    """Let ``row`` name a file without the last bytes of its own."""
    with row.blob.open("rb") as file:
        content = ContentFile(file.read()[:-20])
    row.blob.name = row.blob.storage.save(row.blob.name, content, max_length=100)
    row.save(update_fields=["blob"])


@pytest.mark.parametrize("code", ["joined", "raw"])
def test_an_export_of_a_file_that_was_cut_off_is_refused_rather_than_incomplete(
    batch: Batch, user: User, code: str
) -> None:
    build_columns(batch)
    cut_off(ResultChunk.objects.get())

    with pytest.raises(OSError, match="is cut off"):
        export(batch, user, code)


def test_a_request_file_that_was_cut_off_is_told(batch: Batch, user: User) -> None:
    build_columns(batch)
    cut_off(batch.upload)

    with pytest.raises(OSError, match="is cut off"):
        export(batch, user, "joined")
