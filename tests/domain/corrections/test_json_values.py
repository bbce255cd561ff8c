import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.domain.corrections.json_values import ValueSplitter, iter_values
from tests.domain.request_lines import make_line, make_request

ROWS = [
    make_request(custom_id="a", note='brackets ]}[{ and "quotes" \\'),
    make_request(custom_id="é", note={"deep": [[{"er": []}]], "empty": {}}),
    make_request(custom_id="c"),
]
MAX = 10**6


def lines_of(data: bytes, chunk: int = MAX, max_length: int = MAX) -> list[bytes]:
    chunks = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    return b"".join(iter_values(chunks, max_length)).splitlines()


def fed(data: bytes, chunk: int) -> list[bytes]:
    """Return the lines that come of chunks of this size, also at the start of the file."""
    splitter = ValueSplitter(MAX)
    pieces = [
        piece
        for at in range(0, len(data), chunk)
        for piece in splitter.feed(data[at : at + chunk])
    ]
    return b"".join([*pieces, *splitter.finish()]).splitlines()


def layouts() -> list[bytes]:
    texts = [
        *(json.dumps(ROWS, indent=indent, ensure_ascii=False) for indent in (None, 0, 2, "\t")),
        "\n".join(json.dumps(row, indent=4) for row in ROWS),
        "".join(json.dumps(row) for row in ROWS),
        json.dumps({"requests": ROWS}, indent=1),
        "\ufeff" + json.dumps(ROWS, indent=2).replace("\n", "\r\n"),
        ",\n".join(json.dumps(row) for row in ROWS),
        json.dumps(ROWS[:1]) + json.dumps(ROWS[1:]),
    ]
    return [text.encode() for text in texts]


@pytest.mark.parametrize("data", layouts(), ids=range(len(layouts())))
def test_every_layout_gives_one_line_per_request(data):
    assert [json.loads(line) for line in lines_of(data)] == ROWS


@pytest.mark.parametrize("chunk", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("number", [0, 2, 4, 5, 8, 9])
def test_a_request_may_reach_over_any_number_of_chunks(number, chunk):
    assert [json.loads(line) for line in fed(layouts()[number], chunk)] == ROWS


@settings(max_examples=100, deadline=None)
@given(st.lists(st.dictionaries(st.text(), st.text() | st.lists(st.text())), max_size=4))
def test_a_text_with_any_character_comes_out_as_it_went_in(rows):
    data = json.dumps(rows, ensure_ascii=True, indent=1).encode()

    for chunk in (1, 5, MAX):
        assert [json.loads(line) for line in fed(data, chunk)] == rows


def test_a_request_on_one_line_keeps_its_every_byte():
    row = b'{"custom_id" :  "a", "n": 1.10, "big": 123456789012345678901234567890}'

    assert lines_of(b"[" + row + b" , " + row + b"]") == [row, row]


def test_a_number_in_an_indented_request_is_not_written_otherwise():
    assert lines_of(b'[\n {\n  "n": 1.10,\n  "e": 1E5\n }\n]') == [b'{"n": 1.10,"e": 1E5}']


def test_a_line_break_in_a_text_is_escaped():
    (line,) = lines_of(b'[{"a": "b\nc",\n "d": 1}]')

    assert json.loads(line) == {"a": "b\nc", "d": 1}


def test_what_stands_between_the_requests_comes_out_as_lines_of_their_own():
    assert lines_of(b'[{"a": 1}, 17, {"b": 2} oops "}" ]') == [
        b'{"a": 1}',
        b"17",
        b'{"b": 2}',
        b'oops "}"',
    ]
    assert lines_of(b'{"model": "m", "requests": [{"a": 1}], "tail": "x"}') == [
        b'{"model": "m"}',
        b'{"a": 1}',
        b'"tail": "x"',
    ]


def test_a_request_without_its_end_comes_out_as_far_as_it_goes():
    assert lines_of(b'[{"a": 1}, {"b": "c') == [b'{"a": 1}', b'{"b": "c']
    assert lines_of(b"}]}{") == [b"}}", b"{"]


def test_of_a_value_no_more_is_kept_than_a_line_may_have():
    long = make_line(custom_id="long", note="x" * 50_000)
    data = b"[" + long + b"," + make_line() + b"]"

    pieces = list(iter_values((data[at : at + 100] for at in range(0, len(data), 100)), 1_000))

    assert max(map(len, pieces)) < 6_000
    assert b"".join(pieces) == long + b"\n" + make_line() + b"\n"


@pytest.mark.parametrize("unit", [b"[", b"{", b'{"a":', b'"', b"]", b'\\"', b"[{}"])
def test_hostile_brackets_take_no_memory_and_come_out_again(unit):
    data = unit * 100_000

    pieces = list(iter_values([data[at : at + 999] for at in range(0, len(data), 999)], 10_000))

    assert max(map(len, pieces), default=0) < 12_000
