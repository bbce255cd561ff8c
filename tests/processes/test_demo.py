"""`make demo` as a newcomer meets it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.processes.portal import ROOT, free_port, install, is_up, stack, until

pytestmark = [pytest.mark.processes]


@contextmanager
def demo(data_dir: Path, **settings: str) -> Iterator[subprocess.Popen[str]]:
    with stack() as urls:
        env = os.environ | urls | {"DATA_DIR": str(data_dir)} | settings
        install(env)
        with subprocess.Popen(
            [sys.executable, "manage.py", "demo"],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def test_it_ends_well_and_accounts_for_every_request(tmp_path: Path) -> None:
    port = free_port()

    with demo(tmp_path, PORT=str(port), DEMO_EXIT="1") as process:
        out, err = process.communicate(timeout=300)

    assert process.returncode == 0, err
    for step in ("Upload", "Check", "Submit", "Run", "Harvest"):
        assert re.search(rf"{step} +█+ 100%", out)
    facts = dict(re.findall(r"^  (\S[\w ]*?)  +(.+)$", out, re.MULTILINE))
    assert (facts["requests"], facts["succeeded"], facts["failed"]) == ("300", "300", "0")
    assert facts["estimated cost"].startswith("$0.00")
    assert facts["actual cost"].startswith("$0.00")
    assert facts["console"].startswith(f"http://localhost:{port}/batches/")
    assert not is_up(f"http://localhost:{port}/readyz")


def test_it_stays_up_until_ctrl_c_and_leaves_nothing_behind(tmp_path: Path) -> None:
    port = free_port()

    with demo(tmp_path, PORT=str(port)) as process:
        assert process.stdout
        for line in process.stdout:
            if "Running until Ctrl-C" in line:
                break
        assert is_up(f"http://localhost:{port}/readyz")
        process.send_signal(signal.SIGINT)
        assert process.wait(180) == 0

    assert not is_up(f"http://localhost:{port}/readyz")
    until(lambda: not _processes_of(tmp_path), "the last processes to end")


def _processes_of(folder: Path) -> bytes:
    found = subprocess.run(["pgrep", "-f", str(folder)], stdout=subprocess.PIPE, check=False)
    return found.stdout


def test_a_taken_port_is_a_clear_message(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with demo(tmp_path, PORT=str(port)) as process:
            _, err = process.communicate(timeout=180)

    assert process.returncode == 1
    assert f"Port {port}: another program listens there. Try another: PORT={port + 1}" in err
    assert "Traceback" not in err
