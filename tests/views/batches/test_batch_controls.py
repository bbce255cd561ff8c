"""Pausing, resuming and retrying in place, as a person does it from the batch's page."""

from datetime import datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from batchapp.models import Batch, Connection, Project, ProviderBatch, User
from batchapp.services.providers.rejections import owner_problem
from tests.html import page_of
from tests.make import (
    VIEWER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_key,
    make_user,
    set_state,
)
from tests.sentences import problem, told

pytestmark = pytest.mark.django_db


def posted(browser: Client, url: str) -> str:
    return browser.post(url, follow=True).content.decode()


def at_two(year: int) -> datetime:
    return datetime(year, 5, 3, 14, tzinfo=timezone.get_current_timezone())


@pytest.fixture
def running(project: Project, user: User) -> Batch:
    batch = make_batch(project, user, name="Tickets")
    set_state(
        batch,
        status=ProviderBatch.Status.RUNNING,
        remote_id="b-1",
        completed=1,
        expires_at=at_two(2999),
    )
    return batch


@pytest.fixture
def paused(running: Batch) -> Batch:
    Batch.objects.filter(pk=running.pk).update(pause_requested_at=timezone.now())
    set_state(
        running,
        parked_reason=ProviderBatch.Parked.PAUSED,
        status=ProviderBatch.Status.HARVESTING,
        next_check_at=None,
    )
    return running


@pytest.fixture
def ended(project: Project, user: User) -> Batch:
    """Answered once, failed once, and once without a result."""
    return finish(make_batch(project, user, name="Tickets"), [answer_line(1)], [error_line(2)])


def test_a_pause_names_its_consequences_before_it_is_asked_for(
    browser: Client, running: Batch
) -> None:
    page = page_of(browser, running.get_absolute_url())
    assert page.one("#pause")["href"] == f"/batches/{running.pk}/pause/"

    question = page_of(browser, f"/batches/{running.pk}/pause/")
    running.refresh_from_db()

    assert "Pause “Tickets”?" in question.text
    assert "1 of 3 requests have ended" in question.text
    assert "requests under way at that moment may be billed" in question.text
    assert "a pause does not change when the batch is due, on 3 May 2999, 14:00" in question.text
    assert running.pause_requested_at is None


def test_a_batch_is_paused_and_resumed_from_its_page(browser: Client, running: Batch) -> None:
    pausing = posted(browser, f"/batches/{running.pk}/pause/")
    assert "The batch is being paused." in pausing
    assert "Pausing" in pausing
    assert f'href="/batches/{running.pk}/pause/"' not in pausing
    assert "paused already" in posted(browser, f"/batches/{running.pk}/pause/")

    going = posted(browser, f"/batches/{running.pk}/resume/")
    assert "The batch goes on." in going
    assert f'href="/batches/{running.pk}/resume/"' not in going
    assert "not paused" in posted(browser, f"/batches/{running.pk}/resume/")


def test_a_paused_batch_says_so_and_rests(browser: Client, paused: Batch) -> None:
    page = page_of(browser, paused.get_absolute_url())

    assert page.one(".headline").text.startswith(
        "Paused. Waiting requests run once it is resumed."
    )
    assert page.one("#count-ok").text == "1 answered"
    assert page.one("#resume")["href"] == f"/batches/{paused.pk}/resume/"
    assert page.one("#cancel")["href"] == f"/batches/{paused.pk}/cancel/"
    assert not page.all("main [hx-trigger^=every]")


def test_resuming_late_says_that_each_request_has_one_attempt(
    browser: Client, paused: Batch
) -> None:
    dialog = f"/batches/{paused.pk}/resume/"
    assert "It stays due on 3 May 2999, 14:00" in page_of(browser, dialog).text

    set_state(paused, expires_at=timezone.now() - timedelta(days=1))

    assert "which is past: each request gets one attempt." in page_of(browser, dialog).text


def test_where_a_batch_cannot_be_reopened_the_other_way_is_named(
    browser: Client, running: Batch
) -> None:
    Connection.objects.update(has_retry=False)

    dialog = page_of(browser, f"/batches/{running.pk}/pause/")
    answer = posted(browser, f"/batches/{running.pk}/pause/")

    assert "cannot be paused" in dialog.text
    assert "can be retried as a new batch" in dialog.text
    assert dialog.links["Cancel…"] == f"/batches/{running.pk}/cancel/"
    assert "Pause the batch" not in dialog.text
    assert "Cancel it instead" in answer
    running.refresh_from_db()
    assert running.pause_requested_at is None


