"""The words of many providers for the state of a batch."""

import pytest

from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.remote_status import RemoteStatus

ENDS = {
    RemoteStatus.COMPLETED: ["COMPLETED", "Complete", "succeeded", "SUCCESS", "ended", "done"],
    RemoteStatus.FAILED: ["FAILED", "error", "Errored", "JOB_STATE_FAILED", "validation-failed"],
    RemoteStatus.EXPIRED: ["Expired", "TIMEOUT_EXCEEDED", "timed out"],
    RemoteStatus.CANCELLED: ["canceled", "CANCELLED", "BATCH_STATE_CANCELLED", "aborted"],
}
RUNNING = {
    RemoteStatus.VALIDATING: ["QUEUED", "pending", "Not Started", "notStarted", "submitted"],
    RemoteStatus.IN_PROGRESS: [
        "IN_PROGRESS",
        "in-progress",
        "InProgress",
        "RUNNING",
        "Processing",
    ],
    RemoteStatus.FINALIZING: ["Finalizing", "finalising"],
    RemoteStatus.CANCELLING: ["CANCELLATION_REQUESTED", "canceling"],
}


def test_a_word_counts_in_any_case_and_by_any_name() -> None:
    for status, words in (ENDS | RUNNING).items():
        for word in words:
            batch = RemoteBatch.from_json({"id": "a", "status": word})

            assert (batch.status, batch.status_word) == (status, status.value), word
            assert batch.is_over is (status in ENDS), word


@pytest.mark.parametrize(
    ("stamp", "status"),
    [
        ("completed_at", RemoteStatus.COMPLETED),
        ("failed_at", RemoteStatus.FAILED),
        ("cancelled_at", RemoteStatus.CANCELLED),
        ("expired_at", RemoteStatus.EXPIRED),
        ("in_progress_at", RemoteStatus.UNKNOWN),
    ],
)
def test_a_batch_of_an_unknown_word_is_over_once_it_has_the_stamp_of_an_end(
    stamp: str, status: RemoteStatus
) -> None:
    for at in (1_780_000_000, "2026-05-28T20:26:40Z"):
        batch = RemoteBatch.from_json({"id": "a", "status": "frobbed", stamp: at})

        assert (batch.status, batch.status_word) == (status, "frobbed")


def test_a_stamp_means_nothing_beside_a_word_that_is_known() -> None:
    late = {"id": "a", "status": "in_progress", "expired_at": 1_780_000_000}

    assert RemoteBatch.from_json(late).status is RemoteStatus.IN_PROGRESS
