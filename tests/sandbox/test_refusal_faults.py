"""Answers that say no, or nothing that can be understood."""

import pytest

from tests.sandbox.api import CHAT_MODEL, line


def count(api) -> int:
    return len(api.http.get("/v1/batches").json()["data"])


def test_a_busy_provider_names_two_different_delays(account):
    api = account("", "busy/create#1")

    response = api.create(api.file(line()))

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "60"
    assert response.json()["retry_after_seconds"] == 30
    assert count(api) == 0


def test_want_of_capacity_names_the_window_and_the_models(account):
    api = account("", "capacity#1")
    file_id = api.file(line())

    response = api.create(file_id, completion_window="1h")

    assert response.status_code == 429
    assert response.json()["message"] == (
        "Insufficient capacity for 1h completion window."
        f" The following models are currently at capacity: {CHAT_MODEL}."
    )
    assert api.create(file_id).status_code == 201


def test_capacity_is_asked_for_after_everything_else_was_checked(account):
    api = account("-nocredit", "capacity", "unverified")

    assert api.create(api.file(line())).status_code == 402


def test_an_unverified_account_is_refused_by_volume(account):
    response = (api := account("", "unverified")).create(api.file(line()))

    assert response.status_code == 429
    assert response.json()["message"].startswith(
        "Unverified accounts have a limited volume in the 24h"
    )


@pytest.mark.parametrize(
    ("switch", "status", "words"),
    [
        ("unavailable", 503, '"retry_after_seconds":30'),
        ("error", 500, "Internal server error"),
        ("html", 502, "<!doctype html>"),
        ("html=200", 200, "<!doctype html>"),
        ("html=504", 504, "<!doctype html>"),
    ],
)
def test_a_refused_create_has_done_nothing(account, switch, status, words):
    api = account("", f"{switch}/create")

    response = api.create(api.file(line()))

    assert response.status_code == status
    assert words in response.text
    assert count(api) == 0


@pytest.mark.parametrize(
    ("switch", "status", "words"),
    [
        ("error-after", 500, "Internal server error"),
        ("unavailable-after", 503, '"error":"service_unavailable"'),
        ("html-after=200", 200, "<!doctype html>"),
        ("empty", 200, ""),
    ],
)
def test_a_create_may_have_worked_though_its_answer_says_nothing_of_it(
    account, switch, status, words
):
    api = account("", f"{switch}/create")

    response = api.create(api.file(line()))

    assert (response.status_code, response.headers["X-Batchapp-Sandbox"]) == (status, "true")
    assert words in response.text
    assert bool(words) == bool(response.text)
    assert count(api) == 1


def test_what_is_gone_answers_410(account):
    api = account("", "gone/content#2-")
    batch = api.finished(line())

    assert api.content(batch["output_file_id"]).text
    again = api.http.get(f"/v1/files/{batch['output_file_id']}/content")
    assert again.status_code == 410


def test_a_misspelt_switch_is_said_and_not_passed_over(account):
    response = account("", "lost-replies").http.get("/v1/files")

    assert response.status_code == 400
    assert response.text.startswith("sandbox: unknown fault 'lost-replies'; known are ")
