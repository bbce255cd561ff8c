"""What a batch is called while it goes through, how far it is, and what it is said to cost."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from batchapp.domain.problem import Problem, ProblemCode
from batchapp.models import Batch, Connection, ProviderBatch
from batchapp.presenters.batches.batch_headline import headline
from batchapp.presenters.batches.batch_summary import Progress, Summary, summarise
from tests.make import (
    answer_line,
    finish,
    make_batch,
    make_project,
    make_upload,
    request_file,
    set_state,
)

pytestmark = pytest.mark.django_db
Step = ProviderBatch.Status


def summary_of(batch: Batch) -> Summary:
    return summarise(Batch.objects.get(pk=batch.pk))


@pytest.mark.parametrize(
    ("provider_batch", "fields", "label"),
    [
        ({"status": Step.PREPARING}, {}, "Queued"),
        ({"status": Step.WAITING}, {}, "Waiting to submit"),
        ({"status": Step.RUNNING}, {}, "Running"),
        ({"status": Step.HARVESTING}, {}, "Running"),
        ({"status": Step.HARVESTING, "ended_at": timezone.now()}, {}, "Fetching results"),
        ({"parked_reason": "needs_attention"}, {}, "Needs attention"),
        ({"status": Step.RUNNING}, {"cancel_requested_at": timezone.now()}, "Cancelling"),
        (
            {"parked_reason": "needs_attention"},
            {"cancel_requested_at": timezone.now()},
            "Needs attention",
        ),
        ({"status": Step.DONE}, {}, "Adding up"),
        ({"status": Step.DONE}, {"status": "settling"}, "Adding up"),
        ({"status": Step.DONE}, {"status": "completed", "succeeded": 3, "usable": 3}, "Completed"),
        ({"status": Step.DONE}, {"status": "completed", "succeeded": 3}, "Completed with doubts"),
        ({"status": Step.DONE}, {"status": "completed", "failed": 1}, "Completed with errors"),
        ({"status": Step.DONE}, {"status": "completed", "missing": 1}, "Completed with errors"),
        ({"status": Step.DONE}, {"status": "failed", "failed": 3}, "Failed"),
        ({"status": Step.CANCELLED}, {"status": "cancelled"}, "Cancelled"),
    ],
)
def test_a_status_says_what_goes_on(
    provider_batch: dict[str, Any], fields: dict[str, Any], label: str
) -> None:
    batch = make_batch(**fields)
    set_state(batch, **provider_batch)

    summary = summary_of(batch)

    assert summary.status.label == label
    assert bool(headline(summary)) is not summary.needs_person


def test_a_page_looks_again_until_the_batch_is_over_or_waits_for_a_person() -> None:
    batch = make_batch()
    assert summary_of(batch).is_moving

    set_state(batch, parked_reason="needs_attention")
    assert not summary_of(batch).is_moving

    set_state(batch, parked_reason="")
    assert not summary_of(finish(batch)).is_moving


def test_progress_is_the_providers_until_the_batch_is_over_then_the_ledgers() -> None:
    batch = make_batch()
    set_state(batch, status=Step.RUNNING, completed=1, failed=1)
    running = summary_of(batch).progress
    set_state(batch, status=Step.PREPARING)
    over = summary_of(finish(batch)).progress

    assert (running.answered, running.failed, running.percent) == (1, 1, 66)
    assert (over.answered, over.failed, over.percent) == (3, 0, 100)


def test_progress_is_a_hundred_only_when_every_request_has_its_end() -> None:
    batch = make_batch()
    set_state(batch, status=Step.RUNNING, completed=3)
    assert summary_of(batch).progress.percent == 99

    missing = finish(make_batch(), output=[answer_line(1), answer_line(2)])
    assert summary_of(missing).progress.percent == 66
    assert summary_of(finish(make_batch())).progress.percent == 100


def test_a_cost_is_an_estimate_until_it_is_known() -> None:
    batch = make_batch()
    assert summary_of(batch).cost.text == "~$0.0006"
    assert not summary_of(batch).cost.is_actual

    finish(batch)
    assert summary_of(batch).cost.text == "$0.0006"
    assert summary_of(batch).cost.is_actual


def test_a_cost_without_a_price_is_not_zero() -> None:
    upload = make_upload(content=request_file(model="new/model"))
    batch = make_batch(upload=upload)
    assert summary_of(batch).cost.text == "no price"

    assert summary_of(finish(batch)).cost.text == "no price"


def test_a_cost_known_in_part_says_what_is_missing_from_it() -> None:
    others = request_file(2, model="new/model").replace(b"row-", b"new-")
    batch = make_batch(upload=make_upload(content=request_file() + others))
    assert summary_of(batch).cost.text == "≥ $0.0006 + 1 model without a price"

    answers = [answer_line(n) for n in (1, 2, 3)]
    finish(batch, output=[*answers, answer_line(1).replace(b"row-", b"new-")])
    assert summary_of(batch).cost.text == "≥ $0.0006 + 1 model without a price"


def test_a_model_that_answered_nothing_costs_nothing_whatever_its_price() -> None:
    others = request_file(2, model="new/model").replace(b"row-", b"new-")
    batch = make_batch(upload=make_upload(content=request_file() + others))

    finish(batch, output=[answer_line(n) for n in (1, 2, 3)])

    assert summary_of(batch).cost.text == "$0.0006"


def test_answers_without_a_token_count_make_the_cost_a_floor() -> None:
    silent = answer_line(2).replace(b'"usage"', b'"not_usage"')
    batch = finish(make_batch(), output=[answer_line(1), silent, answer_line(3)])

    assert summary_of(batch).cost.text == "≥ $0.0004"


def test_a_batch_beyond_its_window_is_late_and_one_that_ended_in_time_is_not() -> None:
    batch, hour = make_batch(make_project()), timedelta(hours=1)
    now = timezone.now()

    set_state(batch, status=Step.RUNNING, expires_at=now + hour)
    assert not summary_of(batch).is_late
    assert not summary_of(batch).late_by
    set_state(batch, expires_at=now - hour)
    assert summary_of(batch).is_late
    assert summary_of(batch).late_by == "60 min"
    set_state(batch, ended_at=now - 2 * hour)
    assert not summary_of(batch).is_late


def widths(progress: Progress) -> dict[str, int]:
    return {part.kind: part.width for part in progress.parts}


def test_cancelled_requests_fill_the_rest_of_the_bar_without_counting_as_done() -> None:
    batch = finish(make_batch(), output=[answer_line(1)])
    Batch.objects.filter(pk=batch.pk).update(cancelled=2, missing=0)

    progress = summary_of(batch).progress

    assert (progress.percent, progress.cancelled) == (33, 2)
    assert widths(progress) == {"answered": 33, "cancelled": 67}


@pytest.mark.parametrize(
    ("answered", "doubtful", "failed", "cancelled"),
    [(134, 0, 266, 0), (6, 1, 3, 0), (1, 0, 1, 4), (999, 1, 1, 0), (100_000, 1, 1, 1)],
)
def test_a_bar_of_what_is_over_has_no_gap_left_by_rounding(
    answered: int, doubtful: int, failed: int, cancelled: int
) -> None:
    total = answered + failed + cancelled
    parts = Progress(total, answered, failed, 100, cancelled, doubtful).parts

    assert sum(part.width for part in parts) == 100
    assert all(part.width >= 2 for part in parts)
    ends = [part.start + part.width for part in parts]
    assert [part.start for part in parts] == [0, *ends[:-1]]


def test_a_bar_of_what_runs_is_filled_as_far_as_requests_have_ended() -> None:
    assert sum(widths(Progress(400, 134, 200, 83)).values()) == 83
    assert Progress(400, 0, 0, 0).parts == []


def test_a_cost_whose_terms_are_all_known_is_their_sum() -> None:
    batch = finish(make_batch())
    Batch.objects.filter(pk=batch.pk).update(actual_cost_usd=None)

    assert summary_of(batch).cost.text == "$0.0006"


@pytest.mark.parametrize(
    ("base_url", "code", "page"),
    [
        ("https://api.doubleword.ai/v1", ProblemCode.NO_CREDIT, "https://app.doubleword.ai"),
        ("https://api.doubleword.ai", ProblemCode.GONE, ""),
        ("https://llm.example.com", ProblemCode.NO_CREDIT, ""),
    ],
)
def test_where_credits_are_added_is_told_only_where_it_is_known(
    base_url: str, code: ProblemCode, page: str
) -> None:
    batch = make_batch()
    Connection.objects.filter(pk=batch.connection_id).update(base_url=base_url)
    problem = Problem(code, {"connection": "Acme", "is_sent": False})
    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION, problem=problem)

    assert summary_of(batch).account_url == page
    set_state(batch, parked_reason="")
    assert summary_of(batch).account_url == ""
