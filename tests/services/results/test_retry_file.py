"""Requests are retried as a batch of their own, and the answers of both are merged."""

import json
import uuid
from typing import Any

import pytest
from django.utils import timezone

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import ADVICE, Selection
from batchapp.models import Batch, ProviderBatch, Result, Upload
from batchapp.models.batches import lineage
from batchapp.presenters.problem_text import problem_text
from batchapp.services.files import correct_file
from batchapp.services.lifecycle import retry_in_place, settle
from batchapp.services.results import merge, outcome_counts, retry_file
from tests.make import (
    answer,
    answer_line,
    error_line,
    finish,
    make_batch,
    make_upload,
    request_file,
    set_state,
)
from tests.sentences import refused, timeline
from tests.steps import advance

pytestmark = pytest.mark.django_db


def cut_line(number: int) -> bytes:
    return answer_line(number).replace(b'"stop"', b'"length"')


def status_line(number: int, status: int) -> bytes:
    """An error line with the model's own status in it."""
    details = {"status": status, "body": '{"error": {"message": "No."}}'}
    error = {"type": "NonRetriableHttpStatus", "details": details}
    line = {"id": "x", "custom_id": f"row-{number}", "response": None, "error": error}
    return json.dumps(line).encode()


@pytest.fixture
def parent() -> Batch:
    """Ten requests: three answered, two cut short, then failures of 503, 400 and 500, two lost."""
    batch = make_batch(upload=make_upload(content=request_file(10)))
    return finish(
        batch,
        [*map(answer_line, (1, 2, 3)), cut_line(4), cut_line(5)],
        [status_line(6, 503), status_line(7, 400), error_line(8)],
    )


def select(*outcomes: Outcome, **changes: Any) -> Selection:
    return Selection(frozenset(outcomes), **changes)


def begin(batch: Batch, selection: Selection, submission: uuid.UUID | None = None) -> Upload:
    return retry_file.request_retry_file(
        batch, batch.created_by, selection, submission=submission or uuid.uuid4()
    )


def made(batch: Batch, *outcomes: Outcome, **changes: Any) -> Upload:
    """The file of a retry, as a worker makes and checks it."""
    upload = begin(batch, select(*outcomes, **changes))
    advance(upload)
    upload.refresh_from_db()
    return upload


def requests_of(upload: Upload) -> list[dict[str, Any]]:
    return [json.loads(line) for line in b"".join(upload.chunks()).splitlines()]


def ids(upload: Upload) -> list[str]:
    return [request["custom_id"] for request in requests_of(upload)]


def retried(batch: Batch, *outcomes: Outcome, **changes: Any) -> Batch:
    """A retry that is ordered and listed, but not answered yet."""
    upload = made(batch, *outcomes, **changes)
    return make_batch(upload=upload, key=batch.key, user=batch.created_by)


def merged(batch: Batch) -> dict[str, str]:
    rows = Result.objects.filter(batch=batch).with_retries()
    return dict(rows.values_list("custom_id", "merged"))


def lines_of(batch: Batch) -> list[dict[str, Any]]:
    return [
        json.loads(line) for line in b"".join(merge.download(batch, batch.created_by)).splitlines()
    ]


def test_requests_without_credits_are_retried(parent: Batch) -> None:
    failed = Result.objects.filter(batch=parent, outcome=Outcome.PROVIDER_ERROR, status_code=None)
    assert failed.update(outcome=Outcome.UNPAID, status_code=402)

    upload = made(parent, Outcome.UNPAID)

    assert upload.retry_selection
    assert upload.retry_selection.counts == {
        Outcome.UNPAID: outcome_counts.retryable_counts(parent).count(Outcome.UNPAID)
    }


def test_retryable_requests_are_counted_by_whether_a_retry_would_help(parent: Batch) -> None:
    counts = outcome_counts.retryable_counts(parent)

    assert {each: counts.count(each) for each in counts.outcomes} == {
        Outcome.PROVIDER_ERROR: 2,
        Outcome.MISSING: 2,
        Outcome.TRUNCATED: 2,
        Outcome.INVALID_REQUEST: 1,
    }


