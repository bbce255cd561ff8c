"""Structured outputs are valid against their schema, and texts against their pattern."""

import re

import pytest

from batchapp.sandbox.language_model.conversation import Conversation
from batchapp.sandbox.language_model.patterns import matching_text
from batchapp.sandbox.language_model.structured_output import StructuredOutput
from batchapp.sandbox.seeded_random import SeededRandom
from tests.sandbox.language_model.schema_check import schema_errors

TICKET = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": ["billing", "technical", "other"]},
        "urgency": {"type": "integer", "minimum": 1, "maximum": 5},
        "confidence": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "is_angry": {"type": "boolean"},
        "due": {"type": ["string", "null"], "format": "date"},
        "tags": {
            "type": "array",
            "items": {"enum": ["a", "b", "c"]},
            "minItems": 2,
            "maxItems": 3,
            "uniqueItems": True,
        },
        "customer": {"$ref": "#/$defs/person"},
        "version": {"const": "v1"},
    },
    "required": ["category", "urgency", "customer", "version", "confidence", "due", "tags"],
    "additionalProperties": False,
    "$defs": {
        "person": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 30, "maxLength": 40},
                "contact": {
                    "anyOf": [
                        {"type": "string", "format": "email"},
                        {"type": "object", "properties": {"phone": {"type": "string"}}},
                        {"type": "null"},
                    ]
                },
            },
            "required": ["name", "contact"],
            "additionalProperties": False,
        }
    },
}
TREE = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "children": {"type": "array", "items": {"$ref": "#"}},
        "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
    },
    "required": ["name", "children", "next"],
    "additionalProperties": False,
    "$defs": {
        "node": {
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
            "required": ["next"],
        }
    },
}

SCHEMAS = [
    TICKET,
    TREE,
    {"type": "array", "items": {"type": "integer", "multipleOf": 5, "maximum": 20}, "minItems": 4},
    {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"type": "number"}}}]},
    {"oneOf": [{"type": "integer", "minimum": 3}, {"type": "boolean"}]},
    {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    {"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "minItems": 2},
    {"type": "string", "pattern": r"^[A-Z]{3}-\d{2,4}$"},
    {"type": "number", "minimum": -1.5, "maximum": -0.5},
    {"type": "integer", "exclusiveMinimum": 4, "exclusiveMaximum": 6},
    {"type": "integer", "minimum": 1000},
    {"type": "array", "items": {"type": "string"}, "maxItems": 0},
    {"properties": {"a": {"minLength": 3}}, "required": ["a"]},
    {"enum": [1, None, "x"]},
    {},
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_answers_are_valid_against_their_schema(schema):
    for seed in range(50):
        conversation = Conversation(prompt="My invoice is wrong, please refund me." * (seed % 3))

        value = StructuredOutput(schema, conversation, SeededRandom(str(seed))).generate()

        assert schema_errors(value, schema) == []


def test_the_label_follows_from_the_prompt():
    conversation = Conversation(prompt="My card was charged twice, I want a refund.")

    value = StructuredOutput(TICKET, conversation, SeededRandom("any")).generate()

    assert value["category"] == "billing"


@pytest.mark.parametrize(
    "schema",
    [None, True, 5, {"type": 7}, {"$ref": "#/nowhere"}, {"properties": {"a": True}}, {"enum": []}],
)
def test_invalid_schemas_still_get_an_answer(schema):
    StructuredOutput(schema, Conversation(), SeededRandom("any")).generate()


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{4}-\d{2}-\d{2}$",
        r"^(red|green|blue)$",
        r"^[a-z0-9_]+@[a-z]+\.(com|org)$",
        r"^#?[A-Fa-f0-9]{6}$",
        r"[^abc]x*",
        r"^(?:a|b){2,}$",
        r"a.c",
    ],
)
def test_simple_patterns_are_matched(pattern):
    for seed in range(20):
        text = matching_text(pattern, SeededRandom(str(seed)))
        assert text is not None
        assert re.search(pattern, text)


@pytest.mark.parametrize("pattern", [r"^(?=a)b$", r"\bx", "(", "*", r"(?P<n>a)"])
def test_unsupported_patterns_have_no_text(pattern):
    assert matching_text(pattern, SeededRandom("any")) is None
