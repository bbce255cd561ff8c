"""A retry on its pages: chosen and changed, then told of as one with its batch."""

import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Connection, ModelCost, Project, ProviderBatch, Upload, User
from tests.html import Element, Page, page_of
from tests.make import (
    MODEL,
    VIEWER,
    answer,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_price,
    make_project,
    make_upload,
    make_user,
    request_file,
    set_state,
)
from tests.steps import advance

pytestmark = pytest.mark.django_db


@pytest.fixture
def parent(project: Project, user: User) -> Batch:
    """Ten requests: six answered, one cut short, two failed, one without a result."""
    upload = make_upload(project, user, content=request_file(10))
    batch = make_batch(upload=upload, name="Tickets")
    cut = answer_line(7).replace(b'"stop"', b'"length"')
    return finish(
        batch, [*map(answer_line, range(1, 7)), cut], [error_line(8), error_line(9, "Too long.")]
    )


def address(batch: Batch) -> str:
    return reverse("batch_retry", args=[batch.pk])


def ask(*outcomes: str, **values: Any) -> dict[str, Any]:
    return {"outcomes": list(outcomes), "submission": str(uuid.uuid4())} | values


def counted(browser: Client, batch: Batch, asked: dict[str, Any]) -> Element:
    """What is said of a choice while it is made."""
    response = browser.post(
        address(batch), asked | {"preview": "1"}, headers={"HX-Request": "true"}
    )
    return Page(response).one("body > #count")


def retried(browser: Client, batch: Batch, *outcomes: str, **values: Any) -> Batch:
    """A retry as a person makes it, ordered with the batch's key and listed."""
    browser.post(address(batch), ask(*outcomes, **values))
    upload = Upload.objects.order_by("-created_at")[0]
    advance(upload)
    upload.refresh_from_db()
    return make_batch(upload=upload, key=batch.key, user=batch.created_by)


def test_the_page_ticks_what_is_worth_it_and_says_why(browser: Client, parent: Batch) -> None:
    page = page_of(browser, address(parent))

    ticked = {box["value"] for box in page.all("input[name=outcomes][checked]")}
    assert ticked == {"provider_error", "missing", "truncated"}
    assert "It most often works the next time" in page.text
    assert "4 requests will be run again." in page.text
    chosen = page.one("select[name=max_tokens_factor] option[selected]")
    assert (chosen["value"], chosen.text) == ("2", "Double")
    assert page_of(browser, parent.get_absolute_url()).one("#retry")["href"] == address(parent)


def test_the_count_follows_the_choice(browser: Client, parent: Batch) -> None:
    assert "1 request will be run again." in counted(browser, parent, ask("missing")).text
    assert "3 requests will" in counted(browser, parent, ask("missing", "provider_error")).text
    only = ask("missing", "provider_error", error_code="500")
    assert "2 requests will" in counted(browser, parent, only).text
    assert "Tick at least one" in counted(browser, parent, ask()).text
    assert Upload.objects.count() == 1


def test_the_price_follows_the_choice(browser: Client, parent: Batch) -> None:
    Batch.objects.filter(pk=parent.pk).update(actual_cost_usd="0.70")
    basis = "expected, at what a request of this batch costs"

    def price_of(*outcomes: str) -> Element:
        asked = ask(*outcomes) | {"preview": "1"}
        response = browser.post(address(parent), asked, headers={"HX-Request": "true"})
        return Page(response).one("#price[hx-swap-oob=true]")

    longer = f"~$0.40 {basis}; more where answers get longer"
    assert page_of(browser, address(parent)).one(".foot #price").text == longer
    assert price_of("missing").text == f"~$0.10 {basis}"
    assert "hidden" in price_of()


