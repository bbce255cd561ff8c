"""Faults of the connection, and error responses instead of the real ones."""

import time

import httpx
import pytest

from tests.sandbox.api_client import CHAT_MODEL, Api, line, lines


def batches(api: Api) -> list[str]:
    return [row["id"] for row in api.http.get("/v1/batches").json()["data"]]


def test_a_lost_reply_leaves_a_batch_that_its_creator_does_not_know(account):
    api = account("", "lost-reply/create#1")
    file_id = api.file(line())

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.create(file_id, metadata={"token": "t1"})

    assert len(batches(api)) == 1
    assert api.create(file_id).status_code == 201
    assert len(batches(api)) == 2


def test_a_lost_request_creates_nothing(account):
    api = account("", "lost-request/create,upload#1")

    with pytest.raises(httpx.RemoteProtocolError):
        api.upload(lines(2000))
    file_id = api.file(line())

    assert [row["id"] for row in api.http.get("/v1/files").json()["data"]] == [file_id]


def test_a_lost_reply_to_an_upload_leaves_the_file(account):
    api = account("", "lost-reply#1")

    with pytest.raises(httpx.RemoteProtocolError):
        api.upload(line())

    assert [row["filename"] for row in api.http.get("/v1/files").json()["data"]] == ["in.jsonl"]


def test_a_late_request_is_processed_after_the_client_has_gone(served_api, clock):
    api = served_api
    api.http.post("/_sandbox/faults", json={"faults": ["late-request=3/create#1"]})
    file_id = api.file(line())

    with pytest.raises(httpx.ReadTimeout):
        api.http.post(
            "/v1/batches",
            json={
                "input_file_id": file_id,
                "endpoint": "/v1/chat/completions",
                "completion_window": "24h",
            },
            timeout=httpx.Timeout(120, read=0.1),
        )
    before = batches(api)
    while not batches(api):
        clock.advance(1)
        time.sleep(0.02)

    assert before == []
    assert len(batches(api)) == 1


def test_a_slow_reply_comes_after_the_work_was_done(served_api):
    api = served_api
    api.http.post("/_sandbox/faults", json={"faults": ["slow=5/create#1"]})
    file_id = api.file(line())
    fields = {"input_file_id": file_id, "endpoint": "/v1/chat/completions"}

    with pytest.raises(httpx.ReadTimeout):
        api.http.post(
            "/v1/batches",
            json=fields | {"completion_window": "24h"},
            timeout=httpx.Timeout(120, read=0.1),
        )
    while not batches(api):
        time.sleep(0.02)

    assert len(batches(api)) == 1


def test_a_refusing_listener_comes_back_on_the_same_port(served_api, clock):
    api = served_api
    file_id = api.file(line())
    api.http.post("/_sandbox/faults", json={"faults": ["refuse=3/create#1"]})

    with pytest.raises(httpx.RemoteProtocolError):
        api.create(file_id)
    with pytest.raises(httpx.ConnectError):
        api.http.get("/v1/batches")
    for _attempt in range(3_000):
        clock.advance(1)
        try:
            created = api.create(file_id)
            break
        except httpx.ConnectError:
            time.sleep(0.02)

    assert created.status_code == 201
    assert batches(api) == [created.json()["id"]]


def count(api) -> int:
    return len(api.http.get("/v1/batches").json()["data"])


def test_a_busy_provider_names_two_different_delays(account):
    api = account("", "busy/create#1")

    response = api.create(api.file(line()))

    assert response.status_code == 429
    assert response.headers["Retry-After"] == "60"
    assert response.json()["retry_after_seconds"] == 30
    assert count(api) == 0


def test_a_lack_of_capacity_names_the_window_and_the_models(account):
    api = account("", "capacity#1")
    file_id = api.file(line())

    response = api.create(file_id, completion_window="1h")

    assert response.status_code == 429
    assert response.json()["message"] == (
        "Insufficient capacity for 1h completion window."
        f" The following models are currently at capacity: {CHAT_MODEL}."
        " Try again later or use a longer completion window."
    )
    assert api.create(file_id).status_code == 201


def test_capacity_is_checked_last(account):
    api = account("-nocredit", "capacity", "unverified")

    assert api.create(api.file(line())).status_code == 402


