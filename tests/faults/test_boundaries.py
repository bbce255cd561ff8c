"""A worker is killed before and after everything it writes down or asks a provider for."""

from pathlib import Path

import pytest

from tests.faults.boundaries import die_everywhere
from tests.faults.storm import Plan

pytestmark = [pytest.mark.processes]
PLAN = Plan(
    seed=20_261_123,
    batches=5,
    requests=(3, 6),
    faults=["", "", "lost-reply/create#1", "lost-reply/upload#1~missing=50#1"],
    patience=180,
    shapes=["plain"],
)


def test_a_worker_that_dies_at_boundaries_of_its_steps_pays_once_and_loses_nothing(
    tmp_path: Path,
) -> None:
    found, died, seen = die_everywhere(tmp_path, PLAN, every=10)

    assert found.proof.complaints == []
    assert len(died) >= 6, "there was hardly a death"
    assert len(seen) > 3 * len(died) / 2
    assert found.proof.batches >= PLAN.batches
