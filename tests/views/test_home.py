"""The home page: what waits for its reader, what runs, and what is done first."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Project, ProviderBatch, User
from tests.fixtures import Clock
from tests.html import page_of
from tests.make import (
    VIEWER,
    finish,
    join,
    make_batch,
    make_budget,
    make_project,
    make_user,
    set_state,
)
from tests.sentences import problem

pytestmark = pytest.mark.django_db

TROUBLE = "The account has no credits left."


def stopped(project: Project, user: User, name: str = "Stuck") -> Batch:
    batch = make_batch(project, user, name=name)
    set_state(
        batch,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        problem=problem(TROUBLE),
        next_check_at=None,
    )
    return batch


def test_what_needs_attention_comes_first_with_its_reason_and_its_button(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user, name="Going on")
    batch = stopped(project, user)

    page = page_of(browser, "/")

    assert page.one("h1").text == "1 batch needs attention, 1 under way"
    assert TROUBLE in page.one("#waiting").text
    assert page.one("#waiting .button")["href"] == f"/batches/{batch.pk}/try-again/"
    assert page.html.index("Stuck") < page.html.index("Going on")


def test_a_viewer_reads_what_to_do_and_gets_no_button_to_do_it(
    client: Client, project: Project, user: User
) -> None:
    batch = stopped(project, user)
    client.force_login(join(make_user(), project, VIEWER))

    page = page_of(client, "/")

    assert TROUBLE in page.one("#waiting").text
    assert f"/batches/{batch.pk}/try-again/" not in page.html


def test_batches_of_other_teams_are_not_counted(browser: Client, project: Project) -> None:
    stopped(make_project(other := make_user()), other, name="Theirs")

    page = page_of(browser, "/")

    assert "Theirs" not in page.html
    assert "needs attention" not in page.text


def test_a_newcomer_sees_the_steps_and_one_button_for_the_next(client: Client) -> None:
    client.force_login(make_user())

    page = page_of(client, "/")

    assert page.one("h1").text == "Welcome to Batchapp"
    assert page.one(".steps .button").text == "Begin: Get into a project"


def test_the_budgets_of_my_projects_are_there_the_fullest_first(
    browser: Client, project: Project, user: User
) -> None:
    calm = make_project(user, name="Calm")
    assert not page_of(browser, "/").all("#budgets")
    make_batch(project, user)
    make_budget(project, "0.000001", when_over="tell")
    make_budget(calm, 50)
    make_budget(make_project(name="Theirs"), 50)

    rows = [row.text for row in page_of(browser, "/").all("#budgets > div")]

    assert len(rows) == 2
    assert project.name in rows[0]
    assert "Exceeded" in rows[0]
    assert "Calm" in rows[1]
    assert "0 % used" in rows[1]
    assert "$50.00 free of $50.00" in rows[1]


def test_more_batches_cost_no_more_queries(
    browser: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(2):
        stopped(project, user, name=f"Stuck {number}")
        finish(make_batch(project, user, name=f"Done {number}"))
    with django_assert_max_num_queries(43) as few:
        browser.get("/")
    for number in range(6):
        stopped(project, user, name=f"More {number}")

    with django_assert_max_num_queries(len(few)):
        browser.get("/")


def test_the_month_of_an_operator_is_that_of_the_operators_own_projects(
    client: Client, project: Project, user: User
) -> None:
    finish(make_batch(project, user))
    finish(make_batch(make_project(other := make_user()), other))
    user.is_superuser = True
    user.save()
    client.force_login(user)

    rail = page_of(client, "/").one(".rail").text

    assert "$0.0006" in rail
    assert "1 batch, 3 requests" in rail


def test_what_finished_while_a_person_was_away_stands_apart_until_it_is_seen(
    browser: Client, project: Project, user: User, clock: Clock
) -> None:
    User.objects.update(last_seen_at=None)  # the first visit begins now
    before = finish(make_batch(project, user, name="Before lunch"))
    browser.get("/")
    clock.advance(minutes=40)
    missed = [finish(make_batch(project, user, name=f"Over lunch {n}")) for n in (1, 2)]
    clock.advance(minutes=20)

    page = page_of(browser, "/")

    assert page.one("#missed").texts("tbody a") == ["Over lunch 2", "Over lunch 1"]
    assert "2 batches since" in page.one("#missed").text
    assert "6 of 6 requests usable" in page.one("#missed").text
    assert page.html.index("Recently finished") < page.html.index(before.name)
    assert page.texts("tbody a").count(missed[0].name) == 1

    clock.advance(minutes=1)
    later = finish(make_batch(project, user, name="After lunch"))
    assert later.name not in page_of(browser, "/").one("#missed").text

    browser.post("/seen/")
    page = page_of(browser, "/")
    assert not page.all("#missed")
    assert page.html.index("Recently finished") < page.html.index(missed[0].name)


def test_a_page_that_is_left_open_does_not_keep_a_person_present(
    browser: Client, project: Project, user: User, clock: Clock
) -> None:
    browser.get("/")
    for _ in range(5):
        clock.advance(minutes=10)
        browser.get("/", headers={"HX-Request": "true"})
    finish(make_batch(project, user, name="Meanwhile"))

    assert "Meanwhile" in page_of(browser, "/").one("#missed").text


def test_nobody_was_away_for_ten_minutes_or_before_the_first_visit(
    browser: Client, project: Project, user: User, clock: Clock
) -> None:
    User.objects.update(last_seen_at=None)
    clock.advance(hours=1)
    finish(make_batch(project, user))
    assert not page_of(browser, "/").all("#missed")
    clock.advance(minutes=10)
    finish(make_batch(project, user))

    assert not page_of(browser, "/").all("#missed")


def test_batches_of_other_teams_did_not_finish_while_a_person_was_away(
    browser: Client, project: Project, user: User, clock: Clock
) -> None:
    browser.get("/")
    clock.advance(hours=5)
    finish(make_batch(make_project(other := make_user()), other, name="Theirs"))

    assert "Theirs" not in page_of(browser, "/").html
