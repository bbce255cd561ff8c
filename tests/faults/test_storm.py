"""A provider that misbehaves, processes that are killed, and the ledger of what was paid."""

from pathlib import Path

import pytest

from tests.faults.storm import storm
from tests.processes.portal import portal

pytestmark = [pytest.mark.processes]
SEED = 20_261_122


def test_under_faults_and_kills_each_batch_is_paid_once_and_every_request_has_an_end(
    tmp_path: Path,
) -> None:
    with portal(tmp_path, speed=10) as it:
        found = storm(it, batches=5, kills=6, requests=40, seed=SEED)

    assert sum(found.killed.values()) >= 4
    assert found.struck > 5, "the provider behaved"
    tokens = [token for batch in found.batches for token in batch["tokens"]]
    paid = found.ledger["by_metadata"]["portal_submission"]
    assert {token: paid[token]["paid"] for token in tokens} == dict.fromkeys(tokens, 1)
    assert found.ledger["total"]["paid"] == len(tokens) == 5
    for batch in found.batches:
        assert batch["requests"] == batch["ended"] == batch["ledger"] == 40, batch
        assert batch["missing"] == 0, batch
        assert batch["status"] == "completed", batch
