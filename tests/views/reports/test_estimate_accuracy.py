"""Estimates against costs: on the report's page, and on each batch's own."""

import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, ModelCost, Project, User
from tests.html import page_of
from tests.make import (
    answer_line,
    error_line,
    finish,
    join,
    make_administrator,
    make_batch,
    make_project,
    make_upload,
    make_user,
    request_line,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PAGE = "/report/accuracy/"


@pytest.fixture
def staff(client: Client) -> Client:
    client.force_login(make_administrator())
    return client


def test_members_see_the_accuracy_of_their_own_projects_alone(client: Client) -> None:
    own, _ = (finish(make_batch(make_project(name=name))) for name in ("Own", "Foreign"))
    join(person := make_user(), own.project)
    client.force_login(person)

    page = page_of(client, PAGE)

    assert page.texts("td.lead.strong") == ["Own"]


def test_without_a_batch_to_compare_it_says_what_is_missing(staff: Client) -> None:
    assert "No batch has ended yet" in page_of(staff, PAGE).text


def test_each_project_and_model_has_its_error(
    staff: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(3):
        finish(make_batch(make_project(name=f"Team {number}")))
    ModelCost.objects.update(estimated_cost_usd=Decimal("0.50"), cost_usd=Decimal("0.40"))

    with django_assert_max_num_queries(10):
        page = page_of(staff, PAGE)

    said = page.text
    assert page.one(".headline").text == "0 of 3 batches stayed inside the range shown"
    assert "Taken together, they cost 20 % less than estimated: $1.20 against $1.50." in said
    assert "Team 1 Qwen/Qwen3-30B 1 0 of 1 ~$0.50 $0.40 20 % less" in said
    assert "Qwen/Qwen3-30B inside the range: 0 of 3" in page.one(".rails").text
    assert page.one(".rails .range svg[role=img]")["aria-label"].endswith(
        "expected $1.50, cost $1.20"
    )
    assert page.one(".chart .bars")["aria-label"].endswith("3 batches. Most are at 80 % to 90 %.")


def test_a_failure_leaves_the_rest_of_the_estimate_to_compare(staff: Client) -> None:
    batch = make_batch(make_project(name="Team"))
    finish(batch, [answer_line(1), answer_line(2)], [error_line(3)])
    ModelCost.objects.update(
        estimated_low_usd=Decimal("0.30"),
        estimated_cost_usd=Decimal("300000.00000001"),
        estimated_ceiling_usd=Decimal("450000"),
        cost_usd=Decimal("250000"),
    )

    said = page_of(staff, PAGE).text

    assert "The one batch stayed inside the range shown" in said
    assert "Team Qwen/Qwen3-30B 1 1 of 1 ~$200,000 $250,000 25 % more" in said


def test_a_batch_of_two_models_is_one_batch_and_one_line_for_each(staff: Client) -> None:
    batch = finish(make_batch(make_project(name="Team")))
    (cost,) = batch.model_costs.all()
    ModelCost.objects.update(estimated_low_usd=0, estimated_ceiling_usd=cost.cost_usd)
    cost.refresh_from_db()
    cost.pk, cost.model, cost.estimated_ceiling_usd = None, "other/model", Decimal(0)
    cost.save()

    page = page_of(staff, PAGE)

    assert page.one(".headline").text == "0 of 1 batch stayed inside the range shown"
    assert sorted(page.texts(".rails bdi")) == ["Qwen/Qwen3-30B", "other/model"]


def test_only_the_batches_of_several_models_are_counted_one_by_one(staff: Client) -> None:
    finish(make_batch(make_project(name="Team")))

    with CaptureQueriesContext(connection) as queries:
        page_of(staff, PAGE)

    assert "DISTINCT" not in "".join(query["sql"] for query in queries)


def test_the_report_leads_to_it(staff: Client) -> None:
    assert PAGE in page_of(staff, "/report/").links.values()


def test_a_batch_says_how_far_its_estimate_was_off(browser: Client, project: Project) -> None:
    batch = finish(make_batch(project))
    Batch.objects.update(estimated_cost_usd=Decimal("0.42"), actual_cost_usd=Decimal("0.38"))

    page = page_of(browser, batch.get_absolute_url())
    said = page.text

    assert "$0.38 actual" in said
    assert "10 % under the estimate (~$0.42)" in said
    assert "the requests do not say how long an answer is" in said
    range_label = page.one("#cost .range svg[role=img]")["aria-label"]
    assert re.fullmatch(r"From \$\S+ to \$\S+, expected \$0.42, cost \$0.38", range_label)
    assert re.search(r"Prices of \d+ \w+ 2025, kept as they were", said)


def test_an_estimate_whose_ends_look_alike_has_no_range(browser: Client, project: Project) -> None:
    batch = make_batch(project)
    ModelCost.objects.update(
        estimated_low_usd=Decimal("0.00021"), estimated_ceiling_usd=Decimal("0.00022")
    )

    assert not page_of(browser, batch.get_absolute_url()).all("#cost .range")


def test_a_batch_says_that_failures_made_it_cheaper(browser: Client, project: Project) -> None:
    batch = finish(make_batch(project), [answer_line(1)], [error_line(2), error_line(3)])

    assert (
        "1 of 3 requests had an answer to pay for."
        in page_of(browser, batch.get_absolute_url()).text
    )


def test_a_batch_without_a_limit_says_so(browser: Client, project: Project, user: User) -> None:
    body = {"model": "Qwen/Qwen3-30B", "messages": [{"role": "user", "content": "Why?"}]}
    content = request_line(1, body=body).encode()
    batch = make_batch(project, upload=make_upload(project, user, content=content))

    assert "without a limit" in page_of(browser, batch.get_absolute_url()).text


@pytest.mark.parametrize(
    ("billed", "said", "is_off"),
    [
        ("0.3876", "billed $0.39.", False),
        ("0.3724", "billed $0.37.", False),
        ("0.39", "billed $0.39, 3 % more than by these prices. Ask an administrator", True),
        ("0.19", "billed $0.19, 50 % less than by these prices.", True),
    ],
)
def test_what_the_provider_billed_is_held_against_our_sum(
    browser: Client, project: Project, billed: str, said: str, is_off: bool
) -> None:
    batch = finish(make_batch(project))
    Batch.objects.update(actual_cost_usd=Decimal("0.38"), billed_cost_usd=Decimal(billed))

    text = page_of(browser, batch.get_absolute_url()).text

    assert f"{batch.connection} says that it {said}" in text
    assert ("Differs" in text) is is_off


@pytest.mark.parametrize("billed", ["0.38", "0.43"])
def test_answers_that_were_billed_but_never_came_are_not_blamed_on_the_prices(
    browser: Client, project: Project, billed: str
) -> None:
    batch = finish(make_batch(project))
    Batch.objects.update(
        actual_cost_usd=Decimal("0.38"), billed_cost_usd=Decimal(billed), billed_answers=4
    )

    text = page_of(browser, batch.get_absolute_url()).text

    assert f"The provider billed 4 answers, but 3 came. Ask {batch.connection} why." in text
    assert "Differs" in text
    assert "price table" not in text


@pytest.mark.parametrize("billed_answers", [None, 0, 3])
def test_as_many_billed_answers_as_came_are_nothing_to_speak_of(
    browser: Client, project: Project, billed_answers: int | None
) -> None:
    batch = finish(make_batch(project))
    Batch.objects.update(
        actual_cost_usd=Decimal("0.38"),
        billed_cost_usd=Decimal("0.38"),
        billed_answers=billed_answers,
    )

    assert "came." not in page_of(browser, batch.get_absolute_url()).text


def test_no_other_teams_name_or_file_is_in_what_was_learnt_from_them(
    browser: Client, project: Project, user: User
) -> None:
    for number in range(4):
        owner = make_user(f"grace{number}@example.org", first_name="Grace")
        secret = make_project(owner, name=f"Merger {number}", slug=f"merger-{number}")
        upload = make_upload(secret, owner, name=f"confidential-{number}.jsonl")
        finish(make_batch(secret, owner, upload=upload, name=f"Plan {number}"))
    upload = make_upload(project, user)

    html = browser.get(f"/files/{upload.pk}/batch/window/", follow=True).content.decode()
    batch = make_batch(project, user, upload=upload)
    html += browser.get(batch.get_absolute_url()).content.decode()

    assert "from 4 batches of this model on this portal" in html
    assert not re.search("grace|merger|confidential|Plan ", html, re.IGNORECASE)
