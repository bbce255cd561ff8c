"""Chunks from before a retry in place are told from those after it, as far as that is known."""

from batchapp.models import ResultChunk
from tests.make import finish, make_batch
from tests.migrations.conftest import Migrate

BEFORE = "0015_reused_answers"


def test_chunks_up_to_the_last_cleared_errors_came_before_a_retry(migrate: Migrate) -> None:
    provider_batch = finish(make_batch()).provider_batches.get()
    ResultChunk.objects.all().delete()
    for kind in ("output", "past", "output", "error"):
        ResultChunk.objects.create(
            provider_batch=provider_batch, kind=kind, blob=kind, lines=0, size=0
        )
    finish(make_batch())
    migrate(BEFORE)

    migrate("newest")

    noted = ResultChunk.objects.order_by("pk").values_list("retries_after", flat=True)
    assert list(noted) == [1, 1, 0, 0, 0]
