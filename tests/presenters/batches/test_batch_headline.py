"""The sentence, the figures and the accounting at the top of a batch's page, and what is next."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.domain.results.outcome import DOUBTFUL
from batchapp.models import Batch, ProviderBatch
from batchapp.presenters.batches.batch_headline import (
    accounting_of,
    balance_of,
    facts_of,
    figures_of,
    headline,
    kept_text,
    next_steps,
)
from batchapp.presenters.batches.batch_summary import Summary, summarise, with_outcomes
from batchapp.services.results.outcome_counts import count_outcomes
from tests.make import answer, answer_line, error_line, finish, make_batch, set_state
from tests.sentences import problem

pytestmark = pytest.mark.django_db
Step = ProviderBatch.Status


def summary_of(batch: Batch) -> Summary:
    batch = Batch.objects.get(pk=batch.pk)
    among = None if batch.is_over else DOUBTFUL
    outcomes = count_outcomes(batch, with_retries=False, among=among)
    return with_outcomes(summarise(batch), outcomes)


def figures(summary: Summary) -> dict[str, int]:
    return {figure.label: figure.number for figure in figures_of(summary)}


def cut_line(number: int) -> bytes:
    return answer_line(number).replace(b'"stop"', b'"length"')


def test_the_sentence_the_figures_and_the_accounting_have_every_request() -> None:
    summary = summary_of(finish(make_batch(), output=[answer_line(1)], errors=[error_line(2)]))

    assert headline(summary) == "1 of 3 requests answered, 1 provider error, 1 no result."
    assert accounting_of(summary) == "3 in = 1 answered + 1 provider error + 1 no result"
    assert balance_of(summary) == "3 requests in"
    assert figures(summary) == {"answered": 1, "provider error": 1, "no result": 1}
    summary.batch.requests = 4
    assert balance_of(summary) == (
        "4 in ≠ 1 answered + 1 provider error + 1 no result (1 unaccounted for)"
    )


def test_a_batch_without_a_failure_has_one_figure() -> None:
    summary = summary_of(finish(make_batch()))

    assert headline(summary) == "All 3 requests answered."
    assert accounting_of(summary) == "3 in = 3 answered"
    assert balance_of(summary) == "3 requests in, all accounted for"
    assert figures(summary) == {"answered": 3}


def test_only_usable_answers_are_said_to_be_answered() -> None:
    refused = answer_line(3).replace(b'"stop"', b'"content_filter"')
    summary = summary_of(finish(make_batch(), output=[answer_line(1), cut_line(2), refused]))

    assert headline(summary) == "1 of 3 requests answered, 1 cut short, 1 refused."
    assert figures(summary) == {"answered": 1, "cut short": 1, "refused": 1}
    assert accounting_of(summary) == "3 in = 1 answered + 1 cut short + 1 refused"
    assert (summary.progress.answered, summary.progress.usable) == (3, 1)
    assert [part.kind for part in summary.progress.parts] == ["answered", "doubtful"]
    assert summary.status.label == "Completed with doubts"


def test_figures_link_to_the_results_that_they_count() -> None:
    batch = finish(make_batch(), output=[answer_line(1), cut_line(2)], errors=[error_line(3)])

    links = [figure.outcome for figure in figures_of(summary_of(batch))]

    assert links == ["ok", "truncated", "provider_error"]


def test_a_running_batch_tells_the_doubtful_answers_that_are_here_from_the_others() -> None:
    batch = make_batch()
    answer(batch, [answer_line(1), cut_line(2)])
    set_state(batch, status=Step.RUNNING, remote_id="there", completed=2, ended_at=None)

    assert figures(summary_of(batch)) == {"answered": 1, "cut short": 1, "waiting": 1}


def test_a_running_batch_counts_what_waits_and_one_that_is_not_sent_counts_nothing() -> None:
    batch = make_batch()
    assert figures(summary_of(batch)) == {}

    set_state(batch, status=Step.RUNNING, remote_id="there", completed=1, failed=1)

    assert figures(summary_of(batch)) == {"answered": 1, "waiting": 1, "failed": 1}


@pytest.mark.parametrize(
    ("completed", "failed", "minutes", "sentence"),
    [
        (9_871, 102, 60, "170 a minute, less than a minute left."),
        (2_500, 0, 4, "620 a minute, about 12 minutes left."),
        (100, 0, 60, "92 an hour, about 3 to 6 days left."),
        (9_000, 0, 60, "150 a minute, about 7 minutes left."),
        (10_000, 0, 60, "Less than a minute left."),
        (3, 0, 4, "Due in 20 hours at the latest."),
        (0, 0, 4, "Due in 20 hours at the latest."),
    ],
)
def test_a_running_batch_says_at_which_pace_and_how_long_it_may_take(
    completed: int, failed: int, minutes: int, sentence: str
) -> None:
    batch, now = make_batch(requests=10_000), timezone.now()
    set_state(
        batch,
        status=Step.RUNNING,
        total=10_000,
        completed=completed,
        failed=failed,
        submitted_at=now - timedelta(minutes=minutes),
        polled_at=now,
        expires_at=now + timedelta(hours=20, minutes=1),
    )

    assert headline(summary_of(batch)) == sentence


def test_a_late_batch_promises_no_time() -> None:
    batch, now = make_batch(requests=10_000), timezone.now()
    past = now - timedelta(hours=1)
    set_state(batch, status=Step.RUNNING, completed=9_000, submitted_at=past, polled_at=now)
    set_state(batch, total=10_000, expires_at=past)

    assert headline(summary_of(batch)) == f"{batch.connection} works on it."


def test_a_finished_batch_says_its_time_its_tokens_and_the_price_of_a_thousand_answers() -> None:
    batch = finish(make_batch(), output=[answer_line(1), answer_line(2)])
    end = batch.created_at + timedelta(minutes=47, seconds=3)
    Batch.objects.filter(pk=batch.pk).update(finished_at=end, actual_cost_usd="0.0050")
    batch.model_costs.update(input_tokens=1_200, output_tokens=80, answers_without_usage=0)

    facts = ["Took 47 min", "1,200 tokens in", "80 tokens out", "$2.50 per 1,000 answers"]
    assert facts_of(summary_of(batch)) == facts

    batch.model_costs.update(answers_without_usage=1)
    assert facts_of(summary_of(batch))[1:] == [f"≥ {fact}" for fact in facts[1:]]


def test_a_batch_of_which_a_part_waits_for_room_says_which_part_runs() -> None:
    batch = make_batch(requests=4)
    set_state(batch, status=Step.RUNNING, remote_id="there", total=1, completed=1)
    parts = [
        ProviderBatch(
            batch=batch,
            number=number,
            total=1,
            status=Step.WAITING,
            problem=problem("Waiting for a free slot. It is next."),
        )
        for number in (2, 3)
    ]
    ProviderBatch.objects.bulk_create(parts)

    summary = summary_of(batch)

    assert headline(summary) == "Provider batch 1 of 3 is running; the next waits for room."
    assert summary.troubles == []
    assert [progress.percent for _, progress in summary.shares] == [100, 0, 0]
    parts[0].status, parts[0].remote_id, parts[0].problem = Step.RUNNING, "there-too", None
    parts[0].save()
    assert headline(summary_of(batch)).startswith("2 of 3 provider batches are running;")


def test_a_batch_that_sends_a_request_first_says_what_the_others_wait_for() -> None:
    batch = make_batch(requests=4, sent_first=1)
    set_state(batch, status=Step.RUNNING, remote_id="there", total=1)
    waiting = problem("Waiting for the answer to 1 request sent first.")
    ProviderBatch.objects.create(
        batch=batch, number=2, total=3, status=Step.WAITING, problem=waiting
    )

    summary = summary_of(batch)

    assert headline(summary) == "Provider batch 1 of 2 is running; the next waits for its answer."


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "It is not sent yet, so nothing is paid. 3 requests will not run."),
        (
            {"remote_id": "there"},
            "You keep and pay for any answer that still arrives; none is counted yet. Up to 3",
        ),
        (
            {"remote_id": "there", "completed": 2},
            "You keep and pay for 2 answers and any that still arrive. Up to 1 request",
        ),
        (
            {"remote_id": "there", "failed": 2},
            "none is counted yet. Up to 1 request will not run.",
        ),
    ],
)
def test_a_cancellation_says_what_is_kept_and_how_much_will_not_run(
    fields: dict[str, object], text: str
) -> None:
    batch = make_batch()
    set_state(batch, status=Step.RUNNING if fields else Step.WAITING, **fields)

    assert text in kept_text(summary_of(batch))


def test_what_happens_next_is_said_only_where_it_is_known() -> None:
    def said(*, can_try_again: bool = True, can_resume: bool = True) -> str:
        summary = summary_of(batch)
        return " ".join(next_steps(summary, can_try_again=can_try_again, can_resume=can_resume))

    batch = make_batch()
    assert f"Answers appear here as {batch.connection} gives them. You pay for" in said()
    batch.connection.has_partial_results, batch.connection.is_sandbox = False, True
    batch.connection.save()
    assert f"once {batch.connection} has finished all requests. Nobody pays" in said()
    set_state(batch, status=Step.WAITING, failures=1, problem=problem("No answer."))
    assert said() == ""
    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    assert said().endswith("If it is cancelled instead, no request is run.")
    assert said(can_try_again=False) == ""
    Batch.objects.filter(pk=batch.pk).update(pause_requested_at=timezone.now())
    set_state(batch, parked_reason=ProviderBatch.Parked.PAUSED)
    assert said().startswith("Answers are not paid again.")
    assert said(can_resume=False) == ""
    assert next_steps(summary_of(finish(make_batch())), can_try_again=True, can_resume=True) == []