def test_a_retry_has_the_requests_that_were_chosen_byte_for_byte_in_the_files_order(
    parent: Batch,
) -> None:
    upload = made(parent, Outcome.PROVIDER_ERROR, Outcome.MISSING)

    lines = request_file(10).splitlines(keepends=True)
    assert b"".join(upload.chunks()) == b"".join(lines[n - 1] for n in (6, 8, 9, 10))
    assert (upload.status, upload.requests) == (Upload.Status.READY, 4)
    assert upload.name == "questions-retry.jsonl"
    assert (upload.retry_of, upload.made_from) == (parent, parent.upload)
    assert upload.retry_selection
    assert upload.retry_selection.counts == {Outcome.PROVIDER_ERROR: 2, Outcome.MISSING: 2}


def test_only_truncated_requests_get_more_tokens(parent: Batch) -> None:
    upload = made(parent, Outcome.MISSING, Outcome.TRUNCATED, max_tokens_factor=4)

    limits = {each["custom_id"]: each["body"]["max_tokens"] for each in requests_of(upload)}
    assert limits == {"row-4": 400, "row-5": 400, "row-9": 100, "row-10": 100}


def test_a_choice_can_be_narrowed_to_one_error_code(parent: Batch) -> None:
    assert ids(made(parent, Outcome.PROVIDER_ERROR, error_code="500")) == ["row-8"]


def test_the_same_form_makes_one_file_and_another_choice_another(parent: Batch) -> None:
    submission = uuid.uuid4()
    first = begin(parent, select(Outcome.MISSING), submission)

    assert begin(parent, select(Outcome.MISSING), submission) == first
    assert begin(parent, select(Outcome.TRUNCATED), submission).name == "questions-retry-2.jsonl"


def test_a_choice_that_nothing_is_left_of_fails_with_a_sentence(parent: Batch) -> None:
    upload = made(parent, Outcome.REFUSED)

    assert upload.status == Upload.Status.FAILED
    assert "is left to retry" in problem_text(upload.problem)


def test_a_batch_whose_file_is_lost_fails_with_a_sentence(parent: Batch) -> None:
    parent.upload.blob.storage.delete(parent.upload.blob.name)

    upload = made(parent, Outcome.MISSING)

    assert upload.status == Upload.Status.FAILED
    assert "could not be read" in problem_text(upload.problem)
    assert upload.lacks_content


def test_a_deleted_batch_fails_with_a_sentence(parent: Batch) -> None:
    upload = begin(parent, select(Outcome.MISSING))
    parent.delete()

    advance(upload)

    upload.refresh_from_db()
    assert upload.status == Upload.Status.FAILED
    assert "batch to be retried was deleted" in problem_text(upload.problem)


def test_of_a_batch_that_still_runs_only_what_has_ended_is_taken() -> None:
    batch = make_batch(upload=make_upload(content=request_file(4)))
    answer(batch, [answer_line(1)], [error_line(2)])
    set_state(batch, status=ProviderBatch.Status.RUNNING)

    assert ids(made(batch, *Outcome)) == ["row-2"]


def test_a_retry_is_a_child_of_the_batch_whose_requests_it_runs(parent: Batch) -> None:
    child = retried(parent, Outcome.MISSING)

    assert child.parent == parent
    assert child.project == parent.project
    assert lineage.batch_and_retries(child) == [parent, child]
    assert lineage.batch_and_retries(parent) == [parent, child]


def test_answers_of_a_retry_count_for_the_batch_and_its_failures_change_nothing(
    parent: Batch,
) -> None:
    child = retried(parent, *ADVICE, max_tokens_factor=2)

    finish(child, [answer_line(4), answer_line(6), answer_line(9)], [error_line(7, "Again.")])

    expected = dict.fromkeys([f"row-{n}" for n in (1, 2, 3, 4, 6, 9)], "ok")
    expected |= {"row-5": "truncated", "row-7": "invalid_request", "row-8": "provider_error"}
    assert merged(parent) == expected | {"row-10": "missing"}
    assert merge.count_recovered(parent) == 3
    parent.refresh_from_db()
    assert (parent.succeeded, parent.failed, parent.missing) == (5, 3, 2)


