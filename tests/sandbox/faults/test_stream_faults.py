"""Faults that slow down or cut off a response."""

import asyncio
import json
from collections.abc import Callable

import httpx
import pytest
from starlette.types import Message

from batchapp.sandbox.faults.stream_faults import Drip
from tests.sandbox.api_client import Api, lines


@pytest.fixture
def output(account) -> Callable[..., tuple[Api, str]]:
    """Make an account with ``switches`` and the output file of a finished batch."""

    def make(*switches: str, count: int = 100) -> tuple[Api, str]:
        api = account("", *switches)
        return api, api.finished(lines(count))["output_file_id"]

    return make


def read(api: Api, file_id: str, **query: int) -> tuple[bytes, bool, httpx.Response]:
    """Return the received bytes, whether the transfer broke, and the response."""
    received, is_broken = b"", False
    url = f"/v1/files/{file_id}/content"
    with api.http.stream("GET", url, params=query) as response:
        try:
            for piece in response.iter_raw():
                received += piece
        except httpx.RemoteProtocolError:
            is_broken = True
    return received, is_broken, response


def test_a_cut_stream_has_no_end(output):
    api, file_id = output("cut=700#1")

    received, is_broken, response = read(api, file_id)

    assert (len(received), is_broken) == (700, True)
    assert response.headers["Transfer-Encoding"] == "chunked"
    assert response.headers["X-Incomplete"] == "false"
    assert len(api.rows(file_id)) == 100


def test_a_cut_page_breaks_before_its_announced_length(output):
    api, file_id = output("cut=700#1")

    received, is_broken, response = read(api, file_id, limit=50)

    assert (len(received), is_broken) == (700, True)
    assert int(response.headers["Content-Length"]) > 700


def test_a_cut_stream_can_announce_more_than_comes(output):
    api, file_id = output("cut-announced=700")

    received, is_broken, response = read(api, file_id)

    assert (len(received), is_broken) == (700, True)
    assert response.headers["Content-Length"] == "1700"


def test_a_cut_stream_can_look_complete(output):
    api, file_id = output("cut-clean=700")

    received, is_broken, response = read(api, file_id)

    assert (len(received), is_broken) == (700, False)
    assert response.headers["X-Last-Line"] == "100"


def assert_still_serves(api: Api) -> None:
    assert api.http.get("/v1/batches").status_code == 200


def test_a_dripping_body_is_sent_byte_by_byte_until_the_client_goes():
    body, sent = b'{"id": "one"}', []
    has_gone = asyncio.Event()

    async def receive() -> Message:
        await has_gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message["body"])
        if len(sent) == 5:
            has_gone.set()

    asyncio.run(Drip(0.001, receive, send)({"type": "http.response.body", "body": body}))

    assert sent == [b"{", b'"', b"i", b"d", b'"']


def test_a_client_may_leave_a_dripping_body(account):
    api = account("", "drip=3600/batch")
    batch = api.batch(lines(1))

    with api.http.stream("GET", f"/v1/batches/{batch['id']}") as response:
        received = next(response.iter_raw())

    assert received == b"{"
    assert_still_serves(api)


def test_a_dripping_body_has_an_end(account):
    api = account("", "drip=0.0001/file")
    file_id = api.file(lines(1))

    assert api.http.get(f"/v1/files/{file_id}").json()["id"] == file_id


@pytest.mark.parametrize("query", [{}, {"limit": 100}])
def test_a_result_file_may_have_no_end(output, query):
    api, file_id = output("endless-content#1", count=200)
    received = b""

    with api.http.stream("GET", f"/v1/files/{file_id}/content", params=query) as response:
        for piece in response.iter_raw():
            received += piece
            if len(received) > 3_000_000:
                break

    *rows, _incomplete = received.split(b"\n")
    ids = {json.loads(row)["custom_id"] for row in rows}
    assert "Content-Length" not in response.headers
    assert 100 <= len(ids) <= 200
    assert len(rows) > 4 * len(ids)
    assert_still_serves(api)
    assert len(api.rows(file_id)) == 200


def test_an_empty_or_unknown_file_has_an_end(output):
    api, _file_id = output("endless-content")
    batch = api.http.get("/v1/batches").json()["data"][0]

    assert api.content(batch["error_file_id"]).text == ""
    assert api.http.get(f"/v1/files/{batch['id']}/content").status_code == 404


def test_a_small_body_may_unpack_to_a_large_one(account):
    api = account("", "gzip-bomb=5000000/batches,content")
    batch = api.batch(lines(1))

    with api.http.stream("GET", "/v1/batches") as response:
        packed = sum(len(piece) for piece in response.iter_raw())
    content = api.content(batch["output_file_id"])

    assert packed < 10_000
    assert len(content.content) == 5_000_000
    assert (content.headers["Content-Encoding"], content.text.strip()) == ("gzip", "")


def test_a_trickling_body_arrives_whole_in_many_pieces(account):
    api = account("", "trickle=0.1/content")
    batch = api.finished(lines(20))

    with api.http.stream("GET", f"/v1/files/{batch['output_file_id']}/content") as response:
        pieces = [len(piece) for piece in response.iter_raw()]

    assert len(pieces) >= 5
    assert sum(pieces) == len(api.content(batch["output_file_id"]).content)
