"""``manage.py rebuild``: what it says, and when it refuses."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from batchapp.models import Batch, ResultChunk
from batchapp.services.archive import purge
from tests.make import finish, make_batch

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch() -> Batch:
    return finish(make_batch(name="Tickets"))


def run(batch: object) -> str:
    out = StringIO()
    call_command("rebuild", str(batch), stdout=out, stderr=out)
    return out.getvalue()


def test_lost_results_are_back(batch: Batch) -> None:
    batch.results.all().delete()

    assert run(batch.pk) == "Rebuilt 3 results of Tickets.\n"

    assert batch.results.count() == 3


def test_counts_that_differ_all_the_same_are_told(batch: Batch) -> None:
    Batch.objects.update(succeeded=2)

    assert "its results say 3 succeeded instead of 2" in run(batch.pk)


def test_nothing_is_touched_while_a_file_differs(batch: Batch) -> None:
    blob = ResultChunk.objects.get().blob
    blob.storage.delete(str(blob))
    before = list(batch.results.values())

    with pytest.raises(CommandError, match="Restore these files from a backup first"):
        run(batch.pk)

    assert list(batch.results.values()) == before


@pytest.mark.parametrize("name", ["nonsense", "00000000-0000-0000-0000-000000000000"])
def test_a_batch_that_is_not_there_is_told(batch: Batch, name: str) -> None:
    with pytest.raises(CommandError, match="There is no batch"):
        run(name)


def test_a_batch_that_runs_or_was_deleted_is_refused(batch: Batch) -> None:
    with pytest.raises(CommandError, match="Tickets is under way"):
        run(make_batch(batch.project, name="Tickets").pk)
    purge.start_purge([batch])
    with pytest.raises(CommandError, match="were deleted on"):
        run(batch.pk)
