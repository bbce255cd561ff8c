"""The short form of `python -m tests.faults.broker_storm`."""

import re
import subprocess
import sys

import pytest

from tests.processes.portal import ROOT

SHORT = ["--messages", "600", "--kills", "3", "--seed", "20261128", "--disk", "2m"]


def test_kills_and_a_full_disk_end_no_worker_and_leave_no_row_behind() -> None:
    command = [sys.executable, "-m", "tests.faults.broker_storm", *SHORT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "PermissionError" in done.stderr:
        pytest.skip("a small file system cannot be mounted here")

    assert done.returncode == 0, done.stderr  # there are no complaints
    outcome = dict(re.findall(r"(\w+)=(\d+)", done.stdout))
    assert int(outcome["moved"]) >= int(outcome["rows"]) == 600
    assert int(outcome["kills"]) > 0
    assert int(outcome["fills"]) > 0
    assert int(outcome["dropped"]) > 0  # messages for which the disk had no room
