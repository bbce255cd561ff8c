"""Uploads: valid files, stored lines, and error texts."""

import json
import tracemalloc
from io import BytesIO

import pytest

from batchapp.sandbox.api.errors import ApiError
from batchapp.sandbox.files.upload import _lines
from batchapp.sandbox.settings import Settings
from tests.sandbox.api_client import CHAT_MODEL, EMBEDDING_MODEL, chat, line, lines

GOOD = line("good")
ALLOWED = "/v1/chat/completions, /v1/completions, /v1/embeddings, /v1/responses, /v1/messages"
NO_CUSTOM_ID = json.dumps({"method": "POST", "url": "/v1/chat/completions", "body": chat()})


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


INVALID_LINES = [
    pytest.param(
        NO_CUSTOM_ID,
        400,
        f"Invalid JSON on line 2: missing field `custom_id` at line 1 column {len(NO_CUSTOM_ID)}",
        id="no custom_id",
    ),
    pytest.param(
        '{"custom_id": "a"',
        400,
        "Invalid JSON on line 2: EOF while parsing a value at line 1 column 17",
        id="cut short",
    ),
    pytest.param(
        '{"custom_id": oops}',
        400,
        "Invalid JSON on line 2: expected value at line 1 column 15",
        id="not json",
    ),
    pytest.param(
        '{"custom_id": 5}',
        400,
        "Invalid JSON on line 2: custom_id: invalid type: integer `5`, expected a string"
        " at line 1 column 16",
        id="a number for an id",
    ),
    pytest.param(
        "[1, 2]",
        400,
        "Invalid JSON on line 2: invalid type: sequence, expected struct RequestLine"
        " at line 1 column 6",
        id="a list",
    ),
    pytest.param(
        line("x" * 70),
        400,
        "Line 2: custom_id exceeds maximum length of 64 characters (got 70)",
        id="a long id",
    ),
    pytest.param(
        line("é" * 33),
        400,
        "Line 2: custom_id exceeds maximum length of 64 characters (got 66)",
        id="a long id in bytes",
    ),
    pytest.param(
        line("a\x7f"),
        400,
        "Line 2: custom_id contains invalid characters:"
        " must be valid ASCII without control characters",
        id="an id with DEL",
    ),
    pytest.param(
        line("a\x1f"),
        400,
        "Line 2: custom_id contains invalid characters:"
        " must be valid ASCII without control characters",
        id="an id with a control character",
    ),
    pytest.param(
        GOOD[:-1] + r', "\u0062ody": {}}',
        400,
        f"Invalid JSON on line 2: duplicate field `body` at line 1 column {len(GOOD) + 17}",
        id="body twice",
    ),
    pytest.param(
        GOOD[:-2] + f', "seed": {nested(126)}}}}}',
        400,
        f"Invalid JSON on line 2: recursion limit exceeded at line 1 column {len(GOOD) + 134}",
        id="nested too deeply",
    ),
    pytest.param(
        line(method="GET"),
        400,
        "Line 2: Unsupported HTTP method 'GET'. Only POST is currently supported.",
        id="GET",
    ),
    pytest.param(
        line(url="/x"),
        400,
        f"Line 2: Unsupported URL path '/x'. Allowed paths are: {ALLOWED}",
        id="an unknown url",
    ),
    pytest.param(
        line(messages=[]), 400, "Line 2: Missing 'model' field in request body", id="no model"
    ),
    pytest.param(
        json.dumps({"custom_id": "a", "method": "POST", "url": "/v1/embeddings", "body": "b"}),
        400,
        "Line 2: Missing 'model' field in request body",
        id="a text for a body",
    ),
    pytest.param(
        line(model="gpt-4"),
        403,
        "Line 2: Model 'gpt-4' has not been configured or is not available to user",
        id="an unknown model",
    ),
    pytest.param(
        line(url="/v1/embeddings", model=CHAT_MODEL, input="a"),
        400,
        f"Line 2: Model '{CHAT_MODEL}' is a CHAT model but endpoint '/v1/embeddings' requires"
        " a EMBEDDINGS model",
        id="a chat model for embeddings",
    ),
    pytest.param(
        line(model=EMBEDDING_MODEL),
        400,
        f"Line 2: Model '{EMBEDDING_MODEL}' is a EMBEDDINGS model but endpoint"
        " '/v1/chat/completions' requires a CHAT model",
        id="an embedding model for chat",
    ),
]


@pytest.mark.parametrize(("bad", "status", "text"), INVALID_LINES)
def test_the_first_bad_line_refuses_the_whole_file(api, bad, status, text):
    response = api.upload(f"{GOOD}\n\n  \n{bad}\nalso bad\n")

    assert (response.status_code, response.text) == (status, text)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert api.http.get("/v1/files").json()["data"] == []


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "File contains no valid request templates"),
        (b"\n  \n\r\n", "File contains no valid request templates"),
        ("\u00a0\n \u2028\u3000\r\n\u0085".encode(), "File contains no valid request templates"),
        (b'{"custom_id":"\xff"}', "File contains invalid UTF-8 on/near line 1"),
        (
            b"\xef\xbb\xbf" + GOOD.encode(),
            "Invalid JSON on line 1: expected value at line 1 column 1",
        ),
    ],
)
def test_a_file_without_readable_requests_is_refused(api, content, text):
    response = api.upload(content)

    assert (response.status_code, response.text) == (400, text)


