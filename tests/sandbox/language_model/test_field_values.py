"""Fields of structured answers that are filled from the text of the request."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.conversation import Conversation
from batchapp.sandbox.language_model.responses import make_response
from batchapp.sandbox.language_model.structured_output import StructuredOutput
from batchapp.sandbox.seeded_random import SeededRandom
from tests.sandbox.language_model.schema_check import schema_errors
from tests.sandbox.language_model.test_text import MUSEUM

SAMPLES = Path(__file__).parents[3] / "batchapp/data/samples"
INVOICE = """Invoice INV-2024-0815
From: Acme GmbH
Date: 3.4.2024
Contact: bob@acme.example, +49 30 1234567
Website: https://acme.example/pay
Total: EUR 1,299.50
Items: 3"""
NULLABLE = {"type": ["string", "null"]}


def fill(prompt: str, properties: dict, system: str = "Extract the facts.") -> dict:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    conversation = Conversation(system=system, prompt=prompt)
    value = StructuredOutput(schema, conversation, SeededRandom("any")).generate()
    assert schema_errors(value, schema) == []
    return value


def test_the_sample_of_vulnerabilities_gets_its_own_numbers_and_releases():
    rows = (SAMPLES / "structured.jsonl").read_text().splitlines()
    for row in rows:
        line = RequestLine(**json.loads(row))
        body = json.loads(make_response(line, "", response_id="0" * 32, created=1))
        value = json.loads(body["choices"][0]["message"]["content"])

        prompt = line.body["messages"][-1]["content"]
        assert value["cve"] == prompt.split()[0]
        assert value["fixed_in"] is None or value["fixed_in"] in prompt
        assert value["summary"][:40] in prompt


def test_an_invoice_is_read():
    value = fill(
        INVOICE,
        {
            "invoice_number": {"type": "string"},
            "vendor": {"type": "string"},
            "date": {"type": "string", "format": "date"},
            "total": {"type": "number"},
            "currency": {"type": "string"},
            "email": {"type": "string", "format": "email"},
            "phone": {"type": "string"},
            "website": {"type": "string", "format": "uri"},
            "items": {"type": "integer"},
        },
    )

    assert value == {
        "invoice_number": "INV-2024-0815",
        "vendor": "Acme GmbH",
        "date": "2024-04-03",
        "total": 1299.5,
        "currency": "EUR",
        "email": "bob@acme.example",
        "phone": "+49 30 1234567",
        "website": "https://acme.example/pay",
        "items": 3,
    }


def test_facts_are_found_in_prose():
    value = fill(
        MUSEUM,
        {
            "people": {"type": "array", "items": {"type": "string"}},
            "city": {"type": "string"},
            "visitors": {"type": "integer"},
            "opened_on": {"type": "string"},
            "price": {"type": "number", "maximum": 100},
            "title": {"type": "string"},
            "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        },
    )

    assert value["people"] == ["Ada Lovelace"]
    assert value["city"] in {"Delft", "Leiden"}
    assert value["visitors"] == 1200
    assert value["opened_on"] == "2024-03-12"
    assert value["price"] == 14
    assert MUSEUM.startswith(value["title"])


@pytest.mark.parametrize(
    "schema",
    [NULLABLE, {"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": ["number", "null"]}],
)
def test_what_the_text_does_not_say_is_null_where_that_is_allowed(schema):
    assert fill("The sky is blue.", {"order_number": schema}) == {"order_number": None}


def test_a_description_lists_labels_and_examples():
    value = fill(
        "The FTS3 extension crashes. Fixed with 3.41.2 of last week.",
        {
            "component": {"type": "string", "description": "such as core, CLI, FTS3"},
            "release": {**NULLABLE, "description": "the release, such as 3.39.2"},
            "kind": {"type": "string", "description": "one of: bug, question, praise"},
        },
    )

    assert value == {"component": "FTS3", "release": "3.41.2", "kind": "bug"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [("We offer delivery.", True), ("We do not offer delivery.", False), ("We sell tea.", False)],
)
def test_a_truth_value_is_true_if_the_text_says_so(text, expected):
    assert fill(text, {"has_delivery": {"type": "boolean"}}) == {"has_delivery": expected}


def test_a_pattern_that_could_take_for_ever_is_not_searched():
    schema = {"type": "string", "pattern": "^(a+)+$"}

    value = fill("a" * 35 + "!", {"name": schema})

    assert set(value["name"]) == {"a"}


FIELD_NAMES = st.sampled_from(
    ["id", "date", "total", "email", "name", "city", "count", "score", "summary", "is_new", "tags"]
)
SCHEMAS = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "format": "date"},
        {"type": "string", "maxLength": 5},
        {"type": "integer", "minimum": 1, "maximum": 9},
        {"type": "number", "multipleOf": 0.5},
        {"type": ["number", "null"]},
        {"type": "boolean"},
        {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 3},
        {"type": "array", "items": {"type": "integer"}, "minItems": 2, "uniqueItems": True},
    ]
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    text=st.text(max_size=150)
    | st.from_regex(r"(?:[A-Z]?[\w.,/:$@ -]{0,12}\n?){0,9}", fullmatch=True),
    properties=st.dictionaries(FIELD_NAMES, SCHEMAS, min_size=1, max_size=5),
)
def test_any_text_gives_a_valid_value(text, properties):
    json.dumps(fill(text, properties))
