"""The way from a file to a batch: the window, the key, and what else is chosen."""

import re
import uuid
from datetime import timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from batchapp.domain.windows import spaced
from batchapp.models import Batch, OfferedModel, Project, ProviderKey, Upload, User
from tests.html import Page, page_of
from tests.make import (
    MODEL,
    answer_line,
    finish,
    make_batch,
    make_key,
    make_price,
    make_upload,
    make_user,
    request_file,
    request_line,
)
from tests.ordering import order_form, reviewed, step, submit
from tests.sentences import problem

pytestmark = pytest.mark.django_db


def test_each_window_says_what_it_costs_and_when_it_is_due(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    page = page_of(browser, step(upload, "window"))

    said = page.text
    assert [radio["value"] for radio in page.all("input[name=window]")] == ["24h", "1h"]
    assert re.search(
        r"Within 24 hours by tomorrow, \d\d:\d\d 50 % less than realtime ~\$0\.0006", said
    )
    assert re.search(r"Within 1 hour by (today|tomorrow), \d\d:\d\d ~\$0\.0013", said)
    assert "24 h, in / out 1 h, in / out" in said
    assert f"{MODEL} 3 36 ~300 300 $1.00 / $2.00 $2.00 / $4.00" in said
    assert (page.values["window"], page.values["key"]) == ("24h", str(key.pk))
    assert page.values["name"] == "tickets"


def test_a_window_says_how_long_past_batches_took_and_other_models_what_they_would_cost(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    project = upload.project
    make_price(project.connection, "24h", Decimal(1), Decimal(1_000), "other/model")
    now = timezone.now()
    for minutes in (126, 126, 360):
        content = request_line(1, model="other/model").encode()
        batch = make_batch(project, upload=make_upload(project, content=content), key=key)
        finish(batch, [answer_line(1, tokens=(10, 50))])
        Batch.objects.filter(pk=batch.pk).update(
            created_at=now - timedelta(minutes=minutes), finished_at=now
        )

    page = page_of(browser, step(upload, "window"))
    hour = page_of(browser, step(upload, "window", window="1h"))

    assert "usually 2.1 h, at most 6 h, 3 batches 50 % less" in page.text
    assert page.text.count("usually") == 1
    assert page.one("#other-models").text == "With other/model: about $0.15, from 3 past runs"
    assert not hour.all("#other-models")  # no price in this window
    assert browser.get(step(upload, "window", window="\0<b>")).status_code == 200


def test_a_window_in_which_a_model_does_not_run_cannot_be_chosen(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    connection = upload.project.connection
    OfferedModel.objects.create(connection=connection, model=MODEL, windows=["1h"])

    page = page_of(browser, step(upload, "window"))

    day, hour = page.all("input[name=window]")
    assert "disabled" in day
    assert "disabled" not in hour
    assert page.values["window"] == "1h"
    assert f"{MODEL} does not run in this window" in page.text
    assert not page.all("input[name=fallback]")
    review = browser.get(step(upload, "review", window="24h", key=key.pk), follow=True)
    assert f"{MODEL} does not run in the 24 h window. Choose another." in Page(review).text
    assert not Batch.objects.exists()


def test_a_cost_that_nothing_bounds_is_flagged(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Why?"}]}
    lines = [request_line(1, body=body), request_line(2, body=body | {"seed": 1}), request_line(3)]
    upload = make_upload(project, user, content="\n".join(lines).encode())

    for url in (step(upload, "window"), step(upload, "review", window="24h", key=key.pk)):
        assert "No limit: 2 requests set no max_tokens" in page_of(browser, url).text


def test_a_model_without_a_price_is_never_free(
    browser: Client, project: Project, user: User, key: ProviderKey
) -> None:
    upload = make_upload(project, user, content=request_file(model="nobody/knows"))

    window = page_of(browser, step(upload, "window")).text
    review = page_of(browser, step(upload, "review", window="24h", key=key.pk)).text

    assert "no price for nobody/knows" in window
    assert "Unknown is not free" in review
    assert "$0" not in window + review
    assert "no price" in page_of(browser, step(upload, "window")).one("#price b").text


def test_what_is_typed_lives_in_the_address(
    browser: Client, upload: Upload, user: User, key: ProviderKey
) -> None:
    mine = make_key(user, upload.project.connection)

    page = page_of(browser, step(upload, "window", window="1h", key=mine.pk, name='"Quoted" <b>'))

    assert (page.values["window"], page.values["key"]) == ("1h", str(mine.pk))
    assert page.values["name"] == '"Quoted" <b>'
    assert "Correct what is marked" not in page.text


@pytest.mark.parametrize("name", ["window", "review"])
def test_a_step_without_a_submission_gets_one_that_stays(
    browser: Client, upload: Upload, key: ProviderKey, name: str
) -> None:
    typed = f"window=1h&key={key.pk}&name=x"

    for bad in ("", "&submission=nonsense"):
        response = browser.get(f"/files/{upload.pk}/batch/{name}/?{typed}{bad}")

        where = urlsplit(response["Location"])
        given = parse_qs(where.query)
        assert where.path == f"/files/{upload.pk}/batch/{name}/"
        assert (given["window"], given["key"], given["name"]) == (["1h"], [str(key.pk)], ["x"])
        page = page_of(browser, response["Location"])
        assert page.values["submission"] == given["submission"][0]


def test_both_the_projects_keys_and_own_ones_are_on_offer(
    browser: Client, upload: Upload, user: User
) -> None:
    mine, ours = make_key(user, upload.project.connection), make_key(upload.project)
    foreign = make_key(make_user(), upload.project.connection)

    said = page_of(browser, step(upload, "window")).text

    assert said.index(f"{ours}, of the project") < said.index(f"{mine}, yours")
    assert str(foreign) not in said


def test_without_a_key_the_page_says_where_to_get_one_and_to_come_back(
    browser: Client, upload: Upload
) -> None:
    url = step(upload, "window", name="mine")

    page = page_of(browser, url)

    back = urlencode({"next": url})
    assert page.one("#add-own-key")["href"] == f"/profile/?{back}#keys"
    assert "ask an owner of Support tickets" in page.text
    assert "Continue to the review" not in page.text
    upload.project.memberships.update(role="owner")
    added = page_of(browser, url).one("#add-project-key")
    assert added["href"] == f"/projects/support/keys/?{back}"


def test_a_key_that_cannot_be_read_is_marked_and_refused(
    browser: Client, upload: Upload, user: User, key: ProviderKey
) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(ciphertext="of another portal")

    page = page_of(browser, step(upload, "window"))
    response = browser.get(step(upload, "review", window="24h", key=key.pk), follow=True)

    assert "cannot be read any more" in page.text
    assert "Continue to the review" not in page.text
    assert response.request["PATH_INFO"] == f"/files/{upload.pk}/batch/window/"
    assert "Choose another, or replace it." in Page(response).text
    mine = make_key(user, upload.project.connection)
    assert page_of(browser, step(upload, "window")).values["key"] == str(mine.pk)


def test_a_refused_key_is_marked_and_never_chosen_beforehand(
    browser: Client, upload: Upload, user: User, key: ProviderKey
) -> None:
    ProviderKey.objects.filter(pk=key.pk).update(
        is_refused=True, problem=problem("It was revoked.")
    )

    alone = page_of(browser, step(upload, "window"))
    mine = make_key(user, upload.project.connection)
    both = page_of(browser, step(upload, "window"))
    review = page_of(browser, step(upload, "review", window="24h", key=key.pk))

    assert "It was revoked." in alone.text
    nothing, choice = alone.all("select[name=key] option")
    assert (nothing["value"], choice["value"]) == ("", str(key.pk))
    assert choice.text == f"{key}, of the project: refused"
    assert "selected" not in choice
    assert "disabled" not in choice
    assert "Correct what is marked" not in alone.text
    assert both.values["key"] == str(mine.pk)
    assert "It was revoked. The batch may stop before it starts." in review.text


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"window": "1 minute"}, "Choose one of the completion windows"),
        ({"window": ""}, "Choose one of the completion windows"),
        ({"key": uuid.UUID(int=1)}, "Choose one of the provider keys on offer."),
        ({"key": "nonsense"}, "Choose one of the provider keys on offer."),
        ({"key": ""}, "Choose the provider key that pays"),
        ({"name": "x" * 201}, "at most 200 characters"),
    ],
)
def test_what_cannot_be_ordered_goes_back_to_its_field_with_all_that_was_typed(
    browser: Client, upload: Upload, key: ProviderKey, changes: dict[str, object], sentence: str
) -> None:
    asked = {"window": "1h", "key": key.pk, "name": "my name"} | changes
    sent = reviewed(browser, upload, key)

    got = browser.get(step(upload, "review", **asked), follow=True)
    posted = submit(browser, upload, sent | {k: str(v) for k, v in asked.items()}, follow=True)

    for response in (got, posted):
        page = Page(response)
        assert response.request["PATH_INFO"] == f"/files/{upload.pk}/batch/window/"
        assert sentence in page.text
        assert page.values["name"] == asked["name"]
        assert "window" in changes or page.values["window"] == "1h"
    assert not Batch.objects.exists()