def test_an_unverified_account_is_refused_by_volume(account):
    api = account("", "unverified=0.25")  # 6 requests in 24 hours
    small, large = api.file(lines(4)), api.file(lines(7))
    text = (
        "Unverified accounts can submit at most 6 request(s) per 24h completion window. You have"
        " {} in the last 24h, so this submission of {} would exceed the limit. Verify your account"
        " by adding a payment method or making a payment to remove this limit."
    )

    too_large = api.create(large)
    first, second = api.create(small), api.create(small)
    other_window = api.create(api.file(line()), completion_window="1h")

    assert (too_large.status_code, too_large.headers["Retry-After"]) == (429, "60")
    assert too_large.json()["message"] == text.format(0, 7)
    assert first.status_code == 201
    assert second.json()["message"] == text.format(4, 4)
    assert "at most 0 request(s) per 1h" in other_window.json()["message"]


def test_a_model_may_support_one_window_only(account):
    api = account("", "one-window")
    file_id = api.file(line())

    refused = api.create(file_id, completion_window="1h")

    assert (refused.status_code, refused.text) == (
        400,
        f"Model '{CHAT_MODEL}' does not support completion window '1h'. Allowed: 24h",
    )
    assert api.create(file_id).status_code == 201


def test_a_key_may_be_refused_for_some_calls_although_it_is_valid(account):
    api = account("", "refuse-key/batches,models#2")

    calls = [api.http.get("/v1/batches"), api.http.get("/v1/models"), api.http.get("/v1/batches")]

    assert [call.status_code for call in calls] == [200, 401, 200]
    assert calls[1].json()["error"]["code"] == "invalid_api_key"


def test_a_young_key_is_unknown_for_a_time(sandbox):
    api = sandbox.api("sk-one~refuse-key@0-60")

    early = api.upload(line())
    sandbox.clock.advance(60)

    assert (early.status_code, early.text) == (401, "Authentication required")
    assert early.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert api.upload(line()).status_code == 201


def test_an_image_that_cannot_be_fetched_refuses_every_upload(account):
    api = account("", "line-503=3")

    for response in (api.upload(line()), api.upload(line())):
        assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
        assert response.json()["message"] == (
            "Line 3: image fetch failed after retries, please retry:"
            " origin 503 Service Unavailable"
        )
    assert api.http.get("/v1/files").json()["data"] == []


def test_an_existing_object_may_be_unknown_for_one_call(account):
    api = account("", "not-found/batch#1", "not-found/content,results#2")
    batch = api.batch(line())
    paths = {
        f"/v1/batches/{batch['id']}": [404, 200],
        f"/v1/files/{batch['output_file_id']}/content": [200, 404],
    }

    for path, statuses in paths.items():
        assert [api.http.get(path).status_code for _ in statuses] == statuses
    late = account("", "not-found/any").http
    missing = [late.get(path) for path in paths]
    assert [(answer.status_code, answer.text) for answer in missing] == [
        (404, f"Batch with ID {batch['id']} not found"),
        (404, f"File with ID {batch['output_file_id']} not found"),
    ]
    assert late.get("/v1/batches").status_code == 200


@pytest.mark.parametrize(
    ("switch", "status", "words"),
    [
        ("unavailable", 503, '"retry_after_seconds":30'),
        ("error", 500, "Internal server error"),
        ("html", 502, "<!doctype html>"),
        ("html=200", 200, "<!doctype html>"),
        ("html=504", 504, "<!doctype html>"),
        ("html-error", 502, "<h1>502 Bad Gateway</h1>"),
        ("html-error=504", 504, "<h1>504 Bad Gateway</h1>"),
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
def test_a_create_may_have_succeeded_though_its_response_does_not_say_so(
    account, switch, status, words
):
    api = account("", f"{switch}/create")

    response = api.create(api.file(line()))

    assert (response.status_code, response.headers["X-Batchapp-Sandbox"]) == (status, "true")
    assert words in response.text
    assert bool(words) == bool(response.text)
    assert count(api) == 1


def test_gone_content_answers_410(account):
    api = account("", "gone/content#2-")
    batch = api.finished(line())

    assert api.content(batch["output_file_id"]).text
    again = api.http.get(f"/v1/files/{batch['output_file_id']}/content")
    assert again.status_code == 410


def test_a_misspelt_switch_is_reported(account):
    response = account("", "lost-replies").http.get("/v1/files")

    assert response.status_code == 400
    assert response.text.startswith("sandbox: unknown fault 'lost-replies'; known are ")
