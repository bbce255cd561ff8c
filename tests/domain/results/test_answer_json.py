"""The fields of an answer that is a JSON object."""

import pytest

from batchapp.domain.results.answer_json import MAX_FIELDS, AnswerField, answer_fields


def test_each_value_is_a_text_with_its_kind() -> None:
    fields = answer_fields('{"a": "x\\ny", "b": 1.50, "c": true, "d": null, "e": [1, {"f": 2}]}')

    assert fields == {
        "a": AnswerField("text", "x\ny"),
        "b": AnswerField("number", "1.50"),
        "c": AnswerField("boolean", "true"),
        "d": AnswerField("null", None),
        "e": AnswerField("json", '[1,{"f":2}]'),
    }


def test_a_number_stays_as_it_is_written() -> None:
    written = "12345678901234567890.10e-400"

    assert answer_fields(f'{{"n": {written}}}')["n"].text == written


def test_a_fence_of_markdown_does_not_count() -> None:
    assert answer_fields('```json\n{"label": "late"}\n```')["label"].text == "late"


@pytest.mark.parametrize(
    "text",
    ["", "late", "[1, 2]", '"x"', '{"a": 1', '{"a": 1} and more', "{" * 100_000, '{"a":' * 5000],
)
def test_any_other_answer_has_no_fields(text: str) -> None:
    assert answer_fields(text) == {}


def test_half_a_surrogate_pair_becomes_text_that_can_be_stored() -> None:
    assert answer_fields('{"a": "x\\ud800y"}')["a"].text == "x?y"


def test_names_and_values_with_nul_can_be_stored_and_asked_for() -> None:
    assert answer_fields('{"a\\u0000b": "x\\u0000y"}') == {"a�b": ("text", "x�y")}
    assert answer_fields('{"\\ud800": 1}') == {"?": ("number", "1")}


def test_an_answer_of_endless_fields_has_a_bounded_number() -> None:
    text = "{" + ",".join(f'"k{number}": 1' for number in range(5 * MAX_FIELDS)) + "}"

    assert len(answer_fields(text)) == MAX_FIELDS