def test_a_review_without_anything_asks_for_it(browser: Client, upload: Upload) -> None:
    page = page_of(browser, f"/files/{upload.pk}/batch/review/")

    assert "Choose one of the completion windows" in page.text
    assert "Choose the provider key that pays" in page.text


def test_a_longer_window_can_be_fallen_back_to_and_says_what_it_costs(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    provider = upload.project.connection
    page = page_of(browser, step(upload, "window", window="1h"))

    asked = page.text.partition(f"If {provider} has no room for 1 h, run it in 24 h for ")[2]
    assert asked.startswith("~$0.00")
    assert page.one("input[name=fallback]")["value"] == "24h"
    assert "fallback" not in page.values
    page = page_of(browser, step(upload, "window", window="1h", fallback="24h"))
    assert page.values["fallback"] == "24h"


def test_of_three_windows_two_may_be_left_for_the_longest_with_one_tick(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    upload.project.connection.windows = ["24h", "6h", "1h"]
    upload.project.connection.save()

    page = page_of(browser, step(upload, "window", window="6h"))

    assert "has no room for 6 h or 1 h, run it in 24 h for ~$" in page.text
    assert len(page.all("input[name=fallback]")) == 1
    assert not page.all(".choice > input ~ .also")


@pytest.mark.parametrize("window", ["24h", "1h"])
def test_the_panel_follows_the_choices(
    browser: Client, upload: Upload, user: User, key: ProviderKey, window: str
) -> None:
    mine = make_key(user, upload.project.connection)

    page = page_of(browser, step(upload, "window", window=window, key=mine.pk))

    panel = page.one("aside.rail")
    assert panel.text.startswith(
        f"tickets.jsonl 3 requests, Qwen3-30B Window {spaced(window)} Due by to"
    )
    assert f"Paid by {mine}, yours" in panel.text
    cost = {"24h": "~$0.0006", "1h": "~$0.0013"}[window]
    assert panel.one("#price b").text == cost
    # A change of the choice swaps the parts of the panel that this page has, and nothing else.
    assert {fields["hx-select-oob"] for fields in page.all("[hx-select-oob]")} == {
        "#panel,#price,#first-requests",
        "#panel",
    }
    assert panel.one("button[formaction]")["formaction"] == f"/files/{upload.pk}/batch/window/"


@pytest.mark.parametrize("windows", [["24h"], ["fast", "slow"]])
def test_where_no_window_is_longer_there_is_nothing_to_fall_back_to(
    browser: Client, upload: Upload, key: ProviderKey, windows: list[str]
) -> None:
    upload.project.connection.windows = windows
    upload.project.connection.save()

    assert not page_of(browser, step(upload, "window")).all("input[name=fallback]")


def test_a_fallback_that_makes_no_sense_is_said_or_left_out(
    browser: Client, upload: Upload, key: ProviderKey
) -> None:
    asked = {"window": "24h", "key": key.pk}

    page = page_of(browser, step(upload, "review", **asked, fallback="7d"))
    assert "Choose one of the completion windows on offer to fall back to." in page.text
    page = page_of(browser, step(upload, "review", **asked, fallback="24h"))
    assert "If there is no room" not in page.text
    assert "fallback" not in order_form(page)
