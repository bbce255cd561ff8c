from datetime import timedelta

import httpx
import pytest

from batchapp.providers.errors import ProviderUnavailable
from tests.providers.doubles import NOW, Listing, batch


def test_files_are_found_by_exact_name_the_oldest_first(client_of):
    rows = [
        {"id": "f4", "filename": "tag.jsonl", "created_at": 400},
        {"id": "f3", "filename": "tag.jsonl.old", "created_at": 300},
        {"id": "f2", "filename": "TAG.jsonl", "created_at": 200},
        {"id": "f1", "filename": "tag.jsonl", "created_at": 100},
        {"id": "f0", "filename": "tag.jsonl"},
    ]
    listing = Listing(rows)

    files = client_of(listing).find_files("tag.jsonl")

    assert [file.id for file in files] == ["f1", "f4", "f0"]
    first = {"purpose": "batch", "search": "tag.jsonl", "limit": "100"}
    assert listing.queries[0] == first
    assert listing.queries[1] == first | {"after": "f3"}


def test_the_search_for_files_ends_if_the_provider_ignores_the_cursor(client_of):
    rows = [{"id": f"f{n}", "filename": "tag.jsonl"} for n in range(5)]
    listing = Listing(rows, obeys_cursor=False)

    files = client_of(listing).find_files("tag.jsonl")

    assert [file.id for file in files] == ["f0", "f1"]
    assert len(listing.queries) == 2


def test_a_batch_is_found_by_its_tag_the_oldest_first(client_of):
    ours = {"metadata": {"token": "abc", "request_source": "api"}}
    rows = [
        batch(6, **ours),
        batch(5, age=timedelta(minutes=1), metadata={"token": "abcd"}),
        batch(4, age=timedelta(minutes=2), metadata={"other": "abc"}),
        batch(3, age=timedelta(minutes=3), metadata=None),
        batch(2, age=timedelta(minutes=4), **ours),
    ]
    listing = Listing(rows)

    batches = client_of(listing).find_batches("token", "abc", since=NOW - timedelta(minutes=10))

    assert [b.id for b in batches] == ["b2", "b6"]
    assert listing.queries[0] == {"search": "abc", "limit": "100"}
    assert "active_first" not in listing.queries[1]


def test_the_search_for_a_batch_stops_an_hour_before_its_earliest_creation(client_of):
    rows = [batch(n, age=timedelta(minutes=30 * n)) for n in range(20)]
    listing = Listing(rows)

    assert client_of(listing).find_batches("token", "abc", since=NOW) == []

    assert len(listing.queries) == 2  # b2 is sixty minutes old, b3 is older


def test_no_batches_at_all_is_an_answer(client_of):
    assert client_of(Listing([])).find_batches("token", "abc", since=NOW) == []


def test_pages_that_repeat_are_not_the_end(client_of):
    listing = Listing([batch(n) for n in range(5)], obeys_cursor=False)

    with pytest.raises(ProviderUnavailable, match="pages repeat"):
        client_of(listing).find_batches("token", "abc", since=NOW)

    assert len(listing.queries) == 2


def test_pages_that_repeat_do_not_matter_once_they_reach_far_enough(client_of):
    ours = {"metadata": {"token": "abc"}}
    rows = [batch(1, **ours), batch(2, age=timedelta(days=1)), batch(3, age=timedelta(days=2))]
    listing = Listing(rows, obeys_cursor=False)

    batches = client_of(listing).find_batches("token", "abc", since=NOW)

    assert [b.id for b in batches] == ["b1"]


OURS = batch(1, metadata={"token": "abc"})


@pytest.mark.parametrize("metadata", [None, {}, [], ["token", "abc"], "token=abc", 7])
def test_a_batch_listed_without_metadata_is_retrieved(client_of, metadata):
    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/b1"):
            return httpx.Response(200, json=OURS)
        return httpx.Response(200, json={"data": [OURS | {"metadata": metadata}]})

    batches = client_of(handler).find_batches("token", "abc", since=NOW)

    assert [b.id for b in batches] == ["b1"]


@pytest.mark.parametrize(
    ("metadata", "status"), [(["token", "abc"], 200), ("token", 200), (None, 404), (None, 410)]
)
def test_an_unreadable_batch_is_not_taken_for_the_batch_of_somebody_else(
    client_of, metadata, status
):
    row = OURS | {"metadata": metadata}

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/b1"):
            return httpx.Response(status, json=row)
        return httpx.Response(200, json={"data": [row]})

    with pytest.raises(ProviderUnavailable, match="answered with a batch"):
        client_of(handler).find_batches("token", "abc", since=NOW)


def test_an_old_batch_without_metadata_is_not_retrieved(client_of):
    def handler(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/batches"
        return httpx.Response(200, json={"data": [batch(1, age=timedelta(days=1))]})

    assert client_of(handler).find_batches("token", "abc", since=NOW) == []


@pytest.mark.parametrize("more", ["true", "false", 1, 0, [True]])
@pytest.mark.parametrize("rows", [[], [batch(2, metadata={"token": "other"})]])
def test_a_list_without_a_readable_end_is_not_trusted(client_of, more, rows):
    answer = httpx.Response(200, json={"data": rows, "has_more": more})

    with pytest.raises(ProviderUnavailable, match="readable end"):
        client_of(lambda _: answer).find_batches("token", "abc", since=NOW)


def test_an_empty_page_with_more_pages_is_not_trusted(client_of):
    answer = httpx.Response(200, json={"data": [], "has_more": True})

    with pytest.raises(ProviderUnavailable, match="readable end"):
        client_of(lambda _: answer).find_batches("token", "abc", since=NOW)


def test_pages_may_shift_while_they_are_read(client_of):
    pages = [["b9", "b8"], ["b8", "b7"], ["b7", "b6"]]

    def handler(request: httpx.Request) -> httpx.Response:
        data = [{"id": name, "metadata": {"token": "abc"}} for name in pages.pop(0)]
        return httpx.Response(200, json={"data": data, "has_more": bool(pages)})

    batches = client_of(handler).find_batches("token", "abc", since=NOW)

    assert [b.id for b in batches] == ["b6", "b7", "b8", "b9"]


def test_a_list_can_be_narrowed(client_of):
    listing = Listing([batch(n) for n in range(3)])

    page = client_of(listing).list_batches(
        active_first=True, limit=2, after="b9", search="x", created_after=NOW
    )

    assert ([b.id for b in page.data], page.has_more, page.last_id) == (["b0", "b1"], True, "b1")
    assert listing.queries == [
        {
            "limit": "2",
            "active_first": "true",
            "after": "b9",
            "search": "x",
            "created_after": "2026-05-01T12:00:00+00:00",
        }
    ]


def test_a_plain_list_asks_for_nothing_special(client_of):
    listing = Listing([])

    client_of(listing).list_batches()

    assert listing.queries == [{"limit": "100"}]
