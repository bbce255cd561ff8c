"""Chunks from before a retry in place are told from those after it, as far as that is known."""

from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0015_reused_answers", "0016_retries_after"


def test_chunks_up_to_the_last_cleared_errors_came_before_a_retry(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    retried, other = (old.create("ProviderBatch", batch=old.make_batch()) for _ in range(2))
    for kind in ("output", "past", "output", "error"):
        old.create("ResultChunk", provider_batch=retried, kind=kind, blob=kind, lines=0, size=0)
    old.create("ResultChunk", provider_batch=other, kind="output", blob="other", lines=0, size=0)

    new = Rows(migrate(AFTER))

    noted = new.model("ResultChunk").objects.order_by("pk").values_list("retries_after", flat=True)
    assert list(noted) == [1, 1, 0, 0, 0]