def test_a_form_without_a_file_is_refused(api):
    response = api.http.post("/v1/files", files={"other": ("in.jsonl", b"{}")})

    assert (response.status_code, response.text) == (
        400,
        "No file field found in multipart upload",
    )


def test_a_broken_form_is_refused(api):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}

    response = api.http.post("/v1/files", content=b"no form at all", headers=headers)

    assert response.status_code == 400
    assert response.text.startswith("Failed to read multipart upload: ")


def test_purposes_other_than_batch_are_refused_in_any_case_but_lower(api):
    assert api.upload(GOOD, purpose="BATCH").status_code == 201

    response = api.upload(GOOD, purpose="batch_output")

    assert (response.status_code, response.text) == (
        400,
        "Invalid purpose 'batch_output'. Only 'batch' is supported.",
    )


def test_an_upload_answers_with_the_file_and_no_status(api):
    response = api.upload(GOOD + "\n", purpose="batch", **{"expires_after[seconds]": "60"})

    file = response.json()
    assert response.status_code == 201
    assert response.headers["X-Batchapp-Sandbox"] == "true"
    assert set(file) == {
        "id",
        "object",
        "bytes",
        "created_at",
        "filename",
        "purpose",
        "expires_at",
    }
    assert file["bytes"] == len(GOOD) + 1
    assert file["expires_at"] - file["created_at"] == 60


def test_stored_bodies_are_sorted_and_stripped(api):
    body = {"z": 1, "service_tier": "flex", "priority": 2, "background": True, **chat("é")}
    uploaded = json.dumps(
        {
            "url": "/v1/chat/completions",
            "extra": 1,
            "method": "post",
            "custom_id": "",
            "body": body,
        }
    )

    stored = api.content(api.file(uploaded))

    assert stored.text == (
        '{"custom_id":"","method":"post","url":"/v1/chat/completions","body":{"messages":'
        '[{"content":"é","role":"user"}],"model":"Qwen/Qwen3.5-9B","z":1}}\n'
    )


def test_ids_may_have_any_characters_but_control_characters(api):
    ids = ["ü", "日本", "😀" * 16, "a\tb", "\u00a0"]

    batch = api.finished("\n".join(map(line, ids)))

    assert sorted(row["custom_id"] for row in api.rows(batch["output_file_id"])) == sorted(ids)


def test_a_body_may_be_nested_and_may_name_a_field_twice(api):
    deepest = GOOD[:-2] + f', "seed": {nested(125)}}}}}'
    repeated = GOOD[:-2] + r', "user": "a [[ \" {{", "user": "\u0062ody"}}'

    stored = api.content(api.file(f"{deepest}\n{repeated}")).text

    assert '"user":"body"' in stored


def test_unicode_spaces_around_a_line_do_not_count(api):
    assert api.upload(f"\u00a0{GOOD}\u3000\n\u2028\n{GOOD}").status_code == 201

    response = api.upload(f"\u2028\n{GOOD}\n\x1c\n")

    assert response.text.startswith("Invalid JSON on line 2: expected value")


@pytest.mark.parametrize("seconds", ["abc", "", "1.5", "9" * 30])
def test_a_lifetime_that_is_no_number_is_ignored(api, seconds):
    response = api.upload(GOOD, **{"expires_after[seconds]": seconds})

    assert response.status_code == 201
    file = response.json()
    assert file["expires_at"] - file["created_at"] == 30 * 24 * 3600


def test_ids_may_repeat_and_urls_and_models_may_mix(api):
    embedding = line("same", url="/v1/embeddings", model=EMBEDDING_MODEL, input="a")

    assert api.upload(f"{line('same')}\n{embedding}").status_code == 201


def test_a_file_over_the_limit_is_refused_before_it_is_checked(sandbox_with):
    api = sandbox_with(file_bytes=2000).api()
    text = "File exceeds the maximum allowed size of 2000 bytes"

    announced = api.upload(b"x" * 20_000)
    just_over = api.upload(b"x" * 2001)

    assert (announced.status_code, announced.text) == (413, text)
    assert (just_over.status_code, just_over.text) == (413, text)


def test_lines_and_their_number_are_limited(sandbox_with):
    api = sandbox_with(line_body_bytes=200, requests_per_file=2).api()

    long_line = api.upload(f"{GOOD}\n{line('long', **chat('x' * 200))}")
    many_lines = api.upload(lines(3))

    assert long_line.text.startswith("Line 2: Request body is 2")
    assert long_line.text.endswith("exceeds the maximum allowed size of 200 bytes")
    assert many_lines.text == "File contains 3 requests, which exceeds the maximum of 2"
    assert api.http.get("/v1/files").json()["data"] == []


def test_uploads_beyond_the_limit_have_to_wait(sandbox_with):
    response = sandbox_with(concurrent_uploads=0).api().upload(GOOD)

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "60"
    assert response.json() == {
        "error": "too_many_requests",
        "message": "Too many file uploads in progress. Please retry later.",
        "retry_after_seconds": 30,
    }


def test_a_very_long_line_does_not_fill_the_memory(tmp_path):
    settings = Settings(data=tmp_path, line_body_bytes=1000)
    source = BytesIO(b"x" * 50_000_000)

    tracemalloc.start()
    with pytest.raises(ApiError):
        list(_lines(source, settings))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 1_000_000
