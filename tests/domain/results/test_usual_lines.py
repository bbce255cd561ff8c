"""The quick way through usual lines reads as the way for lines of every shape."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchapp.domain.results.outcome import (
    AnswerEnd,
    MalformedLine,
    read_answer,
    read_any_answer,
    read_end,
)
from batchapp.domain.results.usual_lines import decode_usual
from tests.make import answer_line

TEXT = st.text(max_size=12) | st.sampled_from(["", " ", "Yes.", "\0", "\ud800", "stop", "length"])
ODD = st.sampled_from(
    [None, True, 0, 1, 12.0, 12.5, -1, 2**31, 10**30, "", "text", [], [None], ["x"], {}]
)
ODD |= st.sampled_from([{"error": {"message": "Slow down."}}, "200", 199, 299, 300])
TOKENS = st.integers(0, 120)  # a usual line has 100 input tokens
CACHED = ODD | st.dictionaries(
    st.sampled_from(
        ["cached_tokens", *(f"ephemeral_{ttl}_input_tokens" for ttl in ("5m", "1h", "24h"))]
    ),
    ODD | TOKENS,
)
PLACES: dict[str, st.SearchStrategy[Any]] = {
    "id": TEXT | ODD,
    "custom_id": TEXT | ODD,
    "error": ODD,
    "response": ODD,
    "response.status_code": ODD,
    "response.body": ODD,
    "response.body.model": TEXT | ODD,
    "response.body.error": ODD,
    "response.body.output": ODD,
    "response.body.choices": ODD,
    "response.body.usage": ODD,
    "response.body.usage.prompt_tokens": ODD,
    "response.body.usage.completion_tokens": ODD,
    "response.body.usage.input_tokens": ODD,
    "response.body.usage.input_tokens_details": CACHED,
    "response.body.usage.prompt_tokens_details": CACHED,
    "response.body.usage.cache_read_input_tokens": ODD | TOKENS,
    "response.body.usage.cache_creation_input_tokens": ODD | TOKENS,
    "response.body.usage.cache_creation": CACHED,
    "response.body.choices.0": ODD,
    "response.body.choices.0.text": TEXT | ODD,
    "response.body.choices.0.finish_reason": TEXT | ODD,
    "response.body.choices.0.message": ODD,
    "response.body.choices.0.message.content": TEXT | ODD,
    "response.body.choices.0.message.refusal": TEXT | ODD,
    "response.body.choices.0.message.tool_calls": ODD,
    "response.body.choices.0.message.function_call": ODD,
}


def read(reader: Any, line: bytes) -> object:
    try:
        return reader(line)
    except MalformedLine:
        return None


def assert_read_alike(line: bytes) -> None:
    answer: Any = read(read_any_answer, line)
    end = answer and AnswerEnd(*(getattr(answer, name) for name in AnswerEnd._fields))

    assert read(read_answer, line) == answer
    assert read(read_end, line) == end


def changed(place: str, value: Any) -> bytes:
    """Return a usual line with ``value`` at ``place``."""
    line = json.loads(answer_line(1, text="An answer."))
    *way, last = place.split(".")
    inner: Any = line
    for step in way:
        inner = inner[int(step)] if step.isdecimal() else inner[step]
    inner[int(last) if last.isdecimal() else last] = value
    return json.dumps(line).encode()


@given(place=st.sampled_from(sorted(PLACES)), data=st.data())
def test_a_line_with_any_value_anywhere_is_read_alike(place: str, data: st.DataObject) -> None:
    line = changed(place, data.draw(PLACES[place]))

    assert_read_alike(line)


@given(at=st.integers(0, 400), byte=st.binary(min_size=1, max_size=1))
@example(at=10, byte=b"\xff")
@example(at=10, byte=b"\\")
@example(at=10, byte=b"\n")
def test_a_damaged_line_is_read_alike(at: int, byte: bytes) -> None:
    line = answer_line(1, text="An answer.")
    line = line[:at] + byte + line[at + 1 :]

    assert_read_alike(line)


@pytest.mark.parametrize("name", [b"x", b"custom_id", b"response", b"id"])
def test_a_field_that_comes_twice_or_is_unknown_is_read_alike(name: bytes) -> None:
    for value in (b'"\xff"', b'"\\ud800"', b"1e999", b"NaN", b'"a"', b"{}", b"01"):
        line = b'{"%s":%s,' % (name, value) + answer_line(1, text="An answer.")[1:]

        assert_read_alike(line)


@given(
    read=TOKENS, written=TOKENS, total=TOKENS, by_lifetime=st.lists(TOKENS, min_size=3, max_size=3)
)
def test_cached_tokens_together_are_read_alike(
    read: int, written: int, total: int, by_lifetime: list[int]
) -> None:
    names = [f"ephemeral_{ttl}_input_tokens" for ttl in ("5m", "1h", "24h")]
    usage = {
        "prompt_tokens": total,
        "completion_tokens": 5,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "cache_creation": dict(zip(names, by_lifetime, strict=True)),
    }

    assert_read_alike(changed("response.body.usage", usage))


def test_the_answer_of_a_chat_is_usual_and_others_are_not() -> None:
    assert decode_usual(answer_line(1, text="An answer."))
    assert not decode_usual(changed("response.body.choices.0.message.content", " \n"))
    assert not decode_usual(changed("response.body.choices.0.message.refusal", "No."))
    assert not decode_usual(answer_line(1, text="x" * 1_000_000))
