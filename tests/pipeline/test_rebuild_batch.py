"""A rebuilt batch has the results that the harvest wrote, whatever happened to its rows."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from batchapp.domain.refused import Refused
from batchapp.models import (
    Batch,
    ProviderBatch,
    Result,
    ResultChunk,
    ResultColumns,
    StaleRow,
    UnmatchedLine,
)
from batchapp.pipeline.rebuild_batch import rebuild_batch
from batchapp.services.archive import verify
from batchapp.services.lifecycle import prepare, retry_in_place
from batchapp.services.lifecycle.harvest import rebuild_results
from tests.make import (
    answer_line,
    error_line,
    finish,
    make_batch,
    make_connection,
    make_project,
    make_upload,
    request_line,
)
from tests.provider import Provider
from tests.steps import make_due, run_step, run_steps

pytestmark = pytest.mark.django_db

LINES = [answer_line(1), b"nonsense", answer_line(2).replace(b'"stop"', b'"length"'), b"\xff"]
UNKNOWN, SECOND = answer_line(9), answer_line(1, text="Again.").replace(b'"line-1"', b'"line-x"')


@pytest.fixture
def batch() -> Batch:
    """Results of every kind: answers, a failure, none; and lines that answer nothing."""
    upload = make_upload(content=b"\n".join(request_line(n).encode() for n in range(1, 6)) + b"\n")
    return finish(make_batch(upload=upload), [*LINES, UNKNOWN, SECOND], [error_line(3)])


def rows(batch: Batch) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every field of the results and the unmatched lines of ``batch``, but their own keys."""
    results = Result.objects.filter(batch=batch).order_by("line")
    unmatched = UnmatchedLine.objects.filter(provider_batch__batch=batch).order_by("answer_at")
    others = ("retried__batch", "retried__custom_id")
    return (
        [_without(row, "id", "retried_id") for row in results.values(*_fields(Result), *others)],
        [_without(row, "id") for row in unmatched.values()],
    )


def _fields(model: Any) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


def lose_all(batch: Batch) -> None:
    batch.results.all().delete()
    UnmatchedLine.objects.filter(provider_batch__batch=batch).delete()


def change_answers(batch: Batch) -> None:
    batch.results.update(outcome="refused", input_tokens=7, preview="?", answer_at=0)
    UnmatchedLine.objects.update(reason="second", custom_id="?")


def change_requests(batch: Batch) -> None:
    batch.results.filter(line=2).update(request_at=0, request_bytes=1, model="?", custom_id="?")


def swap_lines(batch: Batch) -> None:
    batch.results.filter(line=1).update(line=100)
    batch.results.filter(line=2).update(line=1)
    batch.results.filter(line=100).update(line=2)


def add_others(batch: Batch) -> None:
    provider_batch = batch.provider_batches.get()
    for line in (4_000, 5_000):
        Result.objects.create(
            batch=batch,
            provider_batch=provider_batch,
            line=line,
            custom_id=f"other-{line}",
            model="m",
            request_at=0,
            request_bytes=1,
        )


def nothing(batch: Batch) -> None:
    pass


