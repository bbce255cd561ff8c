import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.request_files.reading.meant_json import (
    decode_twice,
    drop_comma,
    end_of_object,
    ends_in_text,
    escape_controls,
    is_object,
    python_to_json,
    straighten_quotes,
)

REWRITERS = [drop_comma, straighten_quotes, escape_controls, python_to_json, decode_twice]

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=9,
)
DICTS = st.dictionaries(st.text(min_size=1), VALUES, min_size=1, max_size=4)


@given(DICTS)
def test_a_dict_as_python_prints_it_becomes_the_same_object(value):
    written = repr(value).encode("utf-8", "surrogatepass")
    if written.startswith(b"{'"):
        new = python_to_json(written)
        assert not new or json.loads(new) == value
        has_other_escapes = b"\\x" in written and b"\\\\x" not in written
        assert new or b"\\" in written or has_other_escapes


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"{'a': 'it\\'s', 'b': [True, None, False]}", {"a": "it's", "b": [True, None, False]}),
        (b"{'a': \"it's True\"},", {"a": "it's True"}),
        (b"{'a': '\\xe9\\u00e9\\U0001f600\\n\\\\'}", {"a": "éé😀\n\\"}),
        (b"{'a': 'say \"x\"'}", {"a": 'say "x"'}),
        (b"{'a': (1, 2)}", None),
        (b"{'a': datetime.date(2020, 1, 1)}", None),
        (b"{'a': '\\N{BULLET}'}", None),
        (b"{'a': 'x", None),
        (b'{"a": 1}', None),
    ],
)
def test_python_is_read_or_given_up(line, value):
    new = python_to_json(line)

    assert (json.loads(new) if new else None) == value


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("{“a”: “b”, “c”: [“d”]}", {"a": "b", "c": ["d"]}),
        ("{“a“ : “b“}", {"a": "b"}),
        ("{„a“: „b“}", {"a": "b"}),
        ("{“a”: “he said “no” twice”}", {"a": "he said “no” twice"}),
        ('{"a": “b”}', {"a": "b"}),
        ("{“a”: “he said “no”, and left”}", None),
        ('{“a”: “say "x"”}', None),
        ('{"a": "“quoted”"}', None),
    ],
)
def test_curly_quotes_around_texts_are_straightened_and_those_within_stay(line, value):
    new = straighten_quotes(line.encode())

    assert (json.loads(new) if new else None) == value


@given(DICTS)
def test_line_breaks_within_texts_are_written_as_json_does(value):
    line = json.dumps(value, ensure_ascii=False).replace("\\n", "\n").replace("\\t", "\t")
    new = escape_controls(line.encode("utf-8", "surrogatepass"))

    assert not new or json.loads(new) is not None


def test_a_tab_and_a_line_break_in_a_text_are_escaped():
    assert escape_controls(b'{"a":\t"b\tc\r\nd\0"}') == b'{"a":\t"b\\tc\\r\\nd\\u0000"}'
    assert escape_controls(b'{"a": "b"}') == b""


def test_an_object_in_a_text_is_decoded_once():
    assert decode_twice(b'"{\\"a\\": 1}"') == b'{"a": 1}'
    assert decode_twice(b'"{\\n  \\"a\\": \\"x\\\\ny\\"\\n}"') == b'{   "a": "x\\ny" }'
    assert decode_twice(b'"hello"') == decode_twice(b'{"a": 1}') == decode_twice(b'"{') == b""


def test_commas_after_an_object_are_dropped():
    assert drop_comma(b'{"a": 1},') == drop_comma(b'{"a": 1} , ,') == b'{"a": 1}'
    assert drop_comma(b'{"a": 1}') == drop_comma(b"x,") == b""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b'{"a": "b', True),
        (b'{"a": "b\\', True),
        (b'{"a": "b\\"', True),
        (b'{"a": "b"', False),
        (b'{"a": "b\\\\"', False),
        (b'a "', False),
    ],
)
def test_a_line_that_breaks_off_in_a_text_is_seen(line, expected):
    assert ends_in_text(line) is expected


def test_the_end_of_a_first_object_is_found():
    assert end_of_object(b'{"a": 1} {"b": 2}') == 8
    assert end_of_object(b'{"a": 1}') == end_of_object(b"x") == end_of_object(b"") == 0


def test_a_line_of_more_texts_than_any_request_has_stays_as_it_is():
    texts = b",".join([b'"a\tb"'] * 150_000)

    assert escape_controls(b'{"a": [' + texts + b"]}") == b""
    assert python_to_json(b"{'a': [" + texts + b"]}") == b""


HOSTILE = [
    b'{"' + b'\\"' * 500_000,
    b"{'" + b"\\'" * 500_000,
    b"}{" * 500_000,
    b"{'a':" * 200_000,
    b'{"a":' * 200_000,
    ("{“" * 200_000).encode(),
    b'{"a",' * 200_000,
    b"{" + b" " * 1_000_000 + b",",
    b'"' + b"\\\\" * 500_000,
]


@pytest.mark.parametrize("line", HOSTILE, ids=range(len(HOSTILE)))
def test_a_line_made_to_take_long_takes_as_long_as_its_bytes(line):
    """A search that began anew at every quotation mark would take many minutes here."""
    started = time.process_time()

    for rewrite in REWRITERS:
        assert not (rewrite(line) and not is_object(rewrite(line)))
    ends_in_text(line)

    assert time.process_time() - started < 60
