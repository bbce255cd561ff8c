"""A rebuilt batch has the answers that it keeps from other batches, and they those of it."""

from collections.abc import Callable
from typing import Any

import pytest

from batchapp.domain.reuse.reuse_plan import ReuseChoice
from batchapp.models import Batch, Result, ResultColumns, ReusedRequests
from batchapp.pipeline.rebuild_batch import rebuild_batch
from batchapp.presenters.rebuild_text import rebuilt_sentences
from batchapp.services.archive import purge, verify
from batchapp.services.reuse import restore_results
from tests.make import build_columns, make_project
from tests.reuse import checked_upload, merged, question_file, reduced_upload, run

pytestmark = pytest.mark.django_db


@pytest.fixture
def source() -> Batch:
    return run(checked_upload(make_project(), question_file("abc"), name="first.jsonl"))


@pytest.fixture
def batch(source: Batch) -> Batch:
    """Keep three answers, send "d" once for two requests, and "e"."""
    choice = ReuseChoice(keep=True, once=True)
    grown = checked_upload(source.project, question_file("dabcde"))
    return run(reduced_upload(grown, choice), name="grown")


def rows(batch: Batch) -> list[tuple[Any, ...]]:
    columns = ("line", "custom_id", "outcome", "model", "retried__batch", "retried__line")
    return list(Result.objects.filter(batch=batch).order_by("line").values_list(*columns))


def lose_all(batch: Batch) -> None:
    batch.results.all().delete()


def lose_answers(batch: Batch) -> None:
    batch.results.filter(outcome="reused").update(retried=None)


def change_rows(batch: Batch) -> None:
    batch.results.filter(line=2).update(custom_id="?", model="?", outcome="ok")
    batch.results.filter(line=3).update(custom_id="!", retried=batch.results.get(line=6))


def swap_lines(batch: Batch) -> None:
    for line, other in ((2, 99), (3, 2), (99, 3)):
        batch.results.filter(line=line).update(line=other)


def nothing(batch: Batch) -> None:
    pass


@pytest.mark.parametrize("damage", [nothing, lose_all, lose_answers, change_rows, swap_lines])
def test_kept_and_shared_answers_are_restored(
    batch: Batch, damage: Callable[[Batch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore_results, "ROWS_AT_ONCE", 2)
    before, download = rows(batch), merged(batch)
    assert [row[2] for row in before] == ["ok", "reused", "reused", "reused", "reused", "ok"]
    damage(batch)

    rebuilt = rebuild_batch(batch)

    assert (rebuilt.results, rebuilt.reused, rebuilt.without_answer) == (2, 4, 0)
    assert rows(batch) == before
    assert merged(batch) == download
    assert list(verify.verify_results_of(batch)) == []


def test_lost_rows_and_lost_answers_show_in_the_counts_of_their_batch(batch: Batch) -> None:
    batch.results.filter(line=2).delete()
    batch.results.filter(line=3).update(retried=None)

    (difference,) = verify.verify_results_of(batch)

    assert difference.data["counts"] == {"reused": [4, 3], "with an answer": [4, 2]}


def test_batches_that_keep_answers_of_lost_rows_find_them_in_the_rebuilt_ones(
    source: Batch, batch: Batch
) -> None:
    build_columns(batch)
    before = rows(batch)
    source.results.filter(line__in=[1, 2]).delete()
    assert [row[4] for row in rows(batch)] != [row[4] for row in before]

    rebuilt = rebuild_batch(source)

    assert rows(batch) == before
    assert rebuilt.users == [batch]
    assert f"grown ({batch.pk}) has the answers again" in "".join(
        rebuilt_sentences(source, rebuilt)
    )
    assert ResultColumns.objects.get(batch=batch).built_from == ""


def test_a_batch_that_a_worker_has_is_named_to_be_rebuilt_later(
    source: Batch, batch: Batch
) -> None:
    source.results.all().delete()
    assert Batch.objects.lease(batch.pk, Batch.OVER)

    rebuilt = rebuild_batch(source)

    assert (rebuilt.users, rebuilt.busy) == ([], [batch])


def test_what_cannot_be_restored_is_named_with_the_reason(source: Batch, batch: Batch) -> None:
    for row in purge.start_purge([source]):
        purge.delete_content(row)

    rebuilt = rebuild_batch(batch)

    assert (rebuilt.reused, rebuilt.without_answer) == (1, 3)
    *_, reason = rebuilt_sentences(batch, rebuilt)
    assert reason == (
        f"3 requests that grown did not send have no answer: those of {source.name} were deleted."
    )
    assert list(verify.verify_results_of(batch)) == []
    lose_all(batch)
    ReusedRequests.objects.filter(upload=batch.upload).delete()
    *_, reason = rebuilt_sentences(batch, rebuild_batch(batch))
    assert "the list of them is not in the database any more" in reason
