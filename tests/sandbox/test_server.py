"""The sandbox as a process: messages, restarts, memory and speed."""

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sandbox.api_client import Api, chat, client, line, lines
from tests.sandbox.processes import sandbox_process

KEY = "sk-process"


def peak_megabytes(pid: int) -> int:
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert match
    return int(match[1]) // 1024


def test_a_killed_sandbox_continues_after_its_restart(tmp_path):
    with (
        sandbox_process(tmp_path, speed=8) as (url, process),
        client(url, KEY) as http,
    ):
        api = Api(http)
        batch = api.batch(lines(50), metadata={"tag": "x"})
        while not api.get(batch)["request_counts"]["completed"]:
            time.sleep(0.02)
        before = api.content(batch["output_file_id"]).text
        process.send_signal(signal.SIGKILL)
        process.wait()

    with (
        sandbox_process(tmp_path, speed=8) as (url, _process),
        client(url, KEY) as http,
    ):
        api = Api(http)
        assert api.get(batch)["metadata"]["tag"] == "x"
        finished = api.wait(batch)
        after = api.content(batch["output_file_id"]).text

    assert before
    assert after.startswith(before)
    assert finished["request_counts"]["completed"] == 50


def test_a_port_in_use_is_reported_in_one_line(tmp_path):
    with sandbox_process(tmp_path / "one") as (url, _process):
        port = url.rpartition(":")[2]
        command = [sys.executable, "-m", "batchapp.sandbox", "--port", port]

        second = subprocess.run(
            [*command, "--data", str(tmp_path / "two")],
            capture_output=True,
            text=True,
            check=False,
        )

    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr == f"sandbox: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_missing_port_is_reported_in_one_line(tmp_path):
    command = [sys.executable, "-m", "batchapp.sandbox", "--data", str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "sandbox: --port is needed to listen\n"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads memory from /proc")
def test_a_large_upload_is_not_held_in_memory(tmp_path):
    body = (line("row", **chat("word " * 400)) + "\n").encode()
    large = body * (20_000_000 // len(body))

    with (
        sandbox_process(tmp_path) as (url, process),
        client(url, KEY) as http,
    ):
        refused = Api(http).upload(large + b"bad\n")
        peak = peak_megabytes(process.pid)
        listed = http.get("/v1/files").json()

    assert refused.status_code == 400
    assert refused.text.startswith("Invalid JSON on line ")
    assert peak < 70
    assert listed["data"] == []
    assert list((tmp_path / "files").iterdir()) == []


def test_ten_thousand_requests_are_created_and_downloaded(api):
    batch = api.finished(lines(10_000))
    rows = api.content(batch["output_file_id"]).text.count("\n")

    assert rows == 10_000
