"""The buttons of a batch's page: few, in order, and at most one main button."""

from dataclasses import replace

import pytest
from django.test import Client

from batchapp.models import Batch, Project, ProviderBatch, User
from batchapp.presenters.batches.batch_actions import (
    ActionFacts,
    Actions,
    actions_of,
    allowed_controls_of,
)
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.providers.errors import ProviderRejected
from batchapp.services.providers.rejections import rejection_problem
from tests.html import page_of
from tests.make import (
    MODEL,
    answer_line,
    error_line,
    finish,
    make_batch,
    make_price,
    set_state,
)

pytestmark = pytest.mark.django_db
ALL_FACTS = ActionFacts(
    can_write=True,
    can_stop=True,
    can_retry=True,
    can_try_again=True,
    has_output=True,
    has_errors=True,
)


def actions(batch: Batch, facts: ActionFacts = ALL_FACTS) -> Actions:
    batch = Batch.objects.select_related("connection").get(pk=batch.pk)
    summary = summarise(batch)
    return actions_of(summary, allowed_controls_of(summary, may_spend=True), facts)


def ids(batch: Batch, facts: ActionFacts = ALL_FACTS) -> tuple[list[str], list[str], list[str]]:
    listed = actions(batch, facts)
    shown, hidden = [action.id for action in listed.buttons], [row.id for row in listed.menu]
    return shown, [action.id for action in listed.downloads], hidden


def main(batch: Batch, facts: ActionFacts = ALL_FACTS) -> list[str]:
    listed = actions(batch, facts)
    shown = [*listed.steps, *listed.buttons, *listed.downloads, *listed.menu]
    return [action.id for action in shown if action.tone == "main"]


@pytest.fixture
def running() -> Batch:
    batch = make_batch()
    set_state(batch, status=ProviderBatch.Status.RUNNING, remote_id="there")
    return batch


USES = ["compare", "answers-as-table"]  # always in the menu


@pytest.fixture
def ended() -> Batch:
    return finish(make_batch(), [answer_line(1)], [error_line(2)])


def test_while_a_batch_runs_its_controls_come_first(running: Batch) -> None:
    assert ids(running) == (
        ["pause", "cancel"],
        [],
        ["export", "get-output", "get-error", "retry"],
    )


def test_what_waits_for_a_person_is_not_paused_but_cancelled(running: Batch) -> None:
    set_state(running, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)

    assert ids(running)[0] == ["cancel"]


def test_when_a_batch_is_over_its_results_and_the_retry_come_first(ended: Batch) -> None:
    assert ids(ended) == (
        ["browse-results", "retry"],
        ["export", "get-output", "get-error"],
        ["retry-in-place", "run-again", "compare", "answers-as-table"],
    )


def test_actions_that_fit_beside_the_others_need_no_menu(ended: Batch) -> None:
    set_state(ended, remote_id="")
    facts = replace(ALL_FACTS, can_retry=False, has_errors=False)

    assert ids(ended, facts) == (["browse-results", "run-again"], ["export", "get-output"], USES)


def test_a_viewer_is_offered_the_results(running: Batch, ended: Batch) -> None:
    facts = replace(
        ALL_FACTS, can_write=False, can_stop=False, can_retry=False, can_try_again=False
    )

    assert ids(running, facts) == ([], [], ["export", "get-output", "get-error"])
    assert ids(ended, facts) == (
        ["browse-results"],
        ["export", "get-output", "get-error"],
        ["compare"],
    )


def test_results_are_offered_once_there_is_an_answer(running: Batch) -> None:
    failed = finish(make_batch(), [], [error_line(number) for number in (1, 2, 3)])
    facts = replace(ALL_FACTS, has_output=False)

    assert ids(running, facts)[0] == ["pause", "cancel"]
    assert ids(failed, facts)[0] == ["retry"]


def test_there_is_one_main_action_in_each_state(running: Batch, ended: Batch) -> None:
    failed = finish(make_batch(), [], [error_line(number) for number in (1, 2, 3)])

    assert (main(running), main(ended), main(failed)) == ([], ["browse-results"], ["retry"])
    set_state(running, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    assert main(running) == ["try-again"]
    assert main(running, replace(ALL_FACTS, can_try_again=False)) == []
    set_state(running, parked_reason="")
    Batch.objects.filter(pk=running.pk).update(pause_requested_at=running.created_at)
    assert main(running) == ["resume"]


def test_what_can_help_a_batch_of_a_refused_model_comes_before_a_new_try(
    browser: Client, project: Project, user: User
) -> None:
    said = f"Line 1: Model '{MODEL}' has not been configured or is not available to user"
    refusal = ProviderRejected("uploading", 403, said)
    batch = make_batch(project, user)
    set_state(
        batch,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        problem=rejection_problem(refusal, project.connection),
    )

    alone = page_of(browser, batch.get_absolute_url())
    make_price(project.connection, "24h", 1, 2, model="another/model")
    page = page_of(browser, batch.get_absolute_url())
    form = page_of(browser, page.one("#change-model")["href"])

    assert alone.one("#try-again").text == "Try again with another key…"
    assert "change-model" not in alone.html
    assert page.html.index('id="change-model"') < page.html.index('id="try-again"')
    assert "main" in page.one("#change-model")["class"].split()
    assert "main" not in page.one("#try-again")["class"].split()
    assert f"refused by {project.connection}" in form.text
    assert "checked" in form.one("input[name=every_model]")
    assert f'value="{MODEL}"' not in form.html
    assert "See what to do" in page_of(browser, "/").text


@pytest.mark.parametrize(
    ("status", "said", "is_sent"),
    [(403, "Insufficient permissions to Create Files", False), (404, f"No {MODEL} here", True)],
)
def test_a_refusal_that_names_no_model_or_of_what_was_sent_asks_for_no_other_model(
    running: Batch, status: int, said: str, is_sent: bool
) -> None:
    refusal = ProviderRejected("uploading", status, said)
    problem = rejection_problem(refusal, running.connection, is_sent=is_sent)
    set_state(running, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION, problem=problem)

    (step,) = actions(running).steps
    assert (step.id, step.label, step.tone) == ("try-again", "Try again", "main")


def test_the_menu_needs_no_script(browser: Client, project: Project, user: User) -> None:
    batch = finish(make_batch(project, user), [answer_line(1)], [error_line(2)])

    html = browser.get(batch.get_absolute_url()).content.decode()

    menu = html.partition('<details class="more" id="more"')[2].partition("</details>")[0]
    assert f'href="/batches/{batch.pk}/retry-in-place/"' in menu
    assert f'href="/batches/{batch.pk}/retry/"' not in menu
