"""Split a batch into several provider batches."""

import json

import httpx
import pytest
from django.db.models import Sum
from django.utils import timezone

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, ProviderBatch, Result, StaleRow, bulk_rows
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, prepare
from batchapp.services.results import browse, retry_file
from tests.make import (
    answer_line,
    error_line,
    make_batch,
    make_connection,
    make_project,
    make_upload,
    request_file,
    request_line,
    set_state,
)
from tests.provider import Provider
from tests.sentences import told
from tests.steps import Killed, advance, die

pytestmark = pytest.mark.django_db
Status, Parked = ProviderBatch.Status, ProviderBatch.Parked


@pytest.fixture
def batch() -> Batch:
    """Five requests for a provider that takes two a file."""
    project = make_project(connection=make_connection(max_requests=2))
    return make_batch(upload=make_upload(project, content=request_file(5)))


def work(batch: Batch, *statuses: Status) -> list[ProviderBatch]:
    """Run one step of every provider batch in one of ``statuses``."""
    for provider_batch in batch.provider_batches.filter(status__in=statuses or Status.values):
        ProviderBatch.objects.filter(pk=provider_batch.pk, next_check_at__isnull=False).update(
            next_check_at=timezone.now(), leased_until=None
        )
        advance(provider_batch)
    return list(batch.provider_batches.all())


def sent_to(batch: Batch) -> list[ProviderBatch]:
    """Split the file, then prepare and submit all provider batches."""
    work(batch)
    work(batch, Status.PREPARING)
    return work(batch, Status.WAITING)


def numbers_in(provider: Provider, provider_batch: ProviderBatch) -> list[int]:
    """Return the numbers of the requests in the file that the provider got."""
    lines = provider.sent[provider_batch.remote_file_id].splitlines()
    return [int(json.loads(line)["custom_id"].removeprefix("row-")) for line in lines]


def end(provider: Provider, provider_batch: ProviderBatch, failed: int = 0) -> None:
    """Let the provider answer every request, the first ``failed`` with an error."""
    remote, numbers = (
        provider.batches[provider_batch.remote_id],
        numbers_in(provider, provider_batch),
    )
    bad, good = numbers[:failed], numbers[failed:]
    provider.contents[remote["output_file_id"]] = [answer_line(n) for n in good]
    provider.contents[remote["error_file_id"]] = [error_line(n) for n in bad]
    remote["status"] = "completed"
    remote["request_counts"] = {
        "total": len(numbers),
        "completed": len(good),
        "failed": len(bad),
    }


def settled(batch: Batch) -> Batch:
    for _ in range(3):
        work(batch)
    ProviderBatch.objects.start_settling()
    advance(batch)
    return Batch.objects.get(pk=batch.pk)


def test_a_file_that_fits_is_neither_split_nor_read_for_it() -> None:
    whole = make_batch()
    whole.upload.blob.delete(save=False)
    provider_batch = ProviderBatch.objects.get(batch=whole)

    prepare.split_file(provider_batch)

    assert (provider_batch.starts_at, provider_batch.size) == (0, whole.upload.size)
    assert whole.provider_batches.count() == 1
    assert not told(whole, "Split")


def test_every_provider_batch_gets_its_own_lines_and_together_they_are_the_file(
    provider: Provider, batch: Batch
) -> None:
    provider_batches = sent_to(batch)

    assert [row.number for row in provider_batches] == [1, 2, 3]
    assert [row.total for row in provider_batches] == [2, 2, 1]
    assert [numbers_in(provider, row) for row in provider_batches] == [[1, 2], [3, 4], [5]]
    content = b"".join(batch.upload.chunks())
    assert b"".join(provider.sent[row.remote_file_id] for row in provider_batches) == content
    metadata = [provider.batches[row.remote_id]["metadata"] for row in provider_batches]
    assert [tags["portal_provider_batch"] for tags in metadata] == ["1/3", "2/3", "3/3"]
    assert {tags["portal_batch"] for tags in metadata} == {str(batch.pk)}
    assert [tags["portal_submission"] for tags in metadata] == [
        row.token for row in provider_batches
    ]
    assert len(told(batch, "Split into 3 provider batches.")) == 1


def test_results_have_the_line_and_bytes_in_the_whole_file(
    provider: Provider, batch: Batch
) -> None:
    sent_to(batch)

    rows = list(Result.objects.filter(batch=batch).order_by("line"))

    assert [row.line for row in rows] == [1, 2, 3, 4, 5]
    assert [row.provider_batch.number for row in rows] == [1, 1, 2, 2, 3]
    for row in rows:
        texts = browse.read_texts(row, row.batch.created_by)
        assert json.loads(texts.request)["custom_id"] == row.custom_id