def test_a_worse_answer_does_not_take_the_place_of_a_better_one(parent: Batch) -> None:
    child = retried(parent, Outcome.TRUNCATED, max_tokens_factor=2)

    finish(child, [answer_line(4).replace(b'"stop"', b'"content_filter"'), cut_line(5)])

    rows = {row.custom_id: row.retried_id for row in parent.results.all()}
    assert rows["row-4"] is None
    assert rows["row-5"] == child.results.get(custom_id="row-5").pk


def test_a_retry_of_a_retry_answers_for_both(parent: Batch) -> None:
    child = retried(parent, Outcome.MISSING, Outcome.PROVIDER_ERROR)
    finish(child, [answer_line(9)], [error_line(6)])
    grandchild = retried(child, Outcome.PROVIDER_ERROR, Outcome.MISSING)
    assert ids(grandchild.upload) == ["row-6", "row-8", "row-10"]
    assert grandchild.upload.name == "questions-retry-2.jsonl"

    finish(grandchild, [answer_line(6), answer_line(10)])

    for batch in (parent, child):
        row = batch.results.get(custom_id="row-6")
        assert row.retried == grandchild.results.get(custom_id="row-6")
    assert merge.count_recovered(parent) == 3
    assert merge.count_recovered(child) == 2
    assert lineage.ancestors(grandchild, lineage.batch_and_retries(grandchild)) == [child, parent]
    assert lineage.descendants(parent, lineage.batch_and_retries(parent)) == [child, grandchild]


def test_the_newest_of_two_equal_answers_counts_in_whatever_order_they_come(
    parent: Batch,
) -> None:
    older = retried(parent, Outcome.MISSING)
    newer = retried(parent, Outcome.MISSING)

    for batch in (newer, older):
        finish(batch, [answer_line(9), answer_line(10)])

    row = parent.results.get(custom_id="row-9")
    assert row.retried == newer.results.get(custom_id="row-9")


def test_requests_that_a_retry_answered_are_not_retried(parent: Batch) -> None:
    finish(retried(parent, Outcome.MISSING), [answer_line(9)])

    assert outcome_counts.retryable_counts(parent).count(Outcome.MISSING) == 1
    assert ids(made(parent, Outcome.MISSING)) == ["row-10"]


def test_merging_again_changes_nothing(parent: Batch) -> None:
    child = retried(parent, Outcome.MISSING)
    finish(child, [answer_line(9)])
    before = list(Result.objects.order_by("pk").values())

    merge.merge_answers(child)
    merge.merge_answers(parent)

    assert list(Result.objects.order_by("pk").values()) == before


