"""The fields of an answer as a JSON schema, and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables import row_requests
from batchapp.domain.tables.answer_fields import AnswerField, FieldType, fields_of, schema_of

TEXT = st.text(min_size=1, max_size=20)
CHOICES = st.lists(TEXT, min_size=1, max_size=4, unique=True).map(tuple)


def fields() -> st.SearchStrategy[AnswerField]:
    plain = st.sampled_from([FieldType.TEXT, FieldType.NUMBER, FieldType.YES_NO])
    return st.one_of(
        st.builds(AnswerField, TEXT, plain, st.just(()), st.booleans()),
        st.builds(AnswerField, TEXT, st.just(FieldType.CHOICE), CHOICES, st.booleans()),
        st.builds(AnswerField, TEXT, st.just(FieldType.LIST), CHOICES, st.booleans()),
        st.builds(AnswerField, TEXT, st.just(FieldType.LIST), st.just(()), st.booleans()),
    )


def test_every_type_has_its_schema() -> None:
    schema = schema_of(
        [
            AnswerField("product"),
            AnswerField("price", FieldType.NUMBER, is_required=False),
            AnswerField("returned", FieldType.YES_NO),
            AnswerField("label", FieldType.CHOICE, ("good", "bad"), is_required=False),
            AnswerField("topics", FieldType.LIST, ("size", "colour")),
        ]
    )

    assert schema == {
        "type": "object",
        "properties": {
            "product": {"type": "string"},
            "price": {"type": ["number", "null"]},
            "returned": {"type": "boolean"},
            "label": {"type": ["string", "null"], "enum": ["good", "bad", None]},
            "topics": {"type": "array", "items": {"type": "string", "enum": ["size", "colour"]}},
        },
        "required": ["product", "price", "returned", "label", "topics"],
        "additionalProperties": False,
    }


@given(st.lists(fields(), min_size=1, max_size=5, unique_by=lambda field: field.name))
def test_a_schema_gives_its_fields_back_and_is_as_strict_providers_ask(
    chosen: list[AnswerField],
) -> None:
    schema = schema_of(chosen)

    assert fields_of(schema) == chosen
    assert row_requests.schema_error(schema) == ""
    assert schema["required"] == [field.name for field in chosen]
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    "schema",
    [
        None,
        {},
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {"a": {"type": "string"}}},  # allows further fields
        {"type": "object", "properties": {"a": True}, "required": ["a"]},
        schema_of([AnswerField("a")]) | {"description": "more"},
        schema_of([AnswerField("a")]) | {"required": []},
        schema_of([AnswerField("a")]) | {"properties": {"a": {"type": "integer"}}},
        schema_of([AnswerField("a")]) | {"properties": {"a": {"type": []}}},
        schema_of([AnswerField("a")]) | {"properties": {"a": {"type": "string", "enum": 1}}},
        schema_of([AnswerField("a")]) | {"properties": {"a": {"type": "array", "items": 1}}},
        schema_of([AnswerField("a")]) | {"properties": {"a": {"type": "string", "enum": [1]}}},
    ],
)
def test_another_schema_has_no_fields(schema: dict[str, object] | None) -> None:
    assert fields_of(schema) is None
