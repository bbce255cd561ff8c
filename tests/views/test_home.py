"""The home page: what waits for its reader, what runs, and what is done first."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Project, ProviderBatch, User
from tests.html import page_of
from tests.make import VIEWER, finish, join, make_batch, make_project, make_user, set_state
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


def test_more_batches_cost_no_more_queries(
    browser: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for number in range(2):
        stopped(project, user, name=f"Stuck {number}")
        finish(make_batch(project, user, name=f"Done {number}"))
    with django_assert_max_num_queries(40) as few:
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
    user.is_staff = True
    user.save()
    client.force_login(user)

    rail = page_of(client, "/").one(".rail").text

    assert "$0.0006" in rail
    assert "1 batch, 3 requests" in rail
