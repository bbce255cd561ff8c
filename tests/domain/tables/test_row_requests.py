"""Good and bad rows of a table become requests or errors."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchapp.domain.tables.row_requests import (
    PromptSettings,
    RowRequest,
    build_requests,
    schema_error,
    settings_errors,
)
from tests.domain.request_lines import codes, make_file

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def build(*rows: dict[str, str], **fields: Any) -> list[RowRequest]:
    fields = {"model": "m", "prompt": "{text}", "max_tokens": 5} | fields
    return list(build_requests(rows, PromptSettings(**fields)))


def ids(results: list[RowRequest]) -> list[str]:
    return [result.custom_id for result in results]


def test_each_image_of_a_cell_is_a_part_before_the_text() -> None:
    (result,) = build(
        {"text": "compare", "photos": "https://e.org/a.png; https://e.org/b.png"},
        image_column="photos",
    )

    assert codes(make_file(result.line)) == {}
    assert json.loads(result.line)["body"]["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "https://e.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "https://e.org/b.png"}},
        {"type": "text", "text": "compare"},
    ]


def test_a_file_on_a_computer_is_no_image_of_a_request() -> None:
    good, bad = build(
        {"text": "a", "photo": ""}, {"text": "b", "photo": "C:\\a.png"}, image_column="photo"
    )

    assert good.line
    assert (bad.number, bad.line) == (2, b"")
    assert "name of a file, which no provider can open" in bad.error


@given(TEXT.filter(lambda text: text.strip()), TEXT)
def test_the_value_of_a_cell_is_never_read_as_a_template(text: str, other: str) -> None:
    row = {"text": text + "{other}{{", "other": other}

    (result,) = build(row, prompt="<{text}|{other}>", system="{text}", empty="keep")

    system, user = json.loads(result.line)["body"]["messages"]
    assert user["content"] == f"<{text}{{other}}{{{{|{other}>"
    assert system["content"] == f"{text}{{other}}{{{{".strip()


@given(st.lists(TEXT, max_size=8))
def test_any_names_of_rows_give_valid_and_unique_ids(names: list[str]) -> None:
    rows = [{"id": name, "text": "x"} for name in [*names, *names]]

    results = build(*rows, id_column="id", duplicate_ids="suffix", unsafe_ids="hash")

    good = [result for result in results if result.line]
    assert len(set(ids(good))) == len(good)
    assert all(
        not name.strip() for name, result in zip(2 * names, results, strict=True) if result.error
    )
    if good:
        assert not codes(make_file(*(result.line for result in good))).keys() - {"identical_body"}


def test_an_unsafe_id_is_always_replaced_by_the_same_id() -> None:
    names = ["Größe\n3", 70 * "y", 30 * "語"]
    rows = [{"id": name, "text": "x"} for name in names]

    first = build(*rows, id_column="id", unsafe_ids="hash")
    again = build(*rows, id_column="id", unsafe_ids="hash")

    assert ids(first) == ids(again)
    assert [result.original for result in first] == names
    assert first[0].custom_id.startswith("Größe-3-")
    assert first[2].custom_id.startswith("語語")
    assert all(len(result.custom_id.encode()) <= 64 for result in first)


def test_an_id_in_any_script_names_its_row() -> None:
    names = ["Größe 3", "注文-1", "заказ/2", "طلب", "😀", 21 * "語"]

    results = build(*({"id": name, "text": "x"} for name in names), id_column="id")

    assert ids(results) == names


def test_the_number_of_a_row_fits_behind_an_id_in_any_script() -> None:
    names = [21 * "語", 21 * "語", 32 * "é", 32 * "é"]

    results = build(
        *({"id": name, "text": "x"} for name in names), id_column="id", duplicate_ids="suffix"
    )

    assert ids(results) == [21 * "語", 20 * "語" + "-2", 32 * "é", 31 * "é" + "-4"]


def test_a_duplicate_id_gets_the_number_of_its_row() -> None:
    rows = [{"id": name, "text": "x"} for name in ("a", "a", "a-2", "a")]

    results = build(*rows, id_column="id", duplicate_ids="suffix")

    assert ids(results) == ["a", "a-2", "a-2-3", "a-4"]
    assert [result.original for result in results] == ["", "a", "a-2", "a"]


def test_a_duplicate_id_is_an_error_that_names_the_first_row() -> None:
    first, second = build(*2 * [{"id": "a", "text": "x"}], id_column="id")

    assert first.line
    assert second == RowRequest(2, error="custom_id a is the id of row 1 too.")


@pytest.mark.parametrize(
    ("empty", "gives_line", "error"),
    [("keep", True, ""), ("skip", False, ""), ("stop", False, "Column “text” is empty.")],
)
def test_an_empty_cell_is_treated_as_the_settings_say(
    empty: str, *, gives_line: bool, error: str
) -> None:
    (result,) = build({"text": " ", "unused": ""}, prompt="Say: {text}", empty=empty)

    assert bool(result.line) == gives_line
    assert result.error == error


def test_a_cell_that_no_template_names_may_be_empty() -> None:
    (result,) = build({"text": "x", "note": "", "image": ""}, empty="stop", image_column="image")

    assert result.line


def test_a_row_that_is_left_out_does_not_take_its_id() -> None:
    rows = [{"id": "a", "text": ""}, {"id": "a", "text": "x"}]

    results = build(*rows, id_column="id", empty="skip")

    assert [bool(result.line) for result in results] == [False, True]


def test_every_missing_column_is_named() -> None:
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
    assert next(build_requests([{"text": "x"}], prompt_settings)).line


def test_a_schema_is_checked_as_a_provider_would() -> None:
    assert schema_error({"type": "object", "properties": {}}) == ""
    assert schema_error({"type": "nonsense"})
