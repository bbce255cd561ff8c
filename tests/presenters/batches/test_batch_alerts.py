"""What a running batch warns of, and whose fault it is if nothing is heard."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Project, ProviderBatch, User
from batchapp.presenters.batches.batch_headline import headline
from batchapp.presenters.batches.batch_summary import Summary, summarise, with_details
from batchapp.presenters.batches.waiting_reasons import portal_delay
from batchapp.services.lifecycle import controls
from batchapp.templatetags.words import roughly_between
from tests.make import VIEWER, answer, error_line, join, make_batch, make_user, set_state
from tests.sentences import problem

pytestmark = pytest.mark.django_db
Step = ProviderBatch.Status
MINUTE = timedelta(minutes=1)


def summary_of(batch: Batch) -> Summary:
    return summarise(Batch.objects.get(pk=batch.pk))


def running(
    batch: Batch | None = None, *looks: tuple[int, int], total: int = 1_000, **fields: Any
) -> Batch:
    """A batch as it is after ``looks``: how many minutes ago, and how many had ended."""
    batch, now = batch or make_batch(), timezone.now()
    Batch.objects.filter(pk=batch.pk).update(requests=total)
    seen = [((now - ago * MINUTE), ended) for ago, ended in looks]
    changes = {
        "status": Step.RUNNING,
        "remote_status": "in_progress",
        "total": total,
        "submitted_at": seen[0][0],
        "polled_at": seen[-1][0],
        "completed": seen[-1][1],
        "marks": [[moment.timestamp(), ended] for moment, ended in seen],
        "expires_at": now + timedelta(hours=24),
    }
    set_state(batch, **changes | fields)
    return batch


def labels(batch: Batch) -> list[str]:
    return [alert.label for alert in summary_of(batch).alerts]


def texts(batch: Batch) -> list[str]:
    return [alert.text for alert in summary_of(batch).alerts]


def test_a_batch_that_goes_on_as_it_should_warns_of_nothing() -> None:
    batch = running(None, (60, 0), (30, 300), (0, 600))

    assert summary_of(batch).alerts == ()
    assert summary_of(batch).pill is None


def test_a_changing_pace_is_told_as_a_range() -> None:
    batch = running(None, (90, 0), (30, 600), (8, 690), (0, 800))

    sentence = headline(summary_of(batch))

    assert sentence == "9 a minute, about 17 to 27 minutes left."


def test_no_time_is_left_while_the_provider_gives_no_news() -> None:
    batch = running(None, (90, 0), (30, 600), (8, 690), (0, 800))
    set_state(batch, failures=1, problem=problem("Refused for now."))

    assert "left" not in headline(summary_of(batch))


@pytest.mark.parametrize(
    ("least", "most", "words"),
    [
        (12, 25, "about 12 to 25 minutes"),
        (12, 12.3, "about 12 minutes"),
        (0.2, 0.5, "less than a minute"),
        (0.2, 2, "up to about 2 minutes"),
        (25, 95, "up to about 2 hours"),
        (60, 180, "about 1 to 3 hours"),
        (1440, 4320, "about 1 to 3 days"),
    ],
)
def test_a_range_reads_in_one_unit(least: float, most: float, words: str) -> None:
    assert roughly_between(least * MINUTE, most * MINUTE) == words


def test_the_time_left_is_told_while_first_results_are_fetched() -> None:
    batch = running(None, (60, 0), (0, 500), status=Step.HARVESTING)

    assert "left" in headline(summary_of(batch))


def test_a_batch_that_stands_still_says_so_and_whose_word_that_is() -> None:
    batch = running(None, (120, 0), (52, 300), (0, 300))

    assert labels(batch) == ["Stalled"]
    assert texts(batch) == [
        (
            f"No new answer for 52 minutes. {batch.connection} still says it is running; it may "
            "go on by itself, or be cancelled."
        )
    ]
    assert "left" not in headline(summary_of(batch))


def test_a_batch_without_any_answer_stands_still_since_it_was_submitted() -> None:
    batch = running(None, (52, 0), (0, 0))

    (text,) = texts(batch)
    assert text.startswith("No answer yet after 52 minutes. ")


def test_how_long_a_silence_is_a_standstill_is_the_connections_to_say() -> None:
    batch = running(None, (120, 0), (52, 300), (0, 300))
    type(batch.connection).objects.update(stall_minutes=60)

    assert labels(batch) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"polled_at": timezone.now() - 20 * MINUTE},
        {"completed": 1_000},
        {"ended_at": timezone.now()},
        {"parked_reason": "needs_attention"},
    ],
    ids=["we are late", "all have ended", "it is over there", "a person is asked"],
)
def test_what_only_looks_like_a_standstill_is_none(changes: dict[str, Any]) -> None:
    assert labels(running(None, (120, 0), (52, 300), (0, 300), **changes)) == []


def test_a_provider_that_does_not_answer_is_not_said_to_stand_still() -> None:
    batch = running(None, (120, 0), (52, 300), (0, 300))
    now = timezone.now()
    type(batch.connection).objects.update(down_since=now, backoff_until=now + MINUTE)

    assert labels(batch) == []
    assert "has not answered" in summary_of(batch).troubles[0]


@pytest.mark.parametrize("wish", ["cancel_requested_at", "pause_requested_at"])
def test_a_batch_that_somebody_stops_warns_of_nothing(wish: str) -> None:
    batch = running(None, (120, 0), (52, 300), (0, 300))
    Batch.objects.filter(pk=batch.pk).update(**{wish: timezone.now()})

    assert labels(batch) == []


def test_a_batch_that_will_end_after_its_window_says_so_before() -> None:
    due = timezone.now() + 120 * MINUTE
    batch = running(None, (60, 0), (0, 100), expires_at=due)

    assert labels(batch) == ["May be late"]
    assert texts(batch) == [
        (
            "At this pace it ends about 8 hours after its 24 h window. Requests that are late "
            "still run and are billed."
        )
    ]


def test_a_batch_that_may_end_after_its_window_says_how_long_at_most() -> None:
    due = timezone.now() + 20 * MINUTE
    batch = running(None, (90, 0), (30, 600), (8, 690), (0, 800), expires_at=due)

    (text,) = texts(batch)
    assert text.startswith("It may end up to about 7 minutes after its 24 h window.")


def test_a_batch_past_its_window_says_by_how_much_and_that_it_is_still_paid() -> None:
    past = timezone.now() - 120 * MINUTE
    batch = running(None, (60, 0), (0, 500), expires_at=past)

    assert summary_of(batch).is_late
    assert labels(batch) == [""]
    assert texts(batch)[0].startswith("It is about 2 hours past its 24 h window.")
    assert summary_of(batch).pill is None


def test_many_errors_come_first_of_several_alerts() -> None:
    batch = running(None, (120, 0), (52, 300), (0, 300), completed=231, failed=69)

    assert labels(batch) == ["Many errors", "Stalled"]
    assert texts(batch)[0] == "69 of the 300 requests that ended have failed (23 %)."


def test_from_which_share_on_failures_alarm_is_the_connections_to_say() -> None:
    batch = running(None, (60, 0), (0, 300), completed=231, failed=69)
    type(batch.connection).objects.update(alarm_percent=24)

    assert labels(batch) == []


def failing(project: Project, user: User) -> Batch:
    batch = make_batch(project, user)
    answer(batch, [], [error_line(1, "model is overloaded"), error_line(2, "model is overloaded")])
    return running(batch, (60, 0), (0, 300), completed=0, failed=300, ended_at=None)


def test_the_page_names_the_commonest_error_beside_a_button_to_cancel(
    browser: Client, project: Project, user: User
) -> None:
    batch = failing(project, user)

    html = browser.get(batch.get_absolute_url()).content.decode()

    assert "300 of the 300 requests that ended have failed (100 %)." in html
    assert "Most often: “model is overloaded”" in html
    assert 'id="cancel"' in html


def test_who_may_only_look_is_told_and_offered_nothing(
    client: Client, project: Project, user: User
) -> None:
    batch = failing(project, user)
    client.force_login(join(make_user(), project, VIEWER))

    html = client.get(batch.get_absolute_url()).content.decode()

    assert "requests that ended have failed" in html
    assert 'id="cancel"' not in html


@pytest.mark.parametrize("url", ["/", "/batches/", "/projects/support/batches/"])
def test_lists_point_out_the_most_urgent_alert(
    browser: Client, project: Project, user: User, url: str
) -> None:
    running(make_batch(project, user), (52, 0), (0, 0))

    assert "Stalled" in browser.get(url).content.decode()


def test_alerts_of_many_batches_take_no_query_of_their_own(
    project: Project, user: User, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(3):
        running(make_batch(project, user), (52, 0), (0, 0))

    with django_assert_num_queries(4):
        summaries = [summarise(each) for each in with_details(Batch.objects.all())]

    assert [each.pill.label for each in summaries if each.pill] == ["Stalled"] * 3


@pytest.mark.parametrize("status", sorted(set(Step) - ProviderBatch.WAITS_FOR_PEOPLE))
def test_in_every_state_it_is_said_that_the_portal_is_late(status: str) -> None:
    batch, now = make_batch(), timezone.now()
    set_state(batch, status=status, polled_at=now, next_check_at=now - 4 * MINUTE)
    assert summary_of(batch).troubles == []

    set_state(batch, next_check_at=now - timedelta(hours=3))
    late = (
        f"The portal was to go on with it 3 hours ago: it is late, not {batch.connection}. "
        "If this stays, tell the administrator that no worker runs."
    )
    assert summary_of(batch).troubles == [late]

    set_state(batch, problem=problem("1 provider batch is ahead."))
    assert summary_of(batch).troubles == [late, "1 provider batch is ahead."]
    assert not summary_of(batch).is_queueing

    set_state(batch, leased_until=now + MINUTE, problem=None)
    assert summary_of(batch).troubles == []


def test_also_of_a_batch_that_is_being_added_up() -> None:
    batch, now = make_batch(), timezone.now()
    set_state(batch, status=Step.DONE, next_check_at=None)
    long_ago = now - timedelta(hours=3)
    Batch.objects.update(status=Batch.Status.SETTLING, next_check_at=long_ago)
    assert "3 hours ago: it is late" in summary_of(batch).troubles[0]

    Batch.objects.update(status=Batch.Status.COMPLETED)
    assert summary_of(batch).troubles == [], "it is over; only its bill may be looked up late"


def test_a_provider_that_nobody_asks_any_more_is_not_blamed() -> None:
    batch, now = make_batch(), timezone.now()
    set_state(batch, status=Step.WAITING, next_check_at=now - 20 * MINUTE)
    type(batch.connection).objects.update(
        down_since=now - 30 * MINUTE, backoff_until=now - 20 * MINUTE
    )

    (told,) = summary_of(batch).troubles
    assert "it is late, not" in told


def test_whose_fault_a_silence_is_is_said() -> None:
    batch, now = make_batch(), timezone.now()
    set_state(batch, status=Step.RUNNING, submitted_at=now, polled_at=now)
    assert summary_of(batch).troubles == []

    set_state(batch, polled_at=now - timedelta(minutes=12))
    assert summary_of(batch).troubles == [
        (
            f"The portal last looked 12 minutes ago: it is late, not {batch.connection}. If this "
            "stays, tell the administrator that no worker runs."
        )
    ]

    type(batch.connection).objects.update(
        down_since=now - timedelta(minutes=20), backoff_until=now + timedelta(minutes=1)
    )
    assert summary_of(batch).troubles == [
        (
            f"{batch.connection} has not answered for about 20 minutes. The portal keeps trying; "
            "nothing is lost."
        )
    ]


def test_a_portal_whose_calls_are_refused_is_not_late() -> None:
    batch, now = make_batch(), timezone.now()
    set_state(
        batch,
        status=Step.RUNNING,
        submitted_at=now - 20 * MINUTE,
        failures=6,
        problem=problem("Refused for now."),
        next_check_at=now + 2 * MINUTE,
    )
    assert summary_of(batch).troubles == ["Refused for now."]

    set_state(batch, next_check_at=now - 20 * MINUTE)
    assert "20 minutes ago: it is late, not" in summary_of(batch).troubles[0]


def test_what_waits_for_a_person_alarms_although_it_is_not_sent_yet() -> None:
    batch = make_batch()
    set_state(batch, status=Step.WAITING, problem=problem("It is next."))
    assert (summary_of(batch).trouble_tone, summary_of(batch).trouble_icon) == ("info", "clock")

    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION, next_check_at=None)
    assert (summary_of(batch).trouble_tone, summary_of(batch).trouble_icon) == ("alarm", "alert")


@pytest.mark.parametrize("act", [controls.request_cancel, controls.try_again])
def test_a_batch_that_waited_for_a_person_is_not_late_as_soon_as_it_goes_on(
    act: Callable[[Batch, User], object],
) -> None:
    batch = make_batch()
    provider_batch = set_state(
        batch,
        status=ProviderBatch.Status.RUNNING,
        remote_id="b-1",
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        polled_at=timezone.now() - timedelta(hours=3),
        next_check_at=None,
    )

    act(batch, batch.created_by)

    provider_batch.refresh_from_db()
    assert provider_batch.parked_reason == ""
    assert portal_delay(batch, [provider_batch]) == ""
