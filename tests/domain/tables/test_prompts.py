import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables.prompts import PromptError, columns_of, render
from batchapp.domain.tables.row_requests import (
    PromptSettings,
    RowRequest,
    build_requests,
    settings_errors,
)
from tests.domain.request_lines import codes, make_file

ROW = {"name": "Ada", "text": "{name} {0} }{", "a.b": "dotted", "a b": "spaced", "id": "x-1"}
SETTINGS = PromptSettings(model="m", prompt="Summarise: {text}", max_tokens=50)


def request_of(row, settings) -> RowRequest:
    (request,) = build_requests([row], settings)
    return request


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("Dear {name}, {name}!", "Dear Ada, Ada!"),
        ("{a.b} and {a b}", "dotted and spaced"),
        ("{text}", "{name} {0} }{"),
        ('{{"who": "{name}"}}', '{"who": "Ada"}'),
        ("{{{name}}}", "{Ada}"),
        ("{{name}}", "{name}"),
        ("no column", "no column"),
        ("", ""),
    ],
)
def test_a_column_in_braces_becomes_its_value(template, rendered):
    assert render(template, ROW) == rendered


@pytest.mark.parametrize(
    "template",
    ["{name.__class__}", "{name[0]}", "{name!r}", "{name:>9}", "{ name}", "{0}", "{name.upper()}"],
)
def test_nothing_but_a_column_can_stand_in_braces(template):
    with pytest.raises(PromptError, match="There is no column"):
        render(template, ROW)


@pytest.mark.parametrize("template", ["{", "}", "a } b", "{name", "name}", "{{name}", "{}", "{{}"])
def test_a_brace_without_partner_is_an_error(template):
    with pytest.raises(PromptError, match="no partner"):
        render(template, ROW)
    with pytest.raises(PromptError, match="no partner"):
        columns_of(template)


@pytest.mark.parametrize(
    "example",
    ['{"label": "x"}', '{ "label" : 1 }', '{\n  "label": "x",\n  "n": [1]\n}', "{'a': True}"],
)
def test_an_example_in_json_is_told_to_have_its_braces_written_twice(example):
    within = " ".join(example[1:-1].split())
    settings = PromptSettings(model="m", prompt=f"Answer as {example}: {{text}}")

    (error,) = settings_errors(settings, ROW)

    assert "is an example in JSON, not a column. Write its braces twice" in error
    assert error.endswith(f"{{{{{within}}}}}")
    assert render(f"{{{example}}}", ROW) == example


def test_an_example_of_nested_json_is_told_the_same():
    settings = PromptSettings(model="m", prompt='Answer as {"a": {"b": 1}}')

    (error,) = settings_errors(settings, ROW)

    assert "Write {{ or }} for a brace that is meant as text, as in an example in JSON" in error


def test_a_missing_column_is_named_with_those_that_exist():
    with pytest.raises(PromptError) as caught:
        render("{nmae}", ROW)

    assert str(caught.value) == (
        "There is no column nmae. Did you mean name? The table has: name, text, a.b, a b, id."
    )


def test_a_table_without_columns_is_said_to_have_none():
    with pytest.raises(PromptError, match="has none"):
        render("{x}", {})


def test_columns_are_found_without_a_row():
    assert columns_of("{b} {a.b} {{c}} {b}") == {"b", "a.b"}


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, st.dictionaries(TEXT, TEXT, max_size=3))
def test_any_template_is_rendered_or_a_prompt_error(template, row):
    with suppress(PromptError):
        render(template, row)


@given(TEXT)
def test_escaped_text_is_rendered_unchanged(text):
    assert render(text.replace("{", "{{").replace("}", "}}"), {}) == text


@given(TEXT.filter(lambda text: text.strip()))
def test_every_line_that_is_built_passes_the_check(text):
    settings = PromptSettings(model="m", prompt="{text}", max_tokens=5)
    line = request_of({"text": text}, settings).line

    assert codes(make_file(line)) == {}
    assert json.loads(line)["body"]["messages"] == [{"role": "user", "content": text}]


def test_a_request_has_the_values_of_the_settings():
    properties = {"sum": {"type": "string"}}
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    schema["required"] = ["sum"]
    prompt_settings = PromptSettings(
        model="m",
        prompt="{name}",
        system="Be terse, {name}.",
        id_column="id",
        max_tokens=9,
        temperature=0.5,
        response_schema=schema,
    )

    request = json.loads(request_of(ROW, prompt_settings).line)

    assert request == {
        "custom_id": "x-1",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be terse, Ada."},
                {"role": "user", "content": "Ada"},
            ],
            "max_tokens": 9,
            "temperature": 0.5,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "strict": True, "schema": schema},
            },
        },
    }


def test_a_schema_is_strict_only_where_every_provider_takes_it_as_strict():
    schema = {"type": "object", "properties": {"sum": {"type": "string"}}}
    settings = PromptSettings(model="m", prompt="{name}", max_tokens=5, response_schema=schema)

    line = request_of(ROW, settings).line

    answer_format = json.loads(line)["body"]["response_format"]
    assert answer_format["json_schema"] == {"name": "answer", "strict": False, "schema": schema}
    assert codes(make_file(line)) == {}


def test_rows_are_numbered_when_no_column_names_them():
    requests = build_requests([ROW, ROW], SETTINGS)

    assert [request.custom_id for request in requests] == ["row-00001", "row-00002"]


def test_an_image_column_adds_an_image():
    prompt_settings = PromptSettings(model="m", prompt="What is this?", image_column="image")
    image = {"type": "image_url", "image_url": {"url": "https://example.org/1.png"}}

    with_image = json.loads(
        request_of({"image": " https://example.org/1.png "}, prompt_settings).line
    )
    without = json.loads(request_of({"image": ""}, prompt_settings).line)

    text = {"type": "text", "text": "What is this?"}
    assert with_image["body"]["messages"][0]["content"] == [image, text]
    assert without["body"]["messages"][0]["content"] == "What is this?"


def test_embeddings_get_the_prompt_as_their_input():
    prompt_settings = PromptSettings(
        model="m", prompt="{name}", url="/v1/embeddings", max_tokens=5
    )

    line = request_of(ROW, prompt_settings).line

    assert json.loads(line)["body"] == {"model": "m", "input": "Ada"}
    assert codes(line) == {}


@pytest.mark.parametrize(
    ("custom_id", "says"),
    [("x" * 65, "65 bytes"), ("a\x1b[1m", "control character"), (" ", "is blank")],
)
def test_a_cell_that_cannot_be_an_id_is_an_error_with_advice(custom_id, says):
    prompt_settings = PromptSettings(model="m", prompt="x", id_column="id")

    error = request_of({"id": custom_id}, prompt_settings).error

    assert says in error
    assert "number the rows" in error


def test_a_blank_prompt_is_an_error():
    request = request_of({"text": " \n"}, PromptSettings(model="m", prompt="{text}"))

    assert "blank" in request.error


def test_text_that_is_not_unicode_is_an_error():
    request = request_of({"text": "\udcff"}, PromptSettings(model="m", prompt="{text}"))

    assert "UTF-8" in request.error
