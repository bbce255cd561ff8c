"""The short form of `python -m tests.faults.broker_storm`."""

from pathlib import Path

import pytest

from tests.faults.broker_storm import endure, small_disk


def test_kills_and_a_full_disk_end_no_worker_and_leave_no_row_behind(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "disk", "2m") as queue:
            outcome = endure(queue, tmp_path, rows=600, kills=3, fills=1, seed=20_261_128)
    except PermissionError as exc:
        pytest.skip(str(exc))

    assert outcome.complaints == []
    assert outcome.kills > 0
    assert outcome.fills > 0
