"""Faults of the connection: what the client does not hear, and what was done all the same."""

import time

import httpx
import pytest

from tests.sandbox.api import Api, line, lines


def batches(api: Api) -> list[str]:
    return [row["id"] for row in api.http.get("/v1/batches").json()["data"]]


def test_a_lost_reply_leaves_a_batch_that_its_creator_never_heard_of(account):
    api = account("", "lost-reply/create#1")
    file_id = api.file(line())

    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.create(file_id, metadata={"token": "t1"})

    assert len(batches(api)) == 1
    assert api.create(file_id).status_code == 201
    assert len(batches(api)) == 2


def test_a_lost_request_leaves_nothing(account):
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


def test_a_late_request_does_its_work_though_nobody_waits_for_it(account):
    api = account("", "late-request=0.8/create#1")
    file_id = api.file(line())

    with pytest.raises(httpx.ReadTimeout):
        api.http.post(
            "/v1/batches",
            json={
                "input_file_id": file_id,
                "endpoint": "/v1/chat/completions",
                "completion_window": "24h",
            },
            timeout=0.1,
        )
    before = batches(api)
    while not batches(api):
        time.sleep(0.02)

    assert before == []
    assert len(batches(api)) == 1


def test_a_slow_reply_comes_after_the_work_was_done(account):
    api = account("", "slow=0.5/create#1")
    file_id = api.file(line())
    wanted = {"input_file_id": file_id, "endpoint": "/v1/chat/completions"}

    with pytest.raises(httpx.ReadTimeout):
        api.http.post("/v1/batches", json=wanted | {"completion_window": "24h"}, timeout=0.2)
    while not batches(api):
        time.sleep(0.02)

    assert len(batches(api)) == 1


def test_a_trickling_body_arrives_whole_in_many_pieces(account):
    api = account("", "trickle=0.1/content")
    batch = api.finished(lines(20))

    with api.http.stream("GET", f"/v1/files/{batch['output_file_id']}/content") as response:
        pieces = [len(piece) for piece in response.iter_raw()]

    assert len(pieces) >= 5
    assert sum(pieces) == len(api.content(batch["output_file_id"]).content)


def test_a_refusing_listener_comes_back_on_the_same_port(limited):
    api = limited()
    file_id = api.file(line())
    api.http.post("/_sandbox/faults", json={"faults": ["refuse=0.8/create#1"]})

    with pytest.raises(httpx.RemoteProtocolError):
        api.create(file_id)
    with pytest.raises(httpx.ConnectError):
        api.http.get("/v1/batches")
    for _attempt in range(200):
        try:
            created = api.create(file_id)
            break
        except httpx.ConnectError:
            time.sleep(0.02)

    assert created.status_code == 201
    assert batches(api) == [created.json()["id"]]
