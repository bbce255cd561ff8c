"""Result files that end early, or whose lines are missing, too many, moved or no lines."""

import json
from collections.abc import Callable

import httpx
import pytest

from tests.sandbox.api import Api, lines


@pytest.fixture
def output(account) -> Callable[..., tuple[Api, str]]:
    """Make an account with these switches, and the output file of its finished batch."""

    def make(*switches: str, count: int = 100) -> tuple[Api, str]:
        api = account("", *switches)
        return api, api.finished(lines(count))["output_file_id"]

    return make


def ids(text: str) -> list[str]:
    return [json.loads(row)["custom_id"] for row in text.splitlines()]


def read(api: Api, file_id: str, **query: int) -> tuple[bytes, bool, httpx.Response]:
    """What arrived, whether the transfer broke, and the answer's head."""
    received, is_broken = b"", False
    url = f"/v1/files/{file_id}/content"
    with api.http.stream("GET", url, params=query) as response:
        try:
            for piece in response.iter_raw():
                received += piece
        except httpx.RemoteProtocolError:
            is_broken = True
    return received, is_broken, response


def test_a_cut_stream_breaks_without_an_end(output):
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


def test_whoever_goes_on_reading_while_lines_are_swapped_misses_one_and_repeats_one(limited):
    api = limited(speed=1.0, base_seconds=20.0, seconds_per_request=0.0, validating_seconds=0.0)
    api.http.post("/_sandbox/faults", json={"faults": ["swap"]})
    batch = api.batch(lines(400))
    file_id = batch["output_file_id"]
    first = api.content(file_id)
    while first.text.count("\n") < 2:
        first = api.content(file_id)

    skip = int(first.headers["X-Last-Line"])
    api.post(batch, "cancel")
    second = api.content(file_id, skip=skip)
    everything = api.content(file_id)

    seen, rest, whole = ids(first.text), ids(second.text), ids(everything.text)
    assert len(seen) == skip
    assert rest[0] == seen[-1]
    assert set(whole) - set(seen) - set(rest) == {whole[skip - 1]}
    assert len(whole) == len(set(whole))


def test_lines_can_come_in_another_order_each_time(output):
    api, file_id = output("shuffle#2-3")

    plain, first, second = (ids(api.content(file_id, skip=each).text) for each in (0, 0, 1))

    assert first != plain
    assert sorted(first) == sorted(plain)
    assert sorted(second) == sorted(plain[1:])


def test_lines_can_be_repeated(output):
    api, file_id = output("repeat=20")

    found = ids(api.content(file_id).text)

    assert len(set(found)) == 100
    assert 105 < len(found) < 140
    assert ids(api.content(file_id).text) == found


def test_the_same_lines_are_missing_each_time(output):
    api, file_id = output("missing=20")

    first, second = api.content(file_id), api.content(file_id, skip=0)

    assert 60 < len(ids(first.text)) < 95
    assert first.text == second.text
    assert first.headers["X-Last-Line"] == "100"


def test_lines_can_be_about_requests_nobody_sent(output):
    api, file_id = output("stranger=2")

    found = ids(api.content(file_id).text)

    assert len(found) == 102
    assert {"stranger-1", "stranger-2"} < set(found)


def test_a_line_can_be_huge(output):
    api, file_id = output("huge", count=3)

    first, *_others = api.content(file_id).content.splitlines()

    assert len(first) > 10_000_000
    assert json.loads(first)["response"]["status_code"] == 200


def test_a_line_can_hold_bytes_that_are_no_text(output):
    api, file_id = output("invalid-utf8", count=3)

    first, *others = api.content(file_id).content.splitlines()

    with pytest.raises(UnicodeDecodeError):
        first.decode()
    assert len([row.decode() for row in others]) == 2


def test_a_line_can_end_in_its_middle(output):
    api, file_id = output("torn", count=3)

    first, *others = api.content(file_id).text.splitlines()

    with pytest.raises(json.JSONDecodeError):
        json.loads(first)
    assert len([json.loads(row) for row in others]) == 2


def test_several_faults_can_strike_the_same_answer(output):
    api, file_id = output("repeat=100", "stranger", "cut=5000#2")

    whole = ids(api.content(file_id).text)
    received, is_broken, _response = read(api, file_id)

    assert len(whole) == 201
    assert (len(received), is_broken) == (5000, True)


def test_the_header_can_lie_about_being_complete(output):
    api, file_id = output("x-incomplete#1", count=3)

    found = [api.content(file_id).headers["X-Incomplete"] for _time in range(2)]

    assert found == ["true", "false"]
