"""The sentence, the figures and the accounting at the top of a batch's page."""

from datetime import timedelta

import pytest
from django.utils import timezone

from batchapp.models import Batch, ProviderBatch
from batchapp.presenters.batches.batch_headline import accounting_of, figures_of, headline
from batchapp.presenters.batches.batch_summary import Summary, summarise, with_doubtful
from tests.make import answer_line, error_line, finish, make_batch, set_state

pytestmark = pytest.mark.django_db
Step = ProviderBatch.Status


def summary_of(batch: Batch, doubtful: int = 0) -> Summary:
    return with_doubtful(summarise(Batch.objects.get(pk=batch.pk)), doubtful)


def figures(summary: Summary) -> dict[str, int]:
    return {figure.label: figure.number for figure in figures_of(summary)}


def test_the_sentence_the_figures_and_the_accounting_have_every_request() -> None:
    summary = summary_of(finish(make_batch(), output=[answer_line(1)], errors=[error_line(2)]))

    assert headline(summary) == "1 of 3 requests answered, 1 failed, 1 came back without a result."
    assert accounting_of(summary) == "3 in = 1 answered + 1 failed + 1 missing"
    assert figures(summary) == {"answered": 1, "failed": 1, "without a result": 1}


def test_a_batch_without_a_failure_needs_no_figures() -> None:
    summary = summary_of(finish(make_batch()))

    assert headline(summary) == "All 3 requests answered."
    assert accounting_of(summary) == "3 in = 3 answered"
    assert figures(summary) == {}


def test_doubtful_answers_are_told_from_good_ones_and_the_sum_stays_true() -> None:
    summary = summary_of(
        finish(make_batch(), output=[answer_line(1), answer_line(2)], errors=[error_line(3)]), 1
    )

    assert figures(summary) == {"good": 1, "doubtful": 1, "failed": 1}
    assert accounting_of(summary) == "3 in = 1 good + 1 doubtful + 1 failed"
    assert summary.progress.answered == 2


def test_figures_link_to_the_results_that_they_count() -> None:
    batch = finish(make_batch(), output=[answer_line(1), answer_line(2)], errors=[error_line(3)])

    links = [figure.outcome for figure in figures_of(summary_of(batch, 1))]

    assert links == ["ok", "doubtful", "failed"]


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
