"""What becomes of the rows of a table, good and bad."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables.row_requests import (
    PromptSettings,
    RowRequest,
    make,
    schema_error,
    settings_errors,
)
from tests.domain.request_lines import codes, make_file

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def made(*rows: dict[str, str], **fields: Any) -> list[RowRequest]:
    fields = {"model": "m", "prompt": "{text}", "max_tokens": 5} | fields
    return list(make(rows, PromptSettings(**fields)))


def ids(results: list[RowRequest]) -> list[str]:
    return [each.custom_id for each in results]


@given(TEXT.filter(lambda text: text.strip()), TEXT)
def test_what_a_cell_holds_is_never_read_as_a_template(text: str, other: str) -> None:
    row = {"text": text + "{other}{{", "other": other}

    (result,) = made(row, prompt="<{text}|{other}>", system="{text}", empty="keep")

    system, user = json.loads(result.line)["body"]["messages"]
    assert user["content"] == f"<{text}{{other}}{{{{|{other}>"
    assert system["content"] == f"{text}{{other}}{{{{".strip()


@given(st.lists(TEXT, max_size=8))
def test_whatever_names_the_rows_their_ids_are_taken_and_differ(names: list[str]) -> None:
    rows = [{"id": name, "text": "x"} for name in [*names, *names]]

    results = made(*rows, id_column="id", twins="suffix", unsafe_ids="hash")

    good = [each for each in results if each.line]
    assert len(set(ids(good))) == len(good)
    assert all(
        not name.strip() for name, each in zip(2 * names, results, strict=True) if each.error
    )
    if good:
        assert not codes(make_file(*(each.line for each in good))).keys() - {"identical_body"}


def test_an_id_that_no_provider_takes_is_replaced_by_the_same_one_each_time() -> None:
    rows = [{"id": "Größe 3", "text": "x"}, {"id": 70 * "y", "text": "x"}]

    first = made(*rows, id_column="id", unsafe_ids="hash")
    again = made(*rows, id_column="id", unsafe_ids="hash")

    assert ids(first) == ids(again)
    assert [each.original for each in first] == ["Größe 3", 70 * "y"]
    assert first[0].custom_id.startswith("Gr-e-3-")


def test_an_id_that_was_there_gets_the_number_of_its_row() -> None:
    rows = [{"id": each, "text": "x"} for each in ("a", "a", "a-2", "a")]

    results = made(*rows, id_column="id", twins="suffix")

    assert ids(results) == ["a", "a-2", "a-2-3", "a-4"]
    assert [each.original for each in results] == ["", "a", "a-2", "a"]


def test_an_id_that_was_there_is_a_fault_that_names_the_first_row() -> None:
    first, second = made(*2 * [{"id": "a", "text": "x"}], id_column="id")

    assert first.line
    assert second == RowRequest(2, error="custom_id a is that of row 1 too.")


@pytest.mark.parametrize(
    ("empty", "gives_line", "error"),
    [("keep", True, ""), ("skip", False, ""), ("stop", False, "Column “text” is empty.")],
)
def test_an_empty_cell_is_dealt_with_as_asked(empty: str, *, gives_line: bool, error: str) -> None:
    (result,) = made({"text": " ", "unused": ""}, prompt="Say: {text}", empty=empty)

    assert bool(result.line) == gives_line
    assert result.error == error


def test_a_cell_that_no_template_names_may_be_empty() -> None:
    (result,) = made({"text": "x", "note": "", "image": ""}, empty="stop", image_column="image")

    assert result.line


def test_a_row_that_is_left_out_does_not_take_its_id() -> None:
    rows = [{"id": "a", "text": ""}, {"id": "a", "text": "x"}]

    results = made(*rows, id_column="id", empty="skip")

    assert [bool(each.line) for each in results] == [False, True]


def test_a_recipe_names_every_column_that_a_table_lacks() -> None:
    prompt_settings = PromptSettings(
        model="m", prompt="{text} {nmae}", id_column="id", image_column="picture"
    )

    errors = settings_errors(prompt_settings, ["text", "name"])

    assert [error.split(".")[0] for error in errors] == [
        "There is no column id",
        "There is no column nmae",
        "There is no column picture",
    ]
    assert settings_errors(PromptSettings(model="m", prompt="{"), ["text"])[0].startswith(
        "The brace in"
    )
    assert settings_errors(PromptSettings(model="m", prompt="{text}"), ["text"]) == []


def test_embeddings_need_no_column_of_the_system_prompt() -> None:
    prompt_settings = PromptSettings(
        model="m", prompt="{text}", system="{gone}", url="/v1/embeddings"
    )

    assert prompt_settings.columns == {"text"}
    assert next(make([{"text": "x"}], prompt_settings)).line


def test_a_schema_is_looked_at_as_a_provider_would() -> None:
    assert schema_error({"type": "object", "properties": {}}) == ""
    assert schema_error({"type": "nonsense"})
