"""Starter prompts name the columns of the table at hand."""

import pytest

from batchapp.domain.tables import row_requests, starter_prompts
from batchapp.domain.tables.starter_prompts import STARTERS, Starter

ROWS = [
    {"id": "1", "question": "Is it red?", "note {x}": "", "Größe der Bewertung": 40 * "so gut "},
    {"id": "2", "question": "Why?", "note {x}": "", "Größe der Bewertung": "schlecht"},
]


@pytest.mark.parametrize("starter", Starter)
def test_every_starter_gives_requests_from_a_table_as_it_is(starter: Starter) -> None:
    columns = ["id", "question", "Größe der Bewertung"]

    prompt_settings = starter_prompts.fill(starter, columns, ROWS, "some/model")

    assert row_requests.settings_errors(prompt_settings, columns) == []
    assert row_requests.value_errors(prompt_settings) == []
    requests = list(row_requests.build_requests(ROWS, prompt_settings))
    assert [request.error for request in requests] == ["", ""]
    assert "so gut so gut" in requests[0].line.decode()
    if prompt_settings.response_schema:
        assert row_requests.schema_error(prompt_settings.response_schema) == ""


def test_the_question_is_found_by_its_name_and_the_text_by_its_length() -> None:
    columns = ["text", "Question of the client", "id"]
    row = {"text": 100 * "a", "Question of the client": "b?", "id": 20 * "c"}

    assert starter_prompts.find_columns(columns, [row]) == ("text", "Question of the client")
    assert starter_prompts.find_columns(["id", "text"], [row]) == ("text", "id")
    assert starter_prompts.find_columns(["only"], [{"only": "x"}]) == ("only", "only")
    assert starter_prompts.find_columns(["a", "b"], []) == ("a", "b")


def test_a_row_with_an_empty_cell_is_not_paid_for() -> None:
    prompt_settings = starter_prompts.fill(Starter.SUMMARISE, ["text"], [], "some/model")

    (request,) = row_requests.build_requests([{"text": " "}], prompt_settings)

    assert (request.line, request.error) == (b"", "")


def test_every_starter_that_answers_has_a_limit() -> None:
    unlimited = {name for name, starter in STARTERS.items() if starter.max_tokens is None}

    assert unlimited == {Starter.EMBED}