@pytest.mark.parametrize(
    "damage", [nothing, lose_all, change_answers, change_requests, swap_lines, add_others]
)
def test_a_rebuilt_batch_equals_what_the_harvest_wrote(
    batch: Batch, damage: Callable[[Batch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, name in (
        (rebuild_results, "RESULTS_PER_INSERT"),
        (rebuild_results, "LINES_AT_ONCE"),
    ):
        monkeypatch.setattr(module, name, 2)
    before, fields = rows(batch), Batch.objects.values().get(pk=batch.pk)
    assert len(before[0]) == 5
    assert len(before[1]) == 4
    damage(batch)

    assert rebuild_batch(batch).results == 5

    assert rows(batch) == before
    assert Batch.objects.values().get(pk=batch.pk) == fields
    assert list(verify.verify_results_of(batch)) == []


def test_results_that_are_there_keep_their_keys(batch: Batch) -> None:
    keys = dict(batch.results.values_list("line", "pk"))
    batch.results.filter(line=3).delete()

    rebuild_batch(batch)

    after = dict(batch.results.values_list("line", "pk"))
    assert {line: pk for line, pk in keys.items() if line != 3}.items() <= after.items()


def test_answers_that_miss_their_schema_are_found_again() -> None:
    schema = {"type": "object", "required": ["a"]}
    asked = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    request = json.loads(request_line(1))
    request["body"]["response_format"] = asked
    upload = make_upload(content=json.dumps(request).encode() + b"\n")
    batch = finish(make_batch(upload=upload), [answer_line(1, text="{}")])
    assert batch.results.get().outcome == "invalid_schema"
    before = rows(batch)
    lose_all(batch)

    rebuild_batch(batch)

    assert rows(batch) == before


def test_a_batch_of_several_provider_batches_is_rebuilt_with_all_of_them() -> None:
    batch = make_batch(make_project(connection=make_connection(max_requests=2)))
    first = batch.provider_batches.get()
    prepare.split_file(first)
    for row in batch.provider_batches.all():
        prepare.prepare(row)
    batch.provider_batches.update(status=ProviderBatch.Status.DONE)
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.COMPLETED)
    assert batch.provider_batches.count() == 2
    batch.results.update(outcome="missing")
    before = rows(batch)
    lose_all(batch)

    rebuild_batch(batch)

    assert rows(batch) == before
    assert before[0][2]["provider_batch_id"] != before[0][0]["provider_batch_id"]


@pytest.mark.parametrize("lost", ["original", "retry"])
def test_the_answers_of_retries_count_again(batch: Batch, lost: str) -> None:
    upload = make_upload(batch.project, content=request_line(3).encode() + b"\n")
    retry = finish(make_batch(batch.project, upload=upload, parent=batch), [answer_line(3)])
    before = rows(batch), rows(retry)
    assert batch.results.get(line=3).retried
    damaged = batch if lost == "original" else retry
    lose_all(damaged)

    rebuild_batch(damaged)

    assert (rows(batch), rows(retry)) == before


def test_failures_from_before_a_retry_in_place_do_not_come_back(
    provider: Provider, running: ProviderBatch
) -> None:
    failed = answer_line(2).replace(b'"status_code": 200', b'"status_code": 500')
    provider.finish([answer_line(1), failed], [error_line(3)])
    batch = run_steps(running)
    retry_in_place.request_retry_in_place(batch, batch.created_by)
    provider_batch = run_step(make_due(running))
    long_ago = timezone.now() - timedelta(hours=1)
    ProviderBatch.objects.update(retried_in_place_at=long_ago)
    provider.finish([answer_line(1), failed, answer_line(3)], [])
    batch = run_steps(provider_batch)
    before = rows(batch)
    assert {*ResultChunk.objects.values_list("retries_after", flat=True)} == {0, 1}
    lose_all(batch)

    rebuild_batch(batch)

    assert rows(batch) == before


def test_a_batch_at_work_is_refused(batch: Batch) -> None:
    for change in (
        {"status": Batch.Status.RUNNING},
        {"status": Batch.Status.SETTLING},
        {"status": batch.status, "leased_until": timezone.now() + timedelta(seconds=30)},
    ):
        Batch.objects.filter(pk=batch.pk).update(**change)
        before = rows(batch)

        with pytest.raises(Refused):
            rebuild_batch(batch)

        assert rows(batch) == before


def test_a_batch_that_runs_again_meanwhile_is_left_to_the_workers(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    replay = rebuild_results._replay

    def run_again(*args: Any) -> None:
        Batch.objects.get(pk=batch.pk).return_to_running()
        replay(*args)

    monkeypatch.setattr(rebuild_results, "_replay", run_again)

    with pytest.raises(StaleRow):
        rebuild_batch(batch)

    assert Batch.objects.get(pk=batch.pk).status == Batch.Status.RUNNING


def test_the_lease_is_returned_also_when_a_file_is_gone(batch: Batch) -> None:
    before = rows(batch)
    chunk = batch.provider_batches.get().result_chunks.all()[0]
    blob = chunk.blob
    with blob.open("rb") as file:
        content = file.read()
    blob.storage.delete(str(blob))

    with pytest.raises(FileNotFoundError):
        rebuild_batch(batch)
    chunk.blob = blob.storage.save(str(blob), ContentFile(content))
    chunk.save()
    rebuild_batch(batch)

    assert rows(batch) == before
    assert Batch.objects.get(pk=batch.pk).leased_until is None


def test_the_copy_in_columns_is_built_again_after_that(batch: Batch) -> None:
    ResultColumns.objects.create(batch=batch, built_from="what it was")

    rebuild_batch(batch)

    assert ResultColumns.objects.get().built_from == ""


def test_only_some_unmatched_lines_are_listed(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_results, "MAX_LISTED", 2)

    rebuild_batch(batch)

    assert UnmatchedLine.objects.count() == 2
