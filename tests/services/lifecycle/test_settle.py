"""The end of a batch, drawn up once or twice."""

import json
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, ProviderBatch
from batchapp.presenters.accounting_text import discrepancy_of
from batchapp.services.lifecycle import retry_in_place
from tests.make import answer, answer_line, error_line, finish, make_batch, set_state
from tests.provider import Provider
from tests.sentences import told
from tests.steps import run_steps

pytestmark = pytest.mark.django_db

ALL = [answer_line(n) for n in (1, 2, 3)]
REFUSED_IN_OUTPUT = json.dumps(
    {
        "id": "line-2",
        "custom_id": "row-2",
        "response": {"status_code": 429, "body": {"error": {"message": "Slow down."}}},
    }
).encode()


def answered_by(line: bytes, model: str) -> bytes:
    return line.replace(b"Qwen/Qwen3-30B", model.encode())


def finished(batch: Batch) -> str:
    return told(batch, "Finished")[-1]


def test_counts_that_agree_leave_nothing_to_say(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish(ALL[:2], [error_line(3)])

    batch = run_steps(running)

    assert batch.discrepancy == []
    assert finished(batch) == "Finished: 3 in = 2 answered + 1 provider error."


def test_an_http_error_in_the_output_file_is_no_disagreement(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([ALL[0], REFUSED_IN_OUTPUT, ALL[2]])

    batch = run_steps(running)

    assert (batch.succeeded, batch.failed, batch.discrepancy) == (2, 1, [])


def test_counts_that_do_not_match_the_results_are_told(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish(ALL[:2], [])
    next(iter(provider.batches.values()))["request_counts"] = {"completed": 3, "failed": 0}

    batch = run_steps(running)

    says = "counts 3 completed and 0 failed; its results hold 2 answers and 0 errors."
    assert discrepancy_of(batch).startswith(f"{batch.connection} {says} ")
    assert finished(batch).endswith(says)


def test_counts_that_do_not_add_up_are_told(provider: Provider, running: ProviderBatch) -> None:
    provider.finish(ALL[:2], [])

    batch = run_steps(running)

    assert discrepancy_of(batch).endswith(f"{batch.connection}'s count is 1 short too.")
    assert "fewer than the 3 that were sent." in finished(batch)


def test_what_a_cancelled_batch_leaves_over_is_no_disagreement(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish(ALL[:1], status="cancelled")

    batch = run_steps(running)

    assert (batch.cancelled, batch.discrepancy) == (2, [])


def test_what_ran_out_of_time_has_expired(provider: Provider, running: ProviderBatch) -> None:
    expired = json.dumps(
        {"id": "x", "custom_id": "row-2", "error": {"code": "batch_expired", "message": "Late."}}
    )
    provider.finish(ALL[:1], [expired.encode()], status="expired")

    batch = run_steps(running)

    assert list(batch.results.order_by("line").values_list("outcome", flat=True)) == [
        Outcome.OK,
        Outcome.EXPIRED,
        Outcome.EXPIRED,
    ]
    assert (batch.succeeded, batch.failed, batch.missing) == (1, 2, 0)
    assert finished(batch).startswith("Finished: 3 in = 1 answered + 2 expired.")
    assert batch.actual_cost_usd == Decimal("0.0002")


def test_requests_are_closed_by_statements_that_no_statistics_can_make_slow() -> None:
    """A join with results that were written just now has been planned as 50,000 times 50,000."""
    with CaptureQueriesContext(connection) as queries:
        batch = finish(make_batch(), output=ALL[:1])

    updates = [query["sql"] for query in queries if 'UPDATE "batchapp_result"' in query["sql"]]
    closing = [sql for sql in updates if Outcome.MISSING in sql]
    assert batch.missing == 2
    assert closing
    assert not [sql for sql in closing if "SELECT" in sql or "JOIN" in sql]


def test_answers_of_another_model_are_counted() -> None:
    batch = finish(
        make_batch(),
        [
            answered_by(ALL[0], "qwen3-30b"),
            answered_by(ALL[1], "Qwen/Qwen3-4B"),
            answered_by(ALL[2], ""),
        ],
    )

    assert finished(batch).endswith("1 answer names another model than was asked for.")


def test_several_provider_batches_are_named_by_number() -> None:
    batch = make_batch()
    answer(batch, ALL)
    set_state(batch, completed=2, remote_id="first")
    ProviderBatch.objects.create(
        batch=batch, number=2, status=ProviderBatch.Status.DONE, remote_id="second", completed=1
    )
    ProviderBatch.objects.start_settling()

    batch = run_steps(batch.provider_batches.get(number=1))

    assert f"In provider batch 1, {batch.connection} counts 2 completed" in discrepancy_of(batch)
    assert f"In provider batch 2, {batch.connection} counts 1 completed" in discrepancy_of(batch)


def test_a_batch_that_was_retried_in_place_is_settled_again_and_paid_once(
    provider: Provider, running: ProviderBatch
) -> None:
    connection = running.batch.connection
    connection.has_retry = True
    connection.save()
    provider.finish(ALL[:1], [error_line(2)], status="completed")
    first = run_steps(running)
    assert (first.succeeded, first.failed, first.missing) == (1, 1, 1)
    assert first.discrepancy
    first_end = first.finished_at

    retry_in_place.request_retry_in_place(first, first.created_by)
    set_state(first, status=ProviderBatch.Status.RUNNING, ended_at=None)
    provider.finish(ALL[:2], [error_line(3)])
    batch = run_steps(running)

    assert (batch.succeeded, batch.failed, batch.missing) == (2, 1, 0)
    assert batch.discrepancy == []
    assert (batch.input_tokens, batch.output_tokens) == (200, 100)
    assert batch.model_costs.get().answers == 2
    assert batch.actual_cost_usd == batch.model_costs.get().cost_usd == Decimal("0.0004")
    assert batch.finished_at
    assert first_end
    assert batch.model_costs.get().measured_at == batch.finished_at > first_end


def test_an_end_that_was_said_before_is_said_anew(
    provider: Provider, running: ProviderBatch
) -> None:
    """A request cancelled in the first settling is not cancelled for ever."""
    connection = running.batch.connection
    connection.has_retry = True
    connection.save()
    provider.finish(ALL[:1], status="cancelled")
    first = run_steps(running)
    assert (first.status, first.cancelled) == (Batch.Status.CANCELLED, 2)

    retry_in_place.request_retry_in_place(first, first.created_by)
    set_state(first, status=ProviderBatch.Status.RUNNING, ended_at=None, cancel_sent_at=None)
    provider.finish(ALL[:2], status="completed")
    batch = run_steps(running)

    assert (batch.status, batch.succeeded, batch.cancelled, batch.missing) == (
        Batch.Status.COMPLETED,
        2,
        0,
        1,
    )
