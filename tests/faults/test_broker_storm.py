"""The short form of `python -m tests.faults.broker_storm`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.broker_storm import endure, small_disk
from tests.processes.portal import ROOT


def test_kills_and_a_full_disk_end_no_worker_and_leave_no_row_behind(tmp_path: Path) -> None:
    try:
        with small_disk(tmp_path / "disk", "2m") as queue:
            outcome = endure(queue, tmp_path, rows=600, kills=3, fills=1, seed=20_261_128)
    except PermissionError as exc:
        pytest.skip(str(exc))

    assert outcome.complaints == []
    assert outcome.kills > 0
    assert outcome.fills > 0


def test_the_command_succeeds_if_no_message_is_lost() -> None:
    command = [sys.executable, "-m", "tests.faults.broker_storm", "--messages", "50"]
    done = subprocess.run(
        [*command, "--kills", "0"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "PermissionError" in done.stderr:
        pytest.skip("a small file system cannot be mounted here")

    assert done.returncode == 0, done.stderr
    assert "moved=50" in done.stdout
