"""Answers and the schemas that their requests ask for."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.results.answer_schemas import (
    MAX_SCHEMA_BYTES,
    RequestedSchema,
    requested_schema,
    schema_error,
)

PERSON = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "additionalProperties": False,
}


def request(schema: Any = PERSON, **body: Any) -> bytes:
    holder = {"name": "answer", "strict": True, "schema": schema}
    form = {"type": "json_schema", "json_schema": holder}
    return json.dumps({"custom_id": "a", "body": {"response_format": form} | body}).encode()


def error_of(schema: Any, answer: str) -> str:
    requested = requested_schema(request(schema))
    assert requested
    return schema_error(requested, answer)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ('{"name": "Ada", "age": 36}', ""),
        (' {"name": "Ada"}\n', ""),
        ('{"age": 36}', '"name" is a required property'),
        ('{"name": "Ada", "age": "36"}', 'At age: "36" is not of type "integer"'),
        ("Ada", "The answer is not JSON, though a schema was asked for."),
        (
            '```json\n{"name": "Ada"}\n```',
            "The answer is not JSON, though a schema was asked for.",
        ),
        ('{"name": "Ada"', "The answer is not JSON, though a schema was asked for."),
        ('{"name": NaN}', "The answer is not JSON, though a schema was asked for."),
    ],
)
def test_an_answer_is_checked_against_the_schema(answer: str, says: str) -> None:
    assert error_of(PERSON, answer) == says


def test_an_error_of_a_circular_schema_has_no_details() -> None:
    tree = {"properties": {"left": {"$ref": "#"}}, "required": ["value"]}

    assert error_of(tree, '{"value": 1, "left": {"value": 2}}') == ""
    assert error_of(tree, '{"value": 1, "left": {}}').startswith("The answer does not follow")


def test_the_schema_of_the_responses_api_counts_as_well() -> None:
    form = {"type": "json_schema", "name": "answer", "schema": PERSON}
    line = json.dumps({"body": {"text": {"format": form}}}).encode()

    requested = requested_schema(line)

    assert requested
    assert schema_error(requested, "{}")


def test_a_tool_call_instead_of_an_answer_is_not_checked() -> None:
    requested = requested_schema(request(tools=[{"type": "function"}]))

    assert requested
    assert schema_error(requested, 'look_up({"name": "Ada"})') == ""
    assert schema_error(requested, "{}")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b'{"body": {"response_format": {"type": "json_object"}}}',
        b'{"body": {"note": "json_schema"}}',
        b'{"body": {"response_format": {"type": "json_schema"}}}',
        b'{"body": {"response_format": {"type": "json_schema", "json_schema": 5}}}',
        b'{"body": {"response_format": "json_schema"}}',
        b'{"body": ["json_schema"]}',
        b'{"body": {"response_format": {"type": "json_schema", "json_schema": {"schema": []}}}}',
        b"json_schema \xff",
        b'{"json_schema": ' + 100_000 * b"[",
    ],
)
def test_a_request_without_a_schema_has_none(line: bytes) -> None:
    assert requested_schema(line) is None


def doubled(depth: int) -> dict[str, Any]:
    """Return a short schema in which every level refers to the next level twice."""
    defs: dict[str, Any] = {
        f"a{n}": {"allOf": 2 * [{"$ref": f"#/$defs/a{n + 1}"}]} for n in range(depth)
    }
    return {"$defs": defs | {f"a{depth}": {"type": "integer"}}, "$ref": "#/$defs/a0"}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "nonsense"},
        {"properties": {"a": 5}},
        {"$ref": "#/$defs/nothing"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$schema": "https://example.com/of-our-own"},
        {"properties": {"a": {"$id": "https://example.com/", "$ref": "#"}}},
        {"pattern": "(?=a)b"},
        {"pattern": "(((a{1,1000}){1,1000}){1,1000})"},
        {"enum": ["x" * MAX_SCHEMA_BYTES]},
        {"properties": {"$defs": doubled(40)}} | doubled(40),
        doubled(40),
        json.loads('{"not": ' * 500 + "{}" + "}" * 500),
    ],
)
def test_an_unusable_schema_is_ignored(schema: Any) -> None:
    assert error_of(schema, "5 is no JSON object: {") in {
        "",
        "The answer is not JSON, though a schema was asked for.",
    }
    assert error_of(schema, '{"a": 5}') == ""


def woven(keyword: str) -> dict[str, Any]:
    """Return two schemas that each refer to both schemas on the next level."""
    both = [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]
    level = {"type": "object", "properties": {"x": {keyword: both}}}
    return {"$defs": {"a": level, "b": level}, "$ref": "#/$defs/a"}


NESTED = 200 * '{"x":' + "1" + 200 * "}"
HOSTILE = """
import json, sys
from batchapp.domain.results.answer_schemas import RequestedSchema, schema_error
schema, answer = json.load(sys.stdin)
schema_error(RequestedSchema(json.dumps(schema).encode(), False), answer)
print("survived")
"""


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"$ref": "#"}, "1"),
        ({"allOf": [{"$ref": "#"}]}, "1"),
        ({"$defs": {"a": {"anyOf": 2 * [{"$ref": "#/$defs/a"}]}}, "$ref": "#/$defs/a"}, "1"),
        ({"properties": {"x": {"oneOf": 2 * [{"$ref": "#"}]}}}, NESTED),
        ({"properties": {"x": {"anyOf": 2 * [{"$ref": "#"}]}}, "type": "object"}, NESTED),
        ({"properties": {"x": {"allOf": 2 * [{"$ref": "#/not"}]}}, "not": {"$ref": "#"}}, NESTED),
        (woven("oneOf"), NESTED),
        (woven("anyOf"), NESTED),
        (woven("allOf") | {"unevaluatedProperties": False}, NESTED),
        (woven("prefixItems"), 200 * '{"x":[' + "1" + 200 * "]}"),
        ({"pattern": "^(a+)+$"}, json.dumps(50_000 * "a" + "b")),
        ({"pattern": "(a{0,50}){0,50}b"}, json.dumps(50_000 * "a")),
        ({"uniqueItems": True}, json.dumps([[n] for n in range(20_000)])),
        ({"multipleOf": 1e-300}, "1e300"),
        ({"maxLength": 1}, '"\\ud800"'),
        ({"maximum": 5}, 5_000 * "9"),
        ({}, 100_000 * "["),
    ],
)
def test_no_schema_hangs_or_breaks_the_check(schema: Any, answer: str) -> None:
    """Run the check in a separate process, which the kernel ends after some seconds of work."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_CPU, (5, 5))\n{HOSTILE}"

    done = subprocess.run(
        [sys.executable, "-c", limited],
        input=json.dumps([schema, answer]),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "survived\n", done.stderr


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "$ref", "properties", "items", "pattern", "enum", "$defs"]
                ),
                inner,
                max_size=3,
            )
        ),
        max_leaves=12,
    ),
    st.text(max_size=20),
)
def test_any_schema_is_used_or_ignored(schema: Any, answer: str) -> None:
    assert isinstance(
        schema_error(RequestedSchema(json.dumps(schema).encode(), has_tools=False), answer), str
    )
