"""One batch's page, and what can be done about it."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks

from batchapp.models import Batch, Event, EventKind, Project, ProviderBatch, User
from tests.html import Page, fragment_of, page_of
from tests.make import (
    VIEWER,
    answer,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_key,
    make_project,
    make_upload,
    make_user,
    request_file,
    set_state,
)
from tests.sentences import problem, told

pytestmark = pytest.mark.django_db
TROUBLE = "The account has no credits left. Add credits there, then try again."


@pytest.fixture
def stuck(project: Project, user: User) -> Batch:
    batch = make_batch(project, user, name="Stuck")
    set_state(
        batch,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        problem=problem(TROUBLE),
        next_check_at=None,
    )
    return batch


def test_a_page_asked_for_by_htmx_is_the_fragment_and_caches_know(
    browser: Client, project: Project, user: User
) -> None:
    url = make_batch(project, user).get_absolute_url()

    whole, fragment = browser.get(url), browser.get(url, headers={"HX-Request": "true"})
    restored = browser.get(
        url, headers={"HX-Request": "true", "HX-History-Restore-Request": "true"}
    )

    assert "<html" in whole.content.decode()
    assert "<html" in restored.content.decode()
    assert Page(fragment).one("body > *")["id"] == "live"
    assert "<html" not in fragment.content.decode()
    assert "HX-Request" in whole["Vary"]
    assert "HX-Request" in fragment["Vary"]


def test_a_finished_batch_shows_proof_cost_and_downloads_and_rests(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user), output=[answer_line(1)], errors=[error_line(2)])

    page = page_of(browser, batch.get_absolute_url())

    assert page.texts(".hero .figure") == ["1 answered", "1 provider error", "1 no result"]
    assert "3 requests in" in page.text
    assert "$0.0002" in page.text
    assert f"/batches/{batch.pk}/output.jsonl" in page.html
    assert f"/batches/{batch.pk}/error.jsonl" in page.html
    assert not page.all("main [hx-trigger^=every]")
    assert "Cancel…" not in page.html


def test_trouble_is_shown_with_the_way_out(browser: Client, stuck: Batch) -> None:
    page = page_of(browser, stuck.get_absolute_url())

    assert "Needs attention" in page.text
    assert TROUBLE in page.text
    assert f"/batches/{stuck.pk}/try-again/" in page.html


def test_a_batch_that_was_refused_for_now_is_not_said_to_go_next(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    set_state(batch, status=ProviderBatch.Status.WAITING)
    calm = page_of(browser, batch.get_absolute_url())
    set_state(batch, problem=problem("Refused for now."))

    troubled = page_of(browser, batch.get_absolute_url())

    assert f"It goes to {batch.connection} next." in calm.text
    assert troubled.one(".headline").text == "It is not sent yet."


def test_only_what_the_provider_may_have_is_counted_by_the_provider(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    counts = f"{batch.connection} reports these counts"
    unsent = page_of(browser, batch.get_absolute_url())
    set_state(batch, status=ProviderBatch.Status.RUNNING, remote_id="batch-1")

    assert counts not in unsent.text
    assert counts in page_of(browser, batch.get_absolute_url()).text


def test_trying_again_goes_on_where_it_stopped_on_another_key(
    browser: Client,
    stuck: Batch,
    woken: list[str],
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    key = make_key(stuck.project)

    with django_capture_on_commit_callbacks(execute=True):
        response = browser.post(f"/batches/{stuck.pk}/try-again/", {"key": key.pk})

    provider_batch = stuck.provider_batches.get()
    stuck.refresh_from_db()
    assert response["Location"] == stuck.get_absolute_url()
    assert (provider_batch.status, provider_batch.problem) == (ProviderBatch.Status.WAITING, None)
    assert stuck.key == key
    assert woken == [str(provider_batch.pk)]


def test_trying_again_names_the_key_it_has_and_offers_the_others(
    browser: Client, stuck: Batch
) -> None:
    other = make_key(stuck.project)

    page = page_of(browser, f"/batches/{stuck.pk}/try-again/")

    assert f"{stuck.key}, as before" in page.text
    assert f'value="{other.pk}"' in page.html
    assert f'value="{stuck.key.pk}"' not in page.html


def test_a_viewer_is_told_who_can_try_again(client: Client, stuck: Batch) -> None:
    client.force_login(join(make_user(), stuck.project, VIEWER))

    page = page_of(client, stuck.get_absolute_url())

    assert f"Members of {stuck.project} can try it again." in page.text
    assert "/try-again/" not in page.html


def test_trying_again_with_somebody_elses_key_is_refused(browser: Client, stuck: Batch) -> None:
    foreign = make_key(make_project())

    response = browser.post(f"/batches/{stuck.pk}/try-again/", {"key": foreign.pk})

    assert "Select a valid choice" in response.content.decode()
    assert stuck.provider_batches.get().parked_reason == ProviderBatch.Parked.NEEDS_ATTENTION


def test_a_batch_the_provider_knows_keeps_its_key(browser: Client, stuck: Batch) -> None:
    set_state(stuck, remote_id="abc")

    page = page_of(browser, f"/batches/{stuck.pk}/try-again/")

    assert "under no other" in page.text
    assert "<select" not in page.html


def test_trying_again_twice_moves_it_once_and_says_so(browser: Client, stuck: Batch) -> None:
    browser.post(f"/batches/{stuck.pk}/try-again/")
    response = browser.post(f"/batches/{stuck.pk}/try-again/", follow=True)

    assert "Nothing waits for attention any more." in response.content.decode()
    assert len(told(stuck, "Asked to try again.")) == 1


def test_cancelling_names_the_consequences_and_needs_a_second_click(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user, name="Dear one")
    set_state(batch, status=ProviderBatch.Status.RUNNING, completed=1)

    question = page_of(browser, f"/batches/{batch.pk}/cancel/")
    batch.refresh_from_db()

    assert "Cancel “Dear one”?" in question.text
    kept = "You keep and pay for 1 answer and any that still arrive."
    assert f"{kept} Up to 2 requests will not run." in question.text
    assert batch.cancel_requested_at is None
    assert "<html" not in fragment_of(browser, f"/batches/{batch.pk}/cancel/").html


def test_a_cancelled_batch_is_on_its_way_out(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)

    first = browser.post(f"/batches/{batch.pk}/cancel/", follow=True).content.decode()
    second = browser.post(f"/batches/{batch.pk}/cancel/", follow=True).content.decode()

    batch.refresh_from_db()
    assert batch.cancel_requested_at is not None
    assert "Cancelling" in first
    assert "nothing to cancel" in second
    assert len(told(batch, "Asked to cancel.")) == 1


def test_downloads_stream_every_line_under_a_safe_name(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(
        make_batch(project, user, name='../../"x"\r\nSet-Cookie: a=b'),
        output=[answer_line(1), answer_line(3)],
        errors=[error_line(2)],
    )

    output = browser.get(f"/batches/{batch.pk}/output.jsonl")
    errors = browser.get(f"/batches/{batch.pk}/error.jsonl")

    assert output.streaming
    assert b"".join(output) == answer_line(1) + b"\n" + answer_line(3) + b"\n"
    assert b"".join(errors) == error_line(2) + b"\n"
    assert output["Content-Disposition"] == 'attachment; filename="x-set-cookie-ab-output.jsonl"'


def test_a_download_of_a_running_batch_is_named_as_such(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user, name="Half way")
    answer(batch, [answer_line(1)])

    response = browser.get(f"/batches/{batch.pk}/output.jsonl")

    assert b"".join(response) == answer_line(1) + b"\n"
    assert "half-way-output-so-far.jsonl" in response["Content-Disposition"]


def test_a_finished_batch_says_why_not_all_are_good_and_what_helps(
    browser: Client, project: Project, user: User
) -> None:
    cut_short = answer_line(2).replace(b'"stop"', b'"length"')
    batch = finish(make_batch(project, user), [answer_line(1), cut_short], [error_line(3)])

    page = page_of(browser, batch.get_absolute_url())

    assert page.texts(".figure") == [
        "1 answered",
        "1 cut short",
        "1 provider error",
        page.one("#cost .figure").text,
    ]
    assert "3 requests in, all accounted for" in page.text
    causes = page.one("#causes")
    assert causes.one("h2").text == "Why 2 need a look"
    assert causes.texts(".button") == ["More tokens", "Retry"]
    retry = page_of(browser, causes.all(".button")[0]["href"])
    assert retry.one("[name=outcomes]")["value"] == "truncated"
    assert "1 request will be run again." in retry.text


def test_each_count_opens_its_rows(browser: Client, project: Project, user: User) -> None:
    cut_short = answer_line(2).replace(b'"stop"', b'"length"')
    batch = finish(make_batch(project, user), [answer_line(1), cut_short], [error_line(3)])
    address = page_of(browser, batch.get_absolute_url()).one("#count-truncated")["href"]

    rows = page_of(browser, address).texts("#rows tbody tr")

    assert len(rows) == 1
    assert "Cut short" in rows[0]


def test_the_first_answers_are_shown_with_their_questions(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user))

    page = page_of(browser, batch.get_absolute_url())

    assert page.one("#answers h2").text == "First answers"
    rows = page.texts("#answers tbody tr")
    assert [row.split()[:3] for row in rows] == [
        [f"row-{number}", "Question", f"{number}?"] for number in (1, 2, 3)
    ]


def test_a_batch_of_doubtful_answers_shows_those(
    browser: Client, project: Project, user: User
) -> None:
    lines = [answer_line(number).replace(b'"stop"', b'"length"') for number in (1, 2, 3)]
    batch = finish(make_batch(project, user), lines)

    page = page_of(browser, batch.get_absolute_url())

    assert page.texts("#answers .lead") == ["row-1", "row-2", "row-3"]
    assert page.texts("main .hero .figure") == ["0 answered", "3 cut short"]


def test_while_a_batch_runs_its_newest_answers_come_first(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)
    answer(batch, [answer_line(3), answer_line(1)])
    set_state(batch, status=ProviderBatch.Status.RUNNING, ended_at=None)

    page = page_of(browser, batch.get_absolute_url())

    assert page.one("#answers h2").text == "Newest answers"
    assert page.texts("#answers .lead") == ["row-1", "row-3"]


def test_results_are_not_offered_before_there_is_an_answer(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user)

    page = page_of(browser, batch.get_absolute_url())

    assert not page.all("#browse-results, #answers, #causes")


def test_a_batch_of_several_models_has_a_line_for_each(
    browser: Client, project: Project, user: User
) -> None:
    others = request_file(2, model="maker/other").replace(b"row-", b"new-")
    upload = make_upload(project, user, content=request_file() + others)
    lines = [answer_line(number) for number in (1, 2, 3)]

    one = page_of(browser, finish(make_batch(project, user)).get_absolute_url()).one("#models")
    page = page_of(browser, finish(make_batch(upload=upload), lines).get_absolute_url())

    assert "output tokens of Qwen/Qwen3-30B, at $" in one.text
    assert not one.all("table")
    assert len(page.all("#models tbody tr")) == 2


def test_a_batch_without_results_downloads_nothing_rather_than_failing(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user, finished_at=timezone.now())

    assert b"".join(browser.get(f"/batches/{batch.pk}/output.jsonl")) == b""


def test_names_and_troubles_are_shown_as_text(
    browser: Client, project: Project, user: User
) -> None:
    evil = "<script>alert(1)</script>"
    batch = make_batch(project, user, name=evil)
    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION, problem=problem(evil))

    for url in (
        "/",
        "/batches/",
        batch.get_absolute_url(),
        f"/batches/{batch.pk}/cancel/",
        f"/batches/{batch.pk}/try-again/",
    ):
        page = page_of(browser, url)
        assert evil not in page.html
        assert "&lt;script&gt;" in page.html


def test_a_finished_batch_can_be_ordered_again_from_its_page(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user, key=make_key(project))
    link = f"/files/{batch.upload_id}/batch/window/?window=24h"
    assert link not in browser.get(batch.get_absolute_url()).content.decode()

    finish(batch)

    assert link in browser.get(batch.get_absolute_url()).content.decode()
    assert browser.get(link, follow=True).status_code == 200


def test_a_page_takes_no_more_queries_for_more_provider_batches_and_events(
    browser: Client, stuck: Batch, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    facts = {"status": ProviderBatch.Status.WAITING, "problem": problem(TROUBLE)}
    ProviderBatch.objects.bulk_create(
        ProviderBatch(batch=stuck, number=number, **facts) for number in range(2, 40)
    )
    Event.objects.bulk_create(
        Event(batch=stuck, actor=stuck.created_by, kind=EventKind.PAUSE_REQUESTED)
        for _ in range(40)
    )

    with django_assert_max_num_queries(14):
        page = page_of(browser, stuck.get_absolute_url())

    assert page.text.count("Asked to pause.") == 40


def test_the_page_of_a_running_batch_is_rendered_again_only_after_a_change(
    client, django_assert_max_num_queries
):
    user = make_user()
    batch = make_batch(user=user)
    provider_batch = set_state(batch, status=ProviderBatch.Status.RUNNING, total=3)
    client.force_login(user)
    htmx = {"HX-Request": "true"}

    with time_machine.travel(timezone.now(), tick=False):
        tag = client.get(batch.get_absolute_url(), headers=htmx)["ETag"]
        known = htmx | {"If-None-Match": tag}
        with django_assert_max_num_queries(4):  # session, person, its last use, and the version
            same = client.get(batch.get_absolute_url(), headers=known)
        whole = client.get(batch.get_absolute_url(), headers={"If-None-Match": tag})
        ProviderBatch.objects.filter(pk=provider_batch.pk).update(completed=1)
        changed = client.get(batch.get_absolute_url(), headers=known)
        known["If-None-Match"] = changed["ETag"]
        batch.project.memberships.filter(user=user).delete()
        outside = client.get(batch.get_absolute_url(), headers=known)

    assert same.status_code == 304
    assert (whole.status_code, changed.status_code, outside.status_code) == (200, 200, 404)
    assert changed["ETag"] != tag


def test_the_page_of_a_running_batch_is_rendered_again_after_half_a_minute(client):
    batch = make_batch(user=(user := make_user()))
    set_state(batch, status=ProviderBatch.Status.RUNNING)
    client.force_login(user)
    now = timezone.now()

    with time_machine.travel(now, tick=False):
        tag = client.get(batch.get_absolute_url(), headers={"HX-Request": "true"})["ETag"]
    with time_machine.travel(now + timedelta(seconds=30), tick=False):
        later = client.get(
            batch.get_absolute_url(), headers={"HX-Request": "true", "If-None-Match": tag}
        )

    assert later.status_code == 200
