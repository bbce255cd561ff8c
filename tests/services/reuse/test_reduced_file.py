"""A file of what is new, and one result of what was sent, kept and sent once."""

import json
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchapp.access import NotAllowed
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.reuse.reuse_plan import ReuseChoice
from batchapp.models import Batch, RequestDigests, Result, Upload
from batchapp.pipeline import steps
from batchapp.services.archive import purge as purge_service
from batchapp.services.archive import verify
from batchapp.services.results import merge, outcome_counts
from batchapp.services.results.columns.result_rows import read_blocks
from batchapp.services.reuse import reduced_file, reused_results
from tests.make import make_project, make_user, writer_in
from tests.reuse import (
    ONCE,
    answers_to,
    checked_upload,
    failed,
    merged,
    question_file,
    reduced_upload,
    request_line,
    run,
)

pytestmark = pytest.mark.django_db

ALL = ReuseChoice(keep=True, keep_sampled=True, once=True, once_sampled=True)


def test_a_grown_file_sends_new_and_changed_requests_and_shows_one_result() -> None:
    project = make_project()
    first = run(checked_upload(project, question_file(["a", "b", "c"])), name="Week 48")

    upload = reduced_upload(checked_upload(project, question_file(["new", "a", "B", "c"])))
    batch = run(upload)

    assert (upload.requests, upload.name) == (2, "reviews-new.jsonl")
    assert upload.reuse
    assert [(s.name, s.requests) for s in upload.reuse.sources] == [("Week 48", 2)]
    assert (batch.requests, batch.reused, batch.succeeded) == (2, 2, 2)
    assert (batch.input_tokens, batch.output_tokens) == (20, 40)
    assert batch.status == Batch.Status.COMPLETED
    assert merged(batch) == [
        *(("row-1", "Answer to new"), ("row-2", "Answer to a")),
        *(("row-3", "Answer to B"), ("row-4", "Answer to c")),
    ]
    assert outcome_counts.count_outcomes(batch, with_retries=True) == {Outcome.OK: 4}
    assert outcome_counts.count_outcomes(batch, with_retries=False) == {Outcome.OK: 2}
    assert first.results.count() == 3


def test_lines_keep_their_numbers_and_say_whose_answer_they_have() -> None:
    project = make_project()
    run(checked_upload(project, question_file(["a"])), name="Week 48")
    content = question_file(["x", "a"]) + b"\n" + request_line("last", "x")
    choice = ReuseChoice(keep=True, once=True)

    batch = run(reduced_upload(checked_upload(project, content), choice))

    assert list(batch.results.values_list("line", "custom_id")) == [
        *((1, "row-1"), (2, "row-2"), (4, "last"))
    ]
    lines = b"".join(merge.download(batch, writer_in(project))).splitlines()
    assert [json.loads(line).get("reused") for line in lines] == [
        None,
        {"answer_of_batch": "Week 48", "answer_of_line": 1},
        {"same_request_as_line": 1},
    ]


def test_columns_have_question_and_answer_of_what_was_not_sent_and_no_cost() -> None:
    project = make_project()
    run(checked_upload(project, question_file(["a"])), name="Week 48")
    choice = ReuseChoice(keep=True, once=True)
    upload = reduced_upload(checked_upload(project, question_file(["a", "x", "x"])), choice)
    batch = run(upload)

    (block,) = read_blocks(batch, merged=True)
    (own,) = read_blocks(batch, merged=False)

    assert block.columns["line"] == [1, 2, 3]
    assert block.columns["question"] == ["a", "x", "x"]
    assert block.columns["answer"] == ["Answer to a", "Answer to x", "Answer to x"]
    assert [cost is None for cost in block.columns["cost_usd"]] == [True, False, True]
    assert own.columns["line"] == [2]
    assert list(verify.verify_results(project, verify.Progress())) == []


def test_a_chain_of_grown_files_needs_only_the_last_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batchapp.services.reuse.find_answers.BATCHES_COMPARED", 1)
    project = make_project()
    first = run(checked_upload(project, question_file(["a"])), name="Week 48")
    run(reduced_upload(checked_upload(project, question_file(["a", "b"]))), name="Week 49")

    batch = run(reduced_upload(checked_upload(project, question_file(["a", "b", "c"]))))

    kept = batch.results.get(custom_id="row-1")
    assert kept.retried
    assert kept.retried.batch == first
    assert batch.requests == 1
    assert [text for _, text in merged(batch)] == ["Answer to a", "Answer to b", "Answer to c"]


def test_only_good_answers_of_the_project_and_its_connection_are_kept() -> None:
    project, other = make_project(), make_project()
    run(checked_upload(other, question_file(["a", "b", "c"])))
    upload = checked_upload(project, question_file(["a", "b"]))
    run(upload, [answers_to(upload)[1], failed("row-2")])
    sandbox = run(checked_upload(project, question_file(["c"])))
    Batch.objects.filter(pk=sandbox.pk).update(connection=other.connection)

    offer = checked_upload(project, question_file(["a", "b", "c"])).reuse_offer

    assert offer
    assert sum(offer.kept.values()) == 1


def test_an_answer_of_a_retry_is_kept_as_well() -> None:
    project = make_project()
    upload = checked_upload(project, question_file(["a", "b"]))
    batch = run(upload, [answers_to(upload)[1], failed("row-2")])
    retry_upload = checked_upload(project, request_line("row-2", "b"))
    Upload.objects.filter(pk=retry_upload.pk).update(retry_of=batch)
    retry_upload.refresh_from_db()
    retry = run(retry_upload, name="Retry")

    upload = reduced_upload(checked_upload(project, question_file(["a", "b", "c"])))

    assert upload.reuse
    assert upload.reuse.kept == 2
    batch = run(upload)
    assert retry.results.get() == batch.results.get(custom_id="row-2").retried


