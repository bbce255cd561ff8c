"""Faults that slow down or cut off a response."""

from collections.abc import Callable

import httpx
import pytest

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


def test_a_trickling_body_arrives_whole_in_many_pieces(account):
    api = account("", "trickle=0.1/content")
    batch = api.finished(lines(20))

    with api.http.stream("GET", f"/v1/files/{batch['output_file_id']}/content") as response:
        pieces = [len(piece) for piece in response.iter_raw()]

    assert len(pieces) >= 5
    assert sum(pieces) == len(api.content(batch["output_file_id"]).content)
