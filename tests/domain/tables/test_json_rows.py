"""Data sets of JSON objects are read as tables, whole and in bounded memory."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables import json_rows
from batchapp.domain.tables.read_options import DETECT_ALL
from batchapp.domain.tables.table_reader import Table, read_table
from tests.sentences import refused

LINES = '{"id": 1, "text": "Hello"}\n\n{"id": 2, "label": null, "text": "two\\nlines"}\n'


def read(content: str | bytes) -> tuple[Table, list[list[str]]]:
    data = content.encode() if isinstance(content, str) else content
    table = read_table(io.BytesIO(data), DETECT_ALL)
    return table, list(table)


def as_array(lines: str) -> str:
    return "[" + ",\n".join(line for line in lines.splitlines() if line) + "]\n"


@pytest.mark.parametrize(
    "content",
    [
        LINES,
        as_array(LINES),
        "\ufeff" + LINES,
        LINES.replace("\n", "\r\n"),
        LINES.replace("\n", "\r"),
        json.dumps([json.loads(line) for line in LINES.split("\n") if line], indent=4),
        LINES.replace("\n", "").encode("utf-16"),
    ],
)
def test_objects_in_any_layout_are_rows(content: str | bytes) -> None:
    table, rows = read(content)

    assert table.columns == ["id", "text", "label"]
    assert rows == [["1", "Hello", ""], ["2", "two\nlines", ""]]


def test_a_nested_value_is_json_text_and_numbers_stay_as_written() -> None:
    trace = '{"a": {"": 0, "q": "Why “so”?", "n": [1.0, 1e5, null, true, {}]}, "b": [], "c": 1.50,'
    _, rows = read(trace + '"d": 12345678901234567890123, "e": false, "f": NaN}\n')

    assert rows[0][0] == '{"": 0, "q": "Why “so”?", "n": [1.0, 1e5, null, true, {}]}'
    assert rows[0][3:] == ["[]", "1.50", "12345678901234567890123", "false", "NaN"]


def test_the_fields_of_an_object_are_columns_too() -> None:
    lines = ['{"input": {"question": "Why?", "n": 1}, "tag": "a", "input.n": "own"}']
    lines += ['{"input": "plain", "tag": "b"}', '{"input": {"hint": ["x"]}}']

    table, rows = read("\n".join(lines))

    assert table.columns == ["input", "input.question", "input.hint", "tag", "input.n"]
    assert rows == [
        ['{"question": "Why?", "n": 1}', "Why?", "", "a", "own"],
        ["plain", "", "", "b", ""],
        ['{"hint": ["x"]}', "", '["x"]', "", ""],
    ]


def test_objects_with_many_fields_stay_one_column() -> None:
    lines = [json.dumps({"id": 1, "meta": {f"k{n}": n}}) for n in range(2_000)]

    table, rows = read("\n".join(lines))

    assert table.columns == ["id", "meta"]
    assert rows[-1] == ["1", '{"k1999": 1999}']


def test_keys_that_no_prompt_can_hold_get_other_names() -> None:
    table, rows = read('{"{id}": 1, "": 2, "a b": 3, "a  b": 4}\n')

    assert table.columns == ["(id)", "column 2", "a b", "a b (2)"]
    assert rows == [["1", "2", "3", "4"]]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{"a": 1}\n{"a": 2\n', "at line 3: Expecting ',' delimiter"),
        ('{"a": 1}\n{"a": "x\n"}\n', "at line 2: Invalid control character"),
        ('{"a": 1}\n{"a": "x', "at line 2: Unterminated string"),
        ('{"a": 1}\n[2]\n', "line 2: it is no object"),
        ('{"a": 1}\nnull\n', "line 2: it is no object"),
        ('{"a": 1, "b": 2, "a": 3}\n', "“a” is in it twice"),
        ('{"a": 1}\n{"a": "\\ud83d"}\n', "line 2: it has half of a character"),
        ('[{"a": 1}, {"a": 2}', "the end of the list is missing"),
        ('[{"a": 1} {"a": 2}]', "a comma or the end of the list is missing"),
        ('[{"a": 1}]\n[{"a": 2}]', "line 2: text follows the end of the list"),
        ('{"a": 1, "b": ' + 5_000 * "[" + 5_000 * "]" + "}\n", "nested too deeply"),
        ('{"count": 2, "data": [{"id": 1}, {"id": 2}]}', "a table inside"),
        ('{"id": {"0": 1, "1": 2}, "text": {"0": "a", "1": "b"}}', "a table inside"),
        ("[[1, 2], [3, 4]]", "This JSON is no table"),
        ('{"custom_id": "1", "body": {}}\n', "file of requests"),
        ("\n".join(json.dumps({f"k{n}": 1}) for n in range(1_001)), "more than 1,000 columns"),
    ],
)
def test_what_cannot_be_read_whole_is_refused_with_its_line(content: str, says: str) -> None:
    with refused(says):
        read(content)


def test_an_emoji_in_two_escapes_is_one_character() -> None:
    assert read('{"a": "\\ud83d\\ude00"}\n')[1] == [["😀"]]


@pytest.mark.parametrize("is_array", [False, True])
def test_objects_are_read_across_the_pieces_of_a_long_text(
    monkeypatch: pytest.MonkeyPatch, *, is_array: bool
) -> None:
    monkeypatch.setattr(json_rows, "CHUNK_LENGTH", 7)
    lines = "".join(f'{{"n": {n}, "text": "{n * "é"}", "deep": [{{}}]}}\n' for n in range(30))

    _, rows = read(as_array(lines) if is_array else lines)

    assert rows == [[str(n), n * "é", "[{}]"] for n in range(30)]


def test_an_object_without_end_is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(json_rows, "CHUNK_LENGTH", 10)
    monkeypatch.setattr(json_rows, "MAX_OBJECT_LENGTH", 100)

    with refused("longer than 100 characters"):
        read('{"a": 1}\n{"a": "' + 1_000 * "x")


VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=3), values),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUE, min_size=1), min_size=2))
def test_what_a_program_writes_is_read_back(objects: list[dict[str, Any]]) -> None:
    head = {"a": "first", "b": "first", "c": "first"}

    table, rows = read(json.dumps([head, *objects]))
    columns = [table.columns.index(key) for key in "abc"]

    filled = [
        [_text(value.get(key)) for key in "abc"]
        for value in objects
        if any(_text(part).strip() for part in value.values())
    ]
    read_cells = [[row[column] for column in columns] for row in rows[1:]]
    assert [[cell.replace("\0", "") for cell in row] for row in filled] == read_cells


def _text(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)
