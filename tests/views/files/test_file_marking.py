"""The shared prompt: said, priced with and without markers, and marked at a click."""

import json
import re
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Project, Upload
from batchapp.pipeline import steps
from tests.html import page_of
from tests.make import MODEL, VIEWER, ended_batch, join, make_user
from tests.reuse import checked_upload, request_line

pytestmark = pytest.mark.django_db

RULES = "word " * 2_000
MARKER = {"cache_control": {"type": "ephemeral"}}
PRICE = UnitPrice(
    Decimal(1),
    Decimal(2),
    cached_read=Decimal("0.1"),
    write_5m=Decimal("1.25"),
    write_1h=Decimal(2),
)


@pytest.fixture
def doubleword(project: Project) -> Project:
    connection = project.connection
    connection.base_url = "https://api.doubleword.ai/v1"
    connection.save()
    for price in connection.prices.all():
        price.unit_price = PRICE
        price.save()
    return project


def line(number: int, group: int = 0, text: str = RULES, **fields: Any) -> bytes:
    messages = [
        {"role": "system", "content": f"{group} {text}"},
        {"role": "user", "content": f"Question {number}"},
    ]
    return request_line(f"r-{number}", "", messages=messages, **fields)


def shared_file(requests: int = 100, groups: int = 1, **fields: Any) -> bytes:
    size = requests // groups
    return b"".join(line(number, number // size, **fields) for number in range(requests))


def mark(browser: Client, upload: Upload, **values: str) -> Any:
    data = {"submission": str(uuid.uuid4())} | values
    return browser.post(reverse("file_mark", args=[upload.pk]), data)


def marked_version(upload: Upload) -> Upload:
    marked = upload.versions.get()
    steps.check_upload(marked)
    marked.refresh_from_db()
    return marked


@pytest.mark.parametrize("name", ["file_detail", "order_check"])
def test_the_page_says_what_is_shared_and_shows_both_costs(
    browser: Client, doubleword: Project, name: str
) -> None:
    upload = checked_upload(doubleword, shared_file())

    card = page_of(browser, reverse(name, args=[upload.pk])).one("#prompt-cache")

    assert "input tokens are the same in every request." in card.text
    assert card.text.count("~$") == 3
    assert " less, " in card.text
    assert "10 at once assumed" in card.text
    assert card.one("#mark-shared-prompt")


def test_the_button_makes_a_marked_version_whose_page_says_what_it_saves(
    browser: Client, doubleword: Project
) -> None:
    upload = checked_upload(doubleword, shared_file(groups=2), name="reviews.jsonl")

    mark(browser, upload)
    marked = marked_version(upload)

    assert (marked.name, marked.status) == ("reviews-marked.jsonl", Upload.Status.READY)
    assert "100 requests marked" in marked.correction.words
    requests = [json.loads(row) for row in b"".join(marked.chunks()).splitlines()]
    assert [row["custom_id"] for row in requests[:4]] == ["r-0", "r-50", "r-1", "r-51"]
    for row in requests:
        (block,) = row["body"]["messages"][0]["content"]
        assert block["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    card = page_of(browser, marked.get_absolute_url()).one("#prompt-cache")
    assert "The shared prompt is marked" in card.text
    assert " less, " in card.text
    assert not card.all("#mark-shared-prompt")


def test_a_click_twice_makes_one_version_and_an_order_goes_on_with_it(
    browser: Client, doubleword: Project
) -> None:
    upload, submission = checked_upload(doubleword, shared_file()), str(uuid.uuid4())

    for _ in range(2):
        response = mark(browser, upload, submission=submission, then="batch")

    marked = upload.versions.get()
    assert response.url == reverse("order_check", args=[marked.pk])


def test_markers_that_only_cost_are_warned_of_with_the_sum(
    browser: Client, doubleword: Project
) -> None:
    upload = checked_upload(doubleword, shared_file(**MARKER))

    card = page_of(browser, upload.get_absolute_url()).one("#prompt-cache")

    assert "cost more than they save" in card.text
    assert re.search(r"~\$[\d.]+ more, 2\d %", card.text)
    assert not card.all("#mark-shared-prompt")


def test_the_markers_that_only_cost_are_removed_at_a_click(
    browser: Client, doubleword: Project
) -> None:
    upload = checked_upload(doubleword, shared_file(**MARKER))

    card = page_of(browser, upload.get_absolute_url()).one("#prompt-cache")
    mark(browser, upload)
    without = marked_version(upload)

    assert card.one("#remove-markers").text == "Remove the markers"
    rows = [json.loads(row) for row in b"".join(without.chunks()).splitlines()]
    assert rows == [json.loads(row) for row in shared_file().splitlines()]
    assert "100 requests with markers removed" in without.correction.words
    assert page_of(browser, without.get_absolute_url()).all("#mark-shared-prompt")


def test_sorted_groups_are_marked_anew_in_turn(browser: Client, doubleword: Project) -> None:
    """Sound markers of groups that follow each other are written by almost every request."""
    block = {"type": "text", "cache_control": {"type": "ephemeral"}}
    rows = b"".join(
        request_line(
            f"r-{number}",
            "",
            messages=[
                {"role": "system", "content": [block | {"text": f"{number // 10} {RULES}"}]},
                {"role": "user", "content": f"Question {number}"},
            ],
        )
        for number in range(200)
    )
    upload = checked_upload(doubleword, rows)

    mark(browser, upload)
    without = marked_version(upload)
    mark(browser, without)
    marked = marked_version(without)

    card = page_of(browser, upload.get_absolute_url()).one("#prompt-cache").text
    assert " more, " in card
    card = page_of(browser, marked.get_absolute_url()).one("#prompt-cache").text
    assert " less, " in card


@pytest.mark.parametrize("name", ["file_detail", "order_check"])
def test_wrong_markers_are_removed_beside_their_finding(
    browser: Client, doubleword: Project, name: str
) -> None:
    bad = line(1, text="rules", cache_control={"type": "ephemeral", "ttl": "2h"})
    upload = checked_upload(doubleword, line(0, text="rules") + bad)
    address = reverse("file_correct", args=[upload.pk])

    page = page_of(browser, reverse(name, args=[upload.pk]))
    browser.post(
        address, {"corrections": "remove_markers", "submission": str(uuid.uuid4()), "url": ""}
    )

    assert page.all(f'a[href^="{address}?corrections=remove_markers"]')
    first, second = b"".join(marked_version(upload).chunks()).splitlines(keepends=True)
    assert first == line(0, text="rules")
    assert json.loads(second) == json.loads(line(1, text="rules"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (shared_file(text="word " * 500), "too short to be cached"),
        (shared_file(requests=11), "Too few requests share a prompt"),
    ],
)
def test_the_page_says_why_a_shared_prompt_is_not_marked(
    browser: Client, doubleword: Project, content: bytes, words: str
) -> None:
    upload = checked_upload(doubleword, content)

    card = page_of(browser, upload.get_absolute_url()).one("#prompt-cache")

    assert words in card.text
    assert not card.all("#mark-shared-prompt")
    mark(browser, upload)
    assert not upload.versions.exists()


def test_without_a_price_of_cached_tokens_nothing_is_said(
    browser: Client, doubleword: Project
) -> None:
    for price in doubleword.connection.prices.all():
        price.unit_price = UnitPrice(Decimal(1), Decimal(2))
        price.save()
    upload = checked_upload(doubleword, shared_file())

    assert not page_of(browser, upload.get_absolute_url()).all("#prompt-cache")


def test_requests_that_share_nothing_have_no_card(browser: Client, doubleword: Project) -> None:
    content = b"".join(line(number, number) for number in range(50))
    upload = checked_upload(doubleword, content)

    assert not page_of(browser, upload.get_absolute_url()).all("#prompt-cache")


def test_each_model_is_marked_by_its_own_price(browser: Client, doubleword: Project) -> None:
    rows = [line(number) for number in range(50)]
    rows += [line(number, model="unpriced") for number in range(50, 100)]
    upload = checked_upload(doubleword, b"".join(rows))

    mark(browser, upload)
    requests = b"".join(marked_version(upload).chunks()).splitlines()

    marked = {json.loads(row)["body"]["model"] for row in requests if b"cache_control" in row}
    assert marked == {MODEL}


def test_a_viewer_cannot_mark_a_file(client: Client, doubleword: Project) -> None:
    upload = checked_upload(doubleword, shared_file())
    viewer = make_user()
    join(viewer, doubleword, VIEWER)
    client.force_login(viewer)

    assert mark(client, upload).status_code == 403
    assert not upload.versions.exists()


def test_slow_answers_of_the_team_make_the_lifetime_an_hour(
    browser: Client, doubleword: Project
) -> None:
    ended_batch(doubleword, 100, minutes=60)
    upload = checked_upload(doubleword, shared_file())

    card = page_of(browser, upload.get_absolute_url()).one("#prompt-cache")
    mark(browser, upload)

    assert "kept for 1 hour" in card.text
    assert b'"ttl":"1h"' in b"".join(marked_version(upload).chunks())


def test_markers_of_too_short_a_prompt_change_nothing_and_the_card_says_so(
    browser: Client, doubleword: Project
) -> None:
    rows = [line(number, text="word " * 500, **MARKER) for number in range(50)]
    upload = checked_upload(doubleword, b"".join(rows))

    card = page_of(browser, upload.get_absolute_url()).one("#prompt-cache")

    assert "too short to be cached" in card.text
    assert "no difference" in card.text


def repeating_file(**fields: Any) -> bytes:
    """100 requests with sound markers, of which 50 repeat one of the others."""
    block = {"type": "text", "text": RULES} | fields
    return b"".join(
        request_line(
            f"r-{number}",
            "",
            messages=[
                {"role": "system", "content": [block]},
                {"role": "user", "content": f"Question {number % 50}"},
            ],
        )
        for number in range(100)
    )


def dollars(text: str) -> Decimal:
    return Decimal(re.findall(r"\$([\d.]+)", text)[-1])


def test_repeats_in_a_marked_file_are_priced_as_its_markers_make_them(
    browser: Client, doubleword: Project
) -> None:
    plain = checked_upload(doubleword, repeating_file())
    marked = checked_upload(doubleword, repeating_file(**MARKER))

    said = {}
    for upload in (plain, marked):
        page = page_of(browser, upload.get_absolute_url())
        (sentence,) = re.findall(r"50 requests repeat an earlier one[^.]*: (~\$[\d.]+)", page.text)
        options = page_of(browser, reverse("file_correct", args=[upload.pk])).text
        (saving,) = re.findall(r"saves (?:at most )?~\$[\d.]+", options)
        said[upload] = dollars(sentence), saving, page.one("#prompt-cache").text

    assert said[plain][0] > said[marked][0] * 2
    assert said[plain][1] == f"saves ~${said[plain][0]}"
    assert said[marked][1] == f"saves at most ~${said[marked][0]}"
    (expected,) = re.findall(r"As marked, 24 h ~\$([\d.]+)", said[marked][2])
    assert abs(said[marked][0] / Decimal(expected) - Decimal("0.5")) < Decimal("0.02")