def test_a_worker_that_dies_between_merging_and_settling_merges_again(
    parent: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = retried(parent, Outcome.MISSING)
    answer(child, [answer_line(9)])
    ProviderBatch.objects.start_settling(pk=child.pk)

    def die(batch: Batch) -> None:
        raise SystemError

    with monkeypatch.context() as patch:
        patch.setattr(settle, "settle", die)
        with pytest.raises(SystemError):
            advance(child)
    Batch.objects.filter(pk=child.pk).update(leased_until=None)
    advance(child)

    child.refresh_from_db()
    assert child.is_over
    assert merged(parent)["row-9"] == "ok"


def test_an_answer_that_a_batch_gets_after_its_retry_is_not_replaced_by_a_worse_one() -> None:
    """It was retried while it ran, and its provider then answered after all."""
    batch = make_batch(upload=make_upload(content=request_file(2)))
    answer(batch, [], [error_line(1), error_line(2)])
    set_state(batch, status=ProviderBatch.Status.RUNNING)
    child = retried(batch, Outcome.PROVIDER_ERROR)
    finish(child, [cut_line(1), answer_line(2)])

    finish(batch, [answer_line(1)], [])

    assert batch.results.get(custom_id="row-1").retried is None
    assert batch.results.get(custom_id="row-2").best.outcome == Outcome.OK


def test_the_merged_download_has_one_line_for_each_request_the_best_there_is(
    parent: Batch,
) -> None:
    child = retried(parent, *ADVICE, max_tokens_factor=2)
    finish(
        child, [answer_line(4, text="Whole."), answer_line(9)], [error_line(7, "Failed again.")]
    )

    lines = lines_of(parent)

    assert [line["custom_id"] for line in lines] == [f"row-{n}" for n in range(1, 11)]
    by_id = {line["custom_id"]: line for line in lines}
    assert by_id["row-4"]["response"]["body"]["choices"][0]["message"]["content"] == "Whole."
    assert by_id["row-5"]["response"]["body"]["choices"][0]["finish_reason"] == "length"
    assert by_id["row-7"]["error"]["message"] == "Failed again."
    assert by_id["row-8"]["error"]["message"] == "The model broke down."
    assert by_id["row-10"]["error"] == {"code": "missing", "message": "No result."}


def test_the_merged_download_of_a_running_batch_leaves_out_what_is_open() -> None:
    batch = make_batch(upload=make_upload(content=request_file(3)))
    answer(batch, [answer_line(1)], [error_line(2)])
    set_state(batch, status=ProviderBatch.Status.RUNNING)

    assert [line["custom_id"] for line in lines_of(batch)] == ["row-1", "row-2"]


def test_retries_stay_within_their_project(parent: Batch) -> None:
    stranger = make_batch()
    Batch.objects.filter(pk=stranger.pk).update(parent=parent)

    stranger.refresh_from_db()

    assert lineage.batch_and_retries(parent) == [parent]
    assert stranger not in lineage.descendants(parent, lineage.batch_and_retries(parent))
    assert lineage.ancestors(stranger, lineage.batch_and_retries(stranger)) == []


def test_a_large_retry_is_merged_and_downloaded_in_few_queries(
    parent: Batch, django_assert_max_num_queries: Any
) -> None:
    child = retried(parent, Outcome.MISSING)
    finish(child, [answer_line(9), answer_line(10)])

    with django_assert_max_num_queries(12):
        merge.merge_answers(child)
    with django_assert_max_num_queries(8):
        lines_of(parent)


def test_a_corrected_version_of_a_retrys_file_still_makes_a_retry(parent: Batch) -> None:
    upload = made(parent, Outcome.MISSING)
    choice = Choice(frozenset({CorrectionKind.SET_MODEL}), model="other", every_model=True)

    corrected = correct_file.request_correction(
        upload, parent.created_by, choice, submission=uuid.uuid4()
    )
    advance(corrected)
    corrected.refresh_from_db()

    assert corrected.name == "questions-retry-corrected.jsonl"
    assert {each["body"]["model"] for each in requests_of(corrected)} == {"other"}
    assert make_batch(upload=corrected).parent == parent


def test_the_timeline_of_a_batch_shows_its_retries(parent: Batch) -> None:
    child = retried(parent, Outcome.MISSING)

    texts = timeline(parent)
    assert texts[-1] == f"Retried as {child.name}: 2 requests."


@pytest.mark.parametrize(
    "state",
    [
        {"parked_reason": ProviderBatch.Parked.PAUSED},
        {"status": ProviderBatch.Status.RETRYING_IN_PLACE},
    ],
)
def test_requests_that_are_retried_in_place_are_not_retried_in_a_file(
    parent: Batch, state: dict[str, str]
) -> None:
    assert retry_file.has_retryable(parent)
    set_state(parent, **state)

    assert not retry_file.has_retryable(parent)
    assert made(parent, Outcome.PROVIDER_ERROR).status == Upload.Status.FAILED


def test_a_file_from_before_a_retry_in_place_is_not_ordered(parent: Batch) -> None:
    upload = made(parent, Outcome.PROVIDER_ERROR)
    retry_in_place.request_retry_in_place(parent, parent.created_by)
    with refused("retried in place after"):
        make_batch(upload=upload)

    set_state(parent, status=ProviderBatch.Status.DONE, retried_in_place_at=timezone.now())
    with refused("retried in place after"):
        make_batch(upload=upload)

    again = made(parent, Outcome.PROVIDER_ERROR)
    assert make_batch(upload=again).parent == parent