def test_a_retry_goes_on_to_the_steps_of_a_batch(
    browser: Client, parent: Batch, woken: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(address(parent), ask("missing", "provider_error"))

    fresh = Upload.objects.get(retry_of=parent)
    check = reverse("order_check", args=[fresh.pk])
    assert response["Location"] == f"{check}?window=24h"
    assert woken == [str(fresh.pk)]
    assert "Writing the requests" in page_of(browser, check).text

    advance(fresh)

    page = page_of(browser, check)
    assert "All 3 requests are ready" in page.text
    assert "provider error: 2, no result: 1" in page.text
    window = page_of(browser, reverse("order_choose_window", args=[fresh.pk]), window="1h")
    assert window.values["name"] == "questions-retry"


def test_a_retry_is_submitted_like_any_batch_and_belongs_to_its_parent(
    browser: Client, parent: Batch
) -> None:
    browser.post(address(parent), ask("missing"))
    fresh = Upload.objects.get(retry_of=parent)
    advance(fresh)
    order = {"window": "1h", "key": str(parent.key.pk), "name": "Again"}
    review = page_of(browser, reverse("order_review", args=[fresh.pk]), order)
    form = review.one("main form.with-rail")

    browser.post(form["action"], form.values)

    child = Batch.objects.get(upload=fresh)
    assert (child.parent, child.window, child.requests) == (parent, "1h", 1)


SENSELESS_CHOICES: list[tuple[dict[str, Any], str]] = [
    ({"outcomes": []}, "Tick at least one kind"),
    ({"outcomes": ["refused"]}, "Tick at least one kind"),
    ({"outcomes": ["truncated"]}, "would be cut short again"),
    ({"outcomes": ["truncated"], "max_tokens_factor": "1"}, "would be cut short again"),
    ({"outcomes": ["missing"], "error_code": "500"}, "No request is left"),
    ({"outcomes": ["missing"], "error_code": "nonsense"}, "Choose one of the error codes"),
    ({"outcomes": ["missing"], "temperature": "hot"}, "Give a number from 0 to 2"),
    ({"outcomes": ["missing"], "temperature": "2.1"}, "Give a number from 0 to 2"),
    ({"outcomes": ["missing"], "temperature": "nan"}, "Give a number from 0 to 2"),
    ({"outcomes": ["missing"], "model": "someone/elses"}, "Choose one of the models"),
    ({"outcomes": ["truncated"], "max_tokens_factor": "3"}, "Select a valid choice"),
]


def test_a_choice_that_makes_no_sense_makes_no_file(browser: Client, parent: Batch) -> None:
    for values, sentence in SENSELESS_CHOICES:
        html = browser.post(address(parent), ask(submission="") | values).content.decode()
        assert "Nothing was created." in html, values
        assert sentence in html, values

    assert Upload.objects.count() == 1


def test_what_was_cut_short_may_stay_as_long_with_another_model(
    browser: Client, parent: Batch, project: Project
) -> None:
    make_price(project.connection, "24h", Decimal(1), Decimal(2), model="other/model")
    make_price(project.connection, "24h", Decimal(1), Decimal(2), model="every/*")
    page = page_of(browser, address(parent))
    assert '<option value="other/model">' in page.html
    assert "every/*" not in page.html

    browser.post(address(parent), ask("truncated", model="other/model", temperature="0.5"))

    fresh = Upload.objects.get(retry_of=parent)
    advance(fresh)
    fresh.refresh_from_db()
    (line,) = [json.loads(each) for each in b"".join(fresh.chunks()).splitlines()]
    body = line["body"]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("other/model", 100, 0.5)


def test_a_second_click_makes_no_second_file(browser: Client, parent: Batch) -> None:
    asked = ask("missing")

    places = {browser.post(address(parent), asked)["Location"] for _ in range(2)}

    assert len(places) == 1
    assert Upload.objects.filter(retry_of=parent).count() == 1


def test_a_batch_that_is_answered_has_nothing_to_retry(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user))

    assert "nothing to run again" in page_of(browser, address(batch)).text
    assert browser.post(address(batch), ask("missing"))["Location"] == address(batch)
    assert address(batch) not in page_of(browser, batch.get_absolute_url()).html


