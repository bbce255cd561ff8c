import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables.prompts import PromptError, columns_of, render
from batchapp.domain.tables.row_requests import PromptSettings, build_request_line
from tests.domain.request_lines import codes, make_file

ROW = {"name": "Ada", "text": "{name} {0} }{", "a.b": "dotted", "a b": "spaced", "id": "x-1"}
SETTINGS = PromptSettings(model="m", prompt="Summarise: {text}", max_tokens=50)


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
    line = build_request_line(
        7, {"text": text}, PromptSettings(model="m", prompt="{text}", max_tokens=5)
    )

    assert codes(make_file(line)) == {}
    assert json.loads(line)["body"]["messages"] == [{"role": "user", "content": text}]


def test_a_request_has_the_values_of_the_settings():
    schema = {"type": "object", "properties": {"sum": {"type": "string"}}}
    prompt_settings = PromptSettings(
        model="m",
        prompt="{name}",
        system="Be terse, {name}.",
        id_column="id",
        max_tokens=9,
        temperature=0.5,
        response_schema=schema,
    )

    request = json.loads(build_request_line(1, ROW, prompt_settings))

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


def test_rows_are_numbered_when_no_column_names_them():
    assert json.loads(build_request_line(1, ROW, SETTINGS))["custom_id"] == "row-00001"
    assert json.loads(build_request_line(123_456, ROW, SETTINGS))["custom_id"] == "row-123456"


def test_an_image_column_adds_an_image():
    prompt_settings = PromptSettings(model="m", prompt="What is this?", image_column="image")
    image = {"type": "image_url", "image_url": {"url": "https://example.org/1.png"}}

    with_image = json.loads(
        build_request_line(1, {"image": " https://example.org/1.png "}, prompt_settings)
    )
    without = json.loads(build_request_line(2, {"image": ""}, prompt_settings))

    text = {"type": "text", "text": "What is this?"}
    assert with_image["body"]["messages"][0]["content"] == [image, text]
    assert without["body"]["messages"][0]["content"] == "What is this?"


def test_embeddings_get_the_prompt_as_their_input():
    prompt_settings = PromptSettings(
        model="m", prompt="{name}", url="/v1/embeddings", max_tokens=5
    )

    line = build_request_line(1, ROW, prompt_settings)

    assert json.loads(line)["body"] == {"model": "m", "input": "Ada"}
    assert codes(line) == {}


@pytest.mark.parametrize(
    ("custom_id", "says"),
    [("x" * 65, "65 bytes"), ("é", "outside printable ASCII"), (" ", "is blank")],
)
def test_a_cell_that_cannot_be_an_id_is_an_error_with_advice(custom_id, says):
    prompt_settings = PromptSettings(model="m", prompt="x", id_column="id")

    with pytest.raises(PromptError, match=says) as caught:
        build_request_line(1, {"id": custom_id}, prompt_settings)

    assert "number the rows" in str(caught.value)


def test_a_blank_prompt_is_an_error():
    with pytest.raises(PromptError, match="blank"):
        build_request_line(1, {"text": " \n"}, PromptSettings(model="m", prompt="{text}"))


def test_text_that_is_not_unicode_is_an_error():
    with pytest.raises(PromptError, match="UTF-8"):
        build_request_line(1, {"text": "\udcff"}, PromptSettings(model="m", prompt="{text}"))