def test_a_batch_being_cancelled_says_why_it_is_not_paused(
    browser: Client, running: Batch
) -> None:
    posted(browser, f"/batches/{running.pk}/cancel/")

    assert "It is being cancelled, so it cannot be paused." in posted(
        browser, f"/batches/{running.pk}/pause/"
    )


def test_a_batch_that_is_over_is_not_paused(browser: Client, ended: Batch) -> None:
    assert "it is over" in posted(browser, f"/batches/{ended.pk}/pause/")
    assert "cannot be paused now" in page_of(browser, f"/batches/{ended.pk}/pause/").text
    assert not page_of(browser, ended.get_absolute_url()).all("#pause")


def test_a_retry_in_place_names_what_it_does(browser: Client, ended: Batch) -> None:
    set_state(ended, expires_at=at_two(2024))
    button = page_of(browser, ended.get_absolute_url()).one("#retry-in-place")
    assert button["href"] == f"/batches/{ended.pk}/retry-in-place/"

    question = page_of(browser, f"/batches/{ended.pk}/retry-in-place/")

    assert "2 of 3 requests failed, were cancelled or came back without a result" in question.text
    assert "in the same batch, at the same prices" in question.text
    assert (
        "due on 3 May 2024, 14:00, which is past: each request gets one attempt" in question.text
    )
    assert "cut short or refused count as answered here" in question.text
    ended.refresh_from_db()
    assert ended.is_over


def test_a_second_click_on_retry_in_place_does_nothing(browser: Client, ended: Batch) -> None:
    first = posted(browser, f"/batches/{ended.pk}/retry-in-place/")
    second = posted(browser, f"/batches/{ended.pk}/retry-in-place/")

    assert "The requests without an answer are being run again." in first
    assert "nothing to run again here" in second
    assert len(told(ended, "Asked to retry")) == 1
    assert ended.provider_batches.get().status == ProviderBatch.Status.RETRYING_IN_PLACE


def test_a_retry_in_place_warns_of_a_retry_in_another_batch(
    browser: Client, ended: Batch, user: User
) -> None:
    make_batch(ended.project, user, name="Second try", parent=ended)

    page = page_of(browser, f"/batches/{ended.pk}/retry-in-place/")
    assert "“Second try” retries requests of this batch already" in page.text


def test_a_retry_that_ended_without_an_answer_is_not_warned_of(
    browser: Client, ended: Batch, user: User
) -> None:
    finish(make_batch(ended.project, user, name="Second try", parent=ended), [])

    assert "Second try" not in page_of(browser, f"/batches/{ended.pk}/retry-in-place/").html


def test_a_pause_and_its_end_warn_of_a_retry_in_another_batch(
    browser: Client, running: Batch, user: User
) -> None:
    make_batch(running.project, user, name="Second try", parent=running)
    told = "“Second try” retries requests of this batch already"

    assert told in page_of(browser, f"/batches/{running.pk}/pause/").text
    posted(browser, f"/batches/{running.pk}/pause/")
    assert told in page_of(browser, f"/batches/{running.pk}/resume/").text


def lend_and_leave(batch: Batch) -> User:
    """``batch`` runs on the key of somebody who is no member of its project any more."""
    grace = make_user("grace@example.com")
    Batch.objects.filter(pk=batch.pk).update(key=make_key(grace, batch.connection))
    return grace


LEFT = "The batch uses a key of grace@example.com, who is no longer a member of Support tickets"


def test_a_retry_in_place_does_not_spend_the_key_of_who_has_left(
    browser: Client, ended: Batch
) -> None:
    grace = lend_and_leave(ended)
    url = f"/batches/{ended.pk}/retry-in-place/"

    assert url not in page_of(browser, ended.get_absolute_url()).html
    assert LEFT in page_of(browser, url).text
    assert "Run them again" not in page_of(browser, url).text
    assert LEFT in posted(browser, url)
    assert ended.provider_batches.get().status == ProviderBatch.Status.DONE

    join(grace, ended.project)
    assert "The requests without an answer are being run again." in posted(browser, url)


