"""Why requests have no good answer, and what can be done about each reason."""

import pytest

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import ADVICE, Ending, ending_of
from batchapp.models import Batch
from batchapp.presenters.batches.batch_causes import MAX_ROWS, causes_of
from batchapp.services.results.causes import Cause

BATCH = Batch()
OVERLOADED = Cause(Ending.PROVIDER_ERROR, Outcome.PROVIDER_ERROR, "the model is overloaded", 13)


@pytest.mark.parametrize(
    ("ending", "outcome", "action", "address"),
    [
        (Ending.HTTP_ERROR, Outcome.HTTP_ERROR, "Retry", "retry/?ending=http_error"),
        (Ending.TRUNCATED, Outcome.TRUNCATED, "Raise max_tokens", "retry/?ending=truncated"),
        (Ending.EMPTY, Outcome.EMPTY, "Read", "results/?outcome=empty"),
        (Ending.LASTING, Outcome.HTTP_ERROR, "Read", "results/?outcome=http_error"),
    ],
)
def test_each_cause_offers_what_helps(
    ending: Ending, outcome: Outcome, action: str, address: str
) -> None:
    (row,) = causes_of(BATCH, [Cause(ending, outcome, "", 3)], can_write=True).rows

    assert (row.action, row.url) == (action, f"/batches/{BATCH.pk}/{address}")
    assert row.status.label == ADVICE[ending].label
    assert row.results_url == f"/batches/{BATCH.pk}/results/?outcome={outcome}"


def test_who_may_only_look_can_read() -> None:
    (row,) = causes_of(BATCH, [OVERLOADED], can_write=False).rows

    assert (row.action, row.url) == ("Read", row.results_url)
    assert row.reason == "the model is overloaded"


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.OK, Outcome.PENDING}))
def test_every_cause_without_a_message_has_a_reason(outcome: Outcome) -> None:
    ending = ending_of(outcome, None)
    assert ending

    (row,) = causes_of(BATCH, [Cause(ending, outcome, "", 1)], can_write=True).rows

    is_told_by_provider = outcome in {Outcome.HTTP_ERROR, Outcome.PROVIDER_ERROR}
    assert (row.reason == "No reason was given") == is_told_by_provider


def test_rare_causes_beyond_the_table_are_counted() -> None:
    causes = [OVERLOADED._replace(reason=str(n), number=20 - n) for n in range(MAX_ROWS + 2)]

    shown = causes_of(BATCH, causes, can_write=True)

    assert len(shown.rows) == MAX_ROWS
    assert shown.total == sum(cause.number for cause in causes)
    assert shown.others == (20 - MAX_ROWS) + (20 - MAX_ROWS - 1)
