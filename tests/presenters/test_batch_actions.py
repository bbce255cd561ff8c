"""The buttons of a batch's page: few, in order, at most one of them the main one."""

import pytest
from django.test import Client

from batchapp.models import Batch, Project, ProviderBatch, User
from batchapp.presenters.batch_actions import Actions, Means, actions_of, allowed_controls_of
from batchapp.presenters.batch_summary import summarise
from tests.make import answer_line, error_line, finish, make_batch, set_part

pytestmark = pytest.mark.django_db
EVERYTHING = Means(can_write=True, can_retry=True, has_output=True, has_errors=True)


def actions(batch: Batch, means: Means = EVERYTHING) -> Actions:
    batch = Batch.objects.select_related("connection").get(pk=batch.pk)
    summary = summarise(batch)
    return actions_of(summary, allowed_controls_of(summary, may_spend=True), means)


def ids(batch: Batch, means: Means = EVERYTHING) -> tuple[list[str], list[str]]:
    found = actions(batch, means)
    return [each.id for each in found.shown], [each.id for each in found.more]


@pytest.fixture
def running() -> Batch:
    batch = make_batch()
    set_part(batch, status=ProviderBatch.Status.RUNNING, remote_id="there")
    return batch


@pytest.fixture
def ended() -> Batch:
    return finish(make_batch(), [answer_line(1)], [error_line(2)])


def test_while_a_batch_runs_what_steers_it_is_in_front(running: Batch) -> None:
    assert ids(running) == (
        ["browse-results", "pause", "cancel"],
        ["get-output", "get-error", "retry"],
    )


def test_when_it_is_over_its_results_and_the_retry_are_in_front(ended: Batch) -> None:
    assert ids(ended) == (
        ["browse-results", "get-output", "retry"],
        ["get-error", "retry-in-place", "run-again"],
    )


def test_a_menu_is_not_made_of_what_fits_beside_the_others(ended: Batch) -> None:
    set_part(ended, remote_id="")

    few = Means(can_write=True, can_retry=False, has_output=True, has_errors=False)

    assert ids(ended, few) == (["browse-results", "get-output", "run-again"], [])


def test_who_may_only_look_is_offered_the_results(running: Batch, ended: Batch) -> None:
    looking = Means(can_write=False, can_retry=False, has_output=True, has_errors=True)

    for batch in (running, ended):
        assert ids(batch, looking) == (["browse-results", "get-output", "get-error"], [])


def test_there_is_one_main_action_in_each_state(running: Batch, ended: Batch) -> None:
    def main(batch: Batch) -> list[str]:
        found = actions(batch)
        return [each.id for each in found.shown + found.more if each.tone == "main"]

    assert (main(running), main(ended)) == ([], ["browse-results"])
    Batch.objects.filter(pk=running.pk).update(pause_requested_at=running.created_at)
    assert main(running) == ["resume"]


def test_the_rest_is_behind_one_button_that_needs_no_script(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user), [answer_line(1)], [error_line(2)])

    html = browser.get(batch.get_absolute_url()).content.decode()

    menu = html[html.index('<details class="more"') : html.index("</details>")]
    assert f'href="/batches/{batch.pk}/retry-in-place/"' in menu
    assert f'href="/batches/{batch.pk}/retry/"' not in menu