def test_a_split_batch_ends_with_every_request_accounted_for(
    provider: Provider, batch: Batch
) -> None:
    provider_batches = sent_to(batch)
    for provider_batch, failed in zip(provider_batches, [0, 1, 0], strict=True):
        end(provider, provider_batch, failed)

    done = settled(batch)

    assert done.status == Batch.Status.COMPLETED
    assert (done.succeeded, done.failed, done.cancelled, done.missing) == (4, 1, 0, 0)
    assert done.actual_cost_usd == batch.model_costs.aggregate(cost=Sum("cost_usd"))["cost"]
    assert done.output_tokens == 4 * 50


def test_provider_batches_that_end_at_different_times_wait_for_the_last(
    provider: Provider, batch: Batch
) -> None:
    first, *others = sent_to(batch)
    end(provider, first)
    running = settled(batch)
    assert running.status == Batch.Status.RUNNING
    assert ProviderBatch.objects.get(pk=first.pk).status == Status.DONE

    for provider_batch in others:
        end(provider, provider_batch)

    assert settled(batch).is_accounted_for


@pytest.mark.parametrize("moment", ["divided", "written"])
def test_a_worker_that_dies_after_the_split_leaves_the_same_provider_batches(
    provider: Provider, batch: Batch, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    module, function = {
        "divided": (prepare, "pending_rows"),
        "written": (bulk_rows, "insert_new"),
    }[moment]
    with monkeypatch.context() as patch:
        patch.setattr(module, function, die)
        with pytest.raises(Killed):
            work(batch)
    before = list(batch.provider_batches.values_list("pk", "number", "starts_at", "size", "total"))

    provider_batches = sent_to(batch)

    assert (
        list(batch.provider_batches.values_list("pk", "number", "starts_at", "size", "total"))
        == before
    )
    assert len(provider_batches) == 3
    assert batch.results.count() == 5
    assert len(provider.batches) == 3


def test_preparing_again_writes_what_is_missing_and_changes_nothing_else() -> None:
    provider_batch = make_batch().provider_batches.get()
    prepare.prepare(provider_batch)
    answered = Result.objects.get(line=1)
    Result.objects.filter(pk=answered.pk).update(outcome=Outcome.OK)
    Result.objects.filter(line=3).delete()

    prepare.prepare(set_state(provider_batch.batch, status=Status.PREPARING))

    rows = Result.objects.order_by("line").values_list("line", "custom_id", "outcome")
    assert list(rows) == [(1, "row-1", "ok"), (2, "row-2", "pending"), (3, "row-3", "pending")]
    assert Result.objects.get(line=1).pk == answered.pk


def test_a_worker_whose_lease_is_gone_writes_no_further_results() -> None:
    provider_batch = make_batch().provider_batches.get()
    prepare.split_file(provider_batch)
    set_state(provider_batch.batch, leased_until=timezone.now())

    with pytest.raises(StaleRow):
        prepare.prepare(provider_batch)

    assert not Result.objects.exists()


def test_a_worker_that_dies_before_the_split_leaves_nothing_of_it(
    provider: Provider, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "_spans", die)
        with pytest.raises(Killed):
            work(batch)

    assert batch.provider_batches.get().size is None
    assert len(sent_to(batch)) == 3


def test_a_limit_that_changes_later_does_not_split_the_file_again(
    provider: Provider, batch: Batch
) -> None:
    work(batch)
    batch.connection.max_requests = 1
    batch.connection.save()

    assert len(sent_to(batch)) == 3


def test_cancelling_midway_ends_waiting_ones_at_once_and_running_ones_at_the_provider(
    provider: Provider, batch: Batch
) -> None:
    work(batch)
    work(batch, Status.PREPARING)
    first = batch.provider_batches.get(number=1)
    advance(first)

    assert controls.request_cancel(batch, batch.created_by)
    provider_batches = work(batch)

    assert [row.status for row in provider_batches[1:]] == [Status.CANCELLED] * 2
    assert provider.calls.count("POST /v1/batches") == 1
    assert provider.calls.count("POST /v1/batches/ID/cancel") == 1
    done = settled(batch)
    assert done.status == Batch.Status.CANCELLED
    assert done.cancelled == 5


@pytest.mark.parametrize("parked_reason", ["", Parked.PAUSED])
def test_what_is_cancelled_before_it_was_prepared_can_be_retried(
    provider: Provider, batch: Batch, parked_reason: str
) -> None:
    work(batch)  # prepares only the first provider batch
    unwritten = batch.provider_batches.filter(status=Status.PREPARING)
    unwritten.update(parked_reason=parked_reason)
    controls.request_cancel(batch, batch.created_by)

    done = settled(batch)

    assert (done.status, done.cancelled) == (Batch.Status.CANCELLED, 5)
    assert batch.results.filter(outcome=Outcome.CANCELLED).count() == 5
    assert retry_file.has_retryable(done)
    assert provider.batches == {}


def test_requests_whose_results_cannot_be_written_count_as_cancelled(
    provider: Provider, batch: Batch
) -> None:
    work(batch)
    unwritten = batch.provider_batches.filter(status=Status.PREPARING)
    unwritten.update(parked_reason=Parked.NEEDS_ATTENTION)
    controls.request_cancel(batch, batch.created_by)

    done = settled(batch)

    assert batch.results.count() == 2
    assert (done.status, done.cancelled) == (Batch.Status.CANCELLED, 5)


def test_one_rejected_provider_batch_waits_for_a_person_while_the_others_go_on(
    provider: Provider, batch: Batch
) -> None:
    work(batch)
    work(batch, Status.PREPARING)
    second = batch.provider_batches.get(number=2)

    def refuse(call: str, request: httpx.Request) -> httpx.Response | None:
        if call == "POST /v1/batches" and second.token in request.content.decode():
            return httpx.Response(400, text="Line 1: no.")
        return None

    provider.before = refuse
    first, refused, third = work(batch, Status.WAITING)

    assert refused.parked_reason == Parked.NEEDS_ATTENTION
    assert "Line 1: no." in problem_text(refused.problem)
    assert (first.status, third.status) == (Status.RUNNING, Status.RUNNING)
    end(provider, first)
    end(provider, third)
    assert settled(batch).status == Batch.Status.RUNNING

    provider.before = lambda *_: None
    controls.try_again(batch, batch.created_by)
    work(batch, Status.WAITING)
    end(provider, batch.provider_batches.get(number=2))
    done = settled(batch)
    assert done.is_accounted_for
    assert done.results.filter(outcome=Outcome.OK).count() == 5


def test_an_unconfirmed_file_is_recognised_by_the_size_of_its_span(
    provider: Provider, batch: Batch
) -> None:
    work(batch)
    work(batch, Status.PREPARING)
    provider_batch = batch.provider_batches.get(number=2)
    provider.files["f-1"], provider.sizes["f-1"] = (
        f"{provider_batch.token}.jsonl",
        provider_batch.size or 0,
    )
    ProviderBatch.objects.filter(pk=provider_batch.pk).update(upload_attempted_at=timezone.now())

    advance(provider_batch)

    assert ProviderBatch.objects.get(pk=provider_batch.pk).remote_file_id == "f-1"
    assert "POST /v1/files" not in provider.calls


def test_a_provider_batch_without_a_size_is_the_whole_file(provider: Provider) -> None:
    provider_batch = ProviderBatch.objects.get(batch=make_batch())
    prepare.prepare(provider_batch)
    ProviderBatch.objects.update(size=None, starts_at=0)

    advance(provider_batch)

    provider_batch.refresh_from_db()
    assert provider.sent[provider_batch.remote_file_id] == b"".join(
        provider_batch.batch.upload.chunks()
    )
    (remote,) = provider.batches.values()
    assert "portal_provider_batch" not in remote["metadata"]


def test_a_provider_of_one_model_a_file_gets_a_file_for_each_model(provider: Provider) -> None:
    models = ["small", "large", "small", "large", "small", "small"]
    content = "\n".join(
        request_line(number, model=model) for number, model in enumerate(models, start=1)
    )
    project = make_project(connection=make_connection(kind="openai", max_requests=3))
    batch = make_batch(upload=make_upload(project, content=content.encode()))

    parts = sent_to(batch)

    assert [numbers_in(provider, part) for part in parts] == [[1, 3, 5], [6], [2, 4]]
    assert [part.only_model for part in parts] == ["small", "small", "large"]
    assert [part.total for part in parts] == [3, 1, 2]
    rows = batch.results.order_by("line").values_list("line", "model", "provider_batch__number")
    assert [row[:2] for row in rows] == list(enumerate(models, start=1))
    assert [row[2] for row in rows] == [1, 3, 1, 3, 1, 2]


def test_a_file_of_one_model_is_sent_as_it_is(provider: Provider) -> None:
    project = make_project(connection=make_connection(kind="openai"))
    batch = make_batch(upload=make_upload(project, content=request_file(3)))

    (part,) = sent_to(batch)

    assert (part.only_model, numbers_in(provider, part)) == ("", [1, 2, 3])