def test_of_a_running_batch_the_page_says_that_only_what_has_ended_counts(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    answer(batch, [answer_line(1)], [error_line(2)])
    set_state(batch, status=ProviderBatch.Status.RUNNING)

    page = page_of(browser, address(batch))

    assert "The batch still runs" in page.text
    assert "1 request will be run again." in page.text


def test_a_provider_that_can_is_offered_to_run_failures_again_in_place(
    browser: Client, parent: Batch
) -> None:
    in_place = reverse("batch_retry_in_place", args=[parent.pk])
    Connection.objects.update(has_retry=True)

    assert in_place in counted(browser, parent, ask("provider_error")).links.values()
    for other in (
        ask("provider_error", "missing"),
        ask("provider_error", temperature="0.5"),
        ask("provider_error", error_code="500"),
    ):
        assert in_place not in counted(browser, parent, other).links.values()
    Connection.objects.update(has_retry=False)
    assert in_place not in counted(browser, parent, ask("provider_error")).links.values()


def test_only_members_retry(client: Client, parent: Batch, project: Project) -> None:
    client.force_login(join(make_user(), project, VIEWER))
    assert client.get(address(parent)).status_code == 403
    assert client.post(address(parent), ask("missing")).status_code == 403
    assert address(parent) not in page_of(client, parent.get_absolute_url()).html

    client.force_login(make_user())
    assert client.get(address(parent)).status_code == 404
    assert client.post(address(parent), ask("missing")).status_code == 404
    assert client.get(reverse("batch_download_merged", args=[parent.pk])).status_code == 404
    assert Upload.objects.count() == 1


def test_a_batch_and_its_retry_show_each_other_and_what_they_came_to(
    browser: Client, parent: Batch
) -> None:
    child = finish(
        retried(browser, parent, "missing", "provider_error"), [answer_line(8), answer_line(9)]
    )
    parent.refresh_from_db()

    above, below = (page_of(browser, each.get_absolute_url()) for each in (parent, child))

    assert "8 of 10 answered with its retry." in above.text
    assert above.one(f"#attempt-{child.pk}")
    assert "Retry of" not in above.text
    assert below.one("#parent")["href"] == parent.get_absolute_url()
    assert "answered with its" not in below.text
    # 100 tokens in and 50 out for each of nine answers, at $1 and $2 a million.
    for page in (above, below):
        assert "Together $0.0018" in page.text


@pytest.mark.parametrize(
    ("outcome", "answers", "error_code", "text"),
    [
        ("provider_error", {}, "500", "of 2 requests gained nothing: all 2 failed again with the"),
        ("provider_error", {}, "busy", "of 2 requests gained nothing: all 2 failed again."),
        ("truncated", {7: b"length"}, "", "1 request gained nothing: it ended no better than"),
        ("truncated", {7: b"stop"}, "", ""),
    ],
)
def test_a_retry_that_gained_nothing_says_so_and_so_does_what_it_retries(
    browser: Client,
    parent: Batch,
    outcome: str,
    answers: dict[int, bytes],
    error_code: str,
    text: str,
) -> None:
    child = finish(
        retried(browser, parent, outcome, max_tokens_factor="2"),
        [answer_line(n).replace(b'"stop"', b'"%b"' % reason) for n, reason in answers.items()],
        [error_line(number, code=error_code) for number in (8, 9) if error_code],
    )

    for batch in (parent, child):
        page = page_of(browser, batch.get_absolute_url())
        assert page.text.count("gained nothing") == bool(text)
        assert text in page.text


def test_what_a_family_costs_is_estimated_while_one_of_it_runs_and_partial_without_a_price(
    browser: Client, parent: Batch
) -> None:
    child = retried(browser, parent, "missing")

    def together() -> str:
        cost = page_of(browser, parent.get_absolute_url()).one("#retries header .cost")
        return f"{cost['class'].strip()}: {cost.text}"

    assert together().startswith("cost guess: ~$")
    ModelCost.objects.filter(batch=child).update(estimated_cost_usd=None)
    assert together().startswith("cost guess: ≥ ~$")
    finish(child, [answer_line(10)])
    ModelCost.objects.filter(batch=child).update(cost_usd=None)
    assert together().startswith("cost: ≥ $")
    ModelCost.objects.update(cost_usd=None)
    assert together() == "cost none: no price"


def test_a_batch_without_relatives_shows_no_family(browser: Client, parent: Batch) -> None:
    assert not page_of(browser, parent.get_absolute_url()).all("#retries")


def test_a_batch_is_looked_at_again_while_its_retry_runs(browser: Client, parent: Batch) -> None:
    assert 'hx-trigger="every 2s"' not in page_of(browser, parent.get_absolute_url()).html

    retried(browser, parent, "missing")

    assert 'hx-trigger="every 2s"' in page_of(browser, parent.get_absolute_url()).html


def test_results_count_the_answers_of_retries_unless_they_are_left_out(
    browser: Client, parent: Batch
) -> None:
    finish(
        retried(browser, parent, "missing", "provider_error"), [answer_line(8, text="At last.")]
    )
    results = reverse("result_list", args=[parent.pk])

    both = page_of(browser, results)
    assert "At last." in both.text
    assert both.text.count("from retry 1") == 1
    failed = page_of(browser, results, outcome="failed")
    assert "row-9<" in failed.html
    assert "row-8<" not in failed.html
    assert "row-8<" in page_of(browser, results, outcome="answered").html

    alone = page_of(browser, results, attempts="own")
    assert "At last." not in alone.text
    assert "from retry 1" not in alone.text
    assert "row-8<" in page_of(browser, results, attempts="own", outcome="failed").html


def test_a_batch_without_retries_has_no_switch(browser: Client, parent: Batch) -> None:
    results = reverse("result_list", args=[parent.pk])

    assert "With retries" not in page_of(browser, results).text
    assert "row-8<" in page_of(browser, results, attempts="", outcome="failed").html


def test_a_result_shows_its_best_answer_and_all_attempts(browser: Client, parent: Batch) -> None:
    child = finish(retried(browser, parent, "missing", "provider_error"), [answer_line(8)])
    line = child.results.get(custom_id="row-8").line

    both = page_of(browser, reverse("result_detail", args=[parent.pk, 8]))
    assert "Answer 8." in both.text
    assert "from retry 1" in both.text
    assert "The model broke down." in both.text
    assert reverse("result_detail", args=[child.pk, line]) in both.links.values()

    alone = page_of(browser, reverse("result_detail", args=[parent.pk, 8]), attempts="own")
    assert alone.all("#attempts")
    assert "from retry 1" not in alone.text
    assert not page_of(browser, reverse("result_detail", args=[parent.pk, 1])).all("#attempts")


def test_the_merged_results_are_downloaded_under_the_batchs_name(
    browser: Client, parent: Batch
) -> None:
    finish(retried(browser, parent, "missing", "provider_error"), [answer_line(8)])

    response = browser.get(reverse("batch_download_merged", args=[parent.pk]))

    lines = [json.loads(line) for line in b"".join(response).splitlines()]
    assert 'filename="tickets-merged.jsonl"' in response["Content-Disposition"]
    assert [line["custom_id"] for line in lines] == [f"row-{n}" for n in range(1, 11)]
    assert lines[7]["response"]["status_code"] == 200


def test_the_file_of_a_retry_says_what_it_is(browser: Client, parent: Batch) -> None:
    child = retried(browser, parent, "missing")

    page = page_of(browser, child.upload.get_absolute_url())
    assert f'id="retry-of" href="{parent.get_absolute_url()}"' in page.html
    assert "no result: 1" in page.text
    assert "retry: no result: 1" in page_of(browser, "/projects/support/files/").text


def test_pages_of_a_family_take_few_queries(
    browser: Client, parent: Batch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    child = finish(retried(browser, parent, "missing", "provider_error"), [answer_line(8)])
    grandchild = finish(retried(browser, child, "missing"), [answer_line(9)])

    for batch in (parent, child, grandchild):
        browser.get(reverse("result_list", args=[batch.pk]))  # the first one builds the columns
        with django_assert_max_num_queries(20):
            browser.get(reverse("result_list", args=[batch.pk]))
    with django_assert_max_num_queries(12):
        browser.get("/batches/")
    with django_assert_max_num_queries(10):
        browser.get(address(parent))


def test_a_parent_of_another_project_is_not_shown(browser: Client, parent: Batch) -> None:
    foreign = make_batch(make_project(make_user()), name="Their secret batch")
    Batch.objects.filter(pk=parent.pk).update(parent=foreign)

    assert "Their secret batch" not in page_of(browser, parent.get_absolute_url()).html
    assert MODEL in page_of(browser, parent.get_absolute_url()).text