def test_one_may_spend_ones_own_key_and_the_projects(
    browser: Client, ended: Batch, user: User
) -> None:
    Batch.objects.filter(pk=ended.pk).update(key=make_key(user, ended.connection))

    assert "Run them again" in page_of(browser, f"/batches/{ended.pk}/retry-in-place/").text


def test_a_paused_batch_is_not_resumed_on_the_key_of_who_has_left(
    browser: Client, paused: Batch
) -> None:
    lend_and_leave(paused)
    url = f"/batches/{paused.pk}/resume/"

    page = page_of(browser, paused.get_absolute_url())
    assert LEFT in page.text
    assert f'href="{url}"' not in page.html
    assert "cannot be resumed" in page_of(browser, url).text
    assert LEFT in posted(browser, url)
    assert paused.provider_batches.get().parked_reason == ProviderBatch.Parked.PAUSED


def test_before_a_pause_that_nobody_can_end_it_is_said(browser: Client, running: Batch) -> None:
    lend_and_leave(running)

    assert (
        f"Once paused, it cannot be resumed. {LEFT}"
        in page_of(browser, f"/batches/{running.pk}/pause/").text
    )


@pytest.mark.parametrize("is_there", [False, True], ids=["not there yet", "maybe there"])
def test_what_stopped_goes_on_with_another_key_or_not_at_all_if_its_person_has_left(
    browser: Client, project: Project, user: User, is_there: bool
) -> None:
    batch = make_batch(project, user)
    lend_and_leave(batch)
    set_state(
        batch,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        create_attempted_at=timezone.now() if is_there else None,
        problem=owner_problem(Batch.objects.get().key, project, is_sent=is_there),
        next_check_at=None,
    )
    other = make_key(project)
    url = f"/batches/{batch.pk}/try-again/"

    question = page_of(browser, url)
    assert question.text.count("who is no longer a member of Support tickets") == 1
    assert ("cannot be tried again" in question.text) is is_there
    assert ("Try again" in question.texts("button")) is not is_there
    assert (f'href="{url}"' in page_of(browser, batch.get_absolute_url()).html) is not is_there
    refused = posted(browser, url)
    assert (LEFT if is_there else "Choose the provider key that pays") in refused
    assert batch.provider_batches.get().parked_reason == ProviderBatch.Parked.NEEDS_ATTENTION
    browser.post(url, {"key": str(other.pk)})
    assert bool(batch.provider_batches.get().parked_reason) is is_there


def test_a_batch_that_nobody_can_try_again_says_so_beside_its_own_problem(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    lend_and_leave(batch)
    set_state(
        batch,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        create_attempted_at=timezone.now(),
        problem=problem("The key was refused."),
        next_check_at=None,
    )

    page = page_of(browser, batch.get_absolute_url())

    assert "The key was refused." in page.text
    assert f"{LEFT}, so requests that were stopped or not sent yet cannot run on it." in page.text


def test_paid_results_are_fetched_whoever_has_left(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    lend_and_leave(batch)
    set_state(
        batch,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.HARVESTING,
        remote_id="b-1",
        next_check_at=None,
    )

    posted(browser, f"/batches/{batch.pk}/try-again/")

    assert batch.provider_batches.get().status == ProviderBatch.Status.HARVESTING


@pytest.mark.parametrize("hindrance", ["has_retry", "all answered", "never there"])
def test_a_retry_in_place_is_offered_only_where_it_can_be_done(
    browser: Client, project: Project, user: User, hindrance: str
) -> None:
    output = None if hindrance == "all answered" else [answer_line(1)]
    batch = finish(make_batch(project, user), output)
    if hindrance == "has_retry":
        Connection.objects.update(has_retry=False)
    if hindrance == "never there":
        set_state(batch, remote_id="")

    assert "/retry-in-place/" not in page_of(browser, batch.get_absolute_url()).html
    assert (
        "can be retried in place" in page_of(browser, f"/batches/{batch.pk}/retry-in-place/").text
    )


@pytest.mark.parametrize("wish", ["pause", "resume", "retry-in-place"])
def test_a_viewer_is_not_offered_to_steer(
    client: Client, running: Batch, ended: Batch, wish: str
) -> None:
    client.force_login(join(make_user(), running.project, VIEWER))

    for batch in (running, ended):
        assert f"/{wish}/" not in page_of(client, batch.get_absolute_url()).html
        assert client.post(f"/batches/{batch.pk}/{wish}/").status_code == 403
