"""The creation of batches: checks, metadata, repetition."""

from uuid import uuid4

import pytest

from tests.sandbox.api_client import CHAT, CHAT_MODEL, line


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        (
            {"completion_window": "2h", "endpoint": "/x"},
            400,
            "Unsupported completion_window. Allowed values: 24h, 1h",
        ),
        (
            {"endpoint": "/x", "input_file_id": "x"},
            400,
            (
                "Unsupported endpoint '/x'. Supported: /v1/chat/completions, /v1/completions,"
                " /v1/embeddings, /v1/responses, /v1/messages"
            ),
        ),
        ({"input_file_id": "file-1"}, 400, "Invalid input_file_id format"),
    ],
)
def test_the_fields_are_checked_in_order(api, changes, status, text):
    response = api.create(str(uuid4()), **changes)

    assert (response.status_code, response.text) == (status, text)


def test_a_missing_or_mistyped_field_cannot_be_processed(api):
    missing = api.http.post("/v1/batches", json={"input_file_id": "a", "endpoint": CHAT})
    mistyped = api.create("a", metadata={"a": 1})
    no_json = api.http.post("/v1/batches", content="x")
    broken = api.http.post(
        "/v1/batches", content="{", headers={"Content-Type": "application/json"}
    )

    assert missing.status_code == 422
    assert missing.text.startswith(
        "Failed to deserialize the JSON body into the target type:"
        " missing field `completion_window` at line 1 column "
    )
    assert mistyped.status_code == 422
    assert (no_json.status_code, broken.status_code) == (415, 400)


def test_an_unknown_file_is_404_and_a_foreign_one_403(api, account):
    unknown = str(uuid4())
    other_file_id = account().file(line())

    assert api.create(unknown).text == f"File with ID {unknown} not found"
    assert api.create(unknown).status_code == 404
    foreign = api.create(other_file_id)
    assert foreign.status_code == 403
    assert foreign.text == f"Insufficient permissions to Create batch using file {other_file_id}"


@pytest.mark.parametrize(
    ("windows", "text"),
    [
        (
            ("24h",),
            f"Model '{CHAT_MODEL}' does not support completion window '1h'. Allowed: 24h",
        ),
        ((), f"Model '{CHAT_MODEL}' does not support batch processing."),
    ],
)
def test_a_model_may_be_restricted_to_some_windows(sandbox_with, windows, text):
    api = sandbox_with(model_windows={CHAT_MODEL: windows}).api()
    file_id = api.file(line())

    refused = api.create(file_id, completion_window="1h")

    assert (refused.status_code, refused.text) == (400, text)
    assert api.create(file_id).status_code == (201 if windows else 400)


def test_reserved_metadata_is_dropped_and_the_servers_own_added(api):
    batch = api.batch(line(), metadata={"Created-By": "me", "tag": "x", "context_name": "y"})

    assert batch["metadata"].items() >= {"tag": "x", "request_source": "api"}.items()
    assert set(batch["metadata"]) == {"tag", "request_source", "created_by_email"}
    assert api.get(batch)["metadata"]["context_name"] == "Personal"
    assert batch["dwext"] == {"source": "api"}


def test_the_same_call_creates_a_second_batch(api):
    file_id = api.file(line())

    first, second = api.create(file_id).json(), api.create(file_id).json()

    assert first["id"] != second["id"]