def test_repeats_share_the_answer_of_the_first_and_follow_it_to_a_retry() -> None:
    project = make_project()
    upload = reduced_upload(checked_upload(project, question_file(["a", "a", "b", "a"])), ONCE)
    batch = run(upload, [failed("row-1"), *answers_to(upload)[:1]])

    assert (batch.requests, batch.reused) == (2, 2)
    assert outcome_counts.count_outcomes(batch, with_retries=True) == {
        Outcome.OK: 1,
        Outcome.PROVIDER_ERROR: 3,
    }

    retry_upload = checked_upload(project, request_line("row-1", "a"))
    Upload.objects.filter(pk=retry_upload.pk).update(retry_of=batch)
    retry_upload.refresh_from_db()
    retry = run(retry_upload)

    assert outcome_counts.count_outcomes(batch, with_retries=True) == {Outcome.OK: 4}
    assert merge.count_recovered(batch) == 1
    assert {row.retried for row in batch.results.filter(outcome=Outcome.REUSED)} == {
        retry.results.get()
    }
    # Settled again, a kept pointer is not taken for that of a retry.
    merge.merge_answers(batch)
    assert outcome_counts.count_outcomes(batch, with_retries=True) == {Outcome.OK: 4}


def test_requests_for_variety_are_covered_only_by_a_choice_of_their_own() -> None:
    project = make_project()
    content = question_file(["a", "a"], temperature=1)
    run(checked_upload(project, content))
    original = checked_upload(project, content + request_line("row-3", "a", temperature=1))

    offer = original.reuse_offer

    assert offer
    assert not offer.kept
    assert not offer.repeats
    assert sum(offer.kept_sampled.values()) == 2  # the third asks for a further answer
    assert sum(offer.repeats_sampled.values()) == 2
    assert reduced_upload(original, ReuseChoice(keep=True, once=True)).requests == 3
    assert reduced_upload(original, ReuseChoice(keep_sampled=True)).requests == 1
    assert reduced_upload(original, ReuseChoice(once_sampled=True)).requests == 1


def test_a_file_without_anything_new_is_not_written() -> None:
    project = make_project()
    run(checked_upload(project, question_file(["a"])))

    upload = reduced_upload(checked_upload(project, question_file(["a"])))

    assert (upload.status, upload.lacks_content) == (Upload.Status.FAILED, True)
    assert upload.problem
    assert upload.problem.code == "nothing_new"


def test_the_same_form_makes_one_file_and_a_viewer_none() -> None:
    project = make_project()
    original, submission = checked_upload(project, question_file(["a", "a"])), uuid.uuid4()
    user = writer_in(project)

    files = [
        reduced_file.request_reduced_file(original, user, ONCE, submission=submission)
        for _ in range(2)
    ]

    assert files[0] == files[1]
    with pytest.raises(NotAllowed):
        reduced_file.request_reduced_file(original, make_user(), ONCE, submission=submission)


def test_results_of_what_is_not_sent_are_written_once_whoever_writes_them() -> None:
    project = make_project()
    run(checked_upload(project, question_file(["a", "b"])))
    choice = ReuseChoice(keep=True, once=True)
    upload = reduced_upload(checked_upload(project, question_file(["a", "x", "b", "x"])), choice)

    batch = run(upload)
    rows = list(batch.results.order_by("line").values_list("line", "outcome", "retried"))
    reused_results.write_reused_results(batch)
    batch.results.filter(line=4).delete()
    steps.settle_batch(_settling(batch))

    assert [outcome for _, outcome, _ in rows] == ["reused", "ok", "reused", "reused"]
    assert list(batch.results.order_by("line").values_list("line", "outcome", "retried")) == rows


def test_a_kept_answer_that_is_deleted_leaves_a_result_that_says_so() -> None:
    project = make_project()
    first = run(checked_upload(project, question_file(["a"])))
    batch = run(reduced_upload(checked_upload(project, question_file(["a", "b"]))))

    first.delete()

    assert outcome_counts.count_outcomes(batch, with_retries=True) == {
        Outcome.OK: 1,
        Outcome.REUSED: 1,
    }
    assert merged(batch) == [("row-1", "reused"), ("row-2", "Answer to b")]


def test_content_that_is_deleted_after_its_time_takes_its_digests_along_and_is_not_kept() -> None:
    project = make_project()
    first = run(checked_upload(project, question_file(["a"])))
    grown = checked_upload(project, question_file(["a", "b"]))
    reduced = reduced_upload(grown)

    for purge in purge_service.start_purge([first]):
        purge_service.delete_content(purge)

    assert not RequestDigests.objects.filter(upload=first.upload).exists()
    assert checked_upload(project, question_file(["a", "c"])).reuse_offer is None
    with pytest.raises(Refused) as refused:
        run(reduced)
    assert refused.value.code == Refusal.KEPT_ANSWERS_DELETED


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    earlier=st.lists(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5), max_size=2),
    questions=st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8),
    choice=st.builds(ReuseChoice, st.booleans(), st.just(False), st.booleans()),
)
def test_the_merged_result_is_that_of_running_everything(
    earlier: list[list[str]], questions: list[str], choice: ReuseChoice
) -> None:
    project = make_project()
    for file in earlier:
        run(checked_upload(project, question_file(file)))
    original = checked_upload(project, question_file([*questions, "never asked before"]))

    reduced = run(reduced_upload(original, choice))

    assert merged(reduced) == merged(run(original))
    assert reduced.requests + reduced.reused == len(questions) + 1
    assert Result.objects.filter(batch=reduced).count() == len(questions) + 1


def _settling(batch: Batch) -> Batch:
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.SETTLING)
    return Batch.objects.get(pk=batch.pk)
