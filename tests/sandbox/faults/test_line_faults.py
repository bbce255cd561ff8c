"""Faults that change the lines of a downloaded file."""

import json
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


def ids(text: str) -> list[str]:
    return [json.loads(row)["custom_id"] for row in text.splitlines()]


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


def test_a_reader_that_continues_after_a_swap_misses_one_line_and_repeats_one(sandbox):
    api = sandbox.api()
    api.http.post("/_sandbox/faults", json={"faults": ["swap"]})
    batch = api.batch(lines(400))
    file_id = batch["output_file_id"]
    sandbox.clock.advance(1)
    first = api.content(file_id)

    skip = int(first.headers["X-Last-Line"])
    api.post(batch, "cancel")
    second = api.content(file_id, skip=skip)
    everything = api.content(file_id)

    first_ids, second_ids, all_ids = ids(first.text), ids(second.text), ids(everything.text)
    assert len(first_ids) == skip > 1
    assert second_ids[0] == first_ids[-1]
    assert set(all_ids) - set(first_ids) - set(second_ids) == {all_ids[skip - 1]}
    assert len(all_ids) == len(set(all_ids))


def test_lines_can_come_in_another_order_each_time(output):
    api, file_id = output("shuffle#2-3")

    plain, first, second = (ids(api.content(file_id, skip=skip).text) for skip in (0, 0, 1))

    assert first != plain
    assert sorted(first) == sorted(plain)
    assert sorted(second) == sorted(plain[1:])


def test_lines_can_be_repeated(output):
    api, file_id = output("repeat=20")

    values = ids(api.content(file_id).text)

    assert len(set(values)) == 100
    assert 105 < len(values) < 140
    assert ids(api.content(file_id).text) == values


def test_the_same_lines_are_missing_each_time(output):
    api, file_id = output("missing=20")

    first, second = api.content(file_id), api.content(file_id, skip=0)

    assert 60 < len(ids(first.text)) < 95
    assert first.text == second.text
    assert first.headers["X-Last-Line"] == "100"


def test_lines_can_have_an_unknown_custom_id(output):
    api, file_id = output("stranger=2")

    values = ids(api.content(file_id).text)

    assert len(values) == 102
    assert {"stranger-1", "stranger-2"} < set(values)


def test_a_line_can_be_huge(output):
    api, file_id = output("huge", count=3)

    first, *_others = api.content(file_id).content.splitlines()

    assert len(first) > 10_000_000
    assert json.loads(first)["response"]["status_code"] == 200


def test_a_line_can_contain_invalid_utf8(output):
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


def test_several_faults_can_change_the_same_response(output):
    api, file_id = output("repeat=100", "stranger", "cut=5000#2")

    whole = ids(api.content(file_id).text)
    received, is_broken, _response = read(api, file_id)

    assert len(whole) == 201
    assert (len(received), is_broken) == (5000, True)


def test_the_header_can_be_wrong_about_completeness(output):
    api, file_id = output("x-incomplete#1", count=3)

    values = [api.content(file_id).headers["X-Incomplete"] for _call in range(2)]

    assert values == ["true", "false"]
