"""A provider that misbehaves, processes that are killed, and the ledger of what was paid."""

from pathlib import Path

import pytest

from tests.faults.forgeries import FORGERIES
from tests.faults.orders import SHAPES
from tests.faults.provider_faults import FAULTS, NO_ROOM_FAULTS
from tests.faults.storm import Plan, storm
from tests.processes.portal import portal

pytestmark = [pytest.mark.processes]
PLAN = Plan(
    seed=20_261_122,
    batches=7,
    kills=8,
    requests=(20, 60),
    patience=180,
    # The others wait for room for a minute.
    faults=[line for line in FAULTS if "busy" not in line] + NO_ROOM_FAULTS[:1],
    actions=["nothing", "cancel, retry", "retry in place", "pause", "nothing", "retry"],
)


def test_under_faults_and_kills_each_batch_is_paid_once_and_every_request_has_an_end(
    tmp_path: Path,
) -> None:
    with portal(tmp_path, speed=10) as running:
        found = storm(running, PLAN)

    assert found.proof.complaints == []
    assert found.killed.total() == PLAN.kills
    assert found.struck.total() > 5, "the provider behaved"
    assert found.proof.batches >= PLAN.batches
    assert found.proof.answers > 100
    assert set(SHAPES) <= set(found.proof.kinds)
    assert found.forgeries > len(FORGERIES) / 2
