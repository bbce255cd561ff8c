"""What keeps the portal's processes running, tried with processes that cost nothing to start."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from batchapp.management import processes
from batchapp.management.processes import Process
from tests.variables import ROOT

KEEPER = """
import os, sys
from pathlib import Path
from batchapp.management import processes

processes.STOP_SECONDS = 1.0
portal = processes.read_procfile(Path(sys.argv[1]))
if sys.argv[2:]:
    output = processes.file_output(Path(sys.argv[2]))
else:
    output = processes.terminal_output(portal)
processes.keep_running(
    portal, env=os.environ, output=output, announce=lambda text: print(text, flush=True)
)
"""
SLEEPER = "python -u -c 'import os, time; print(\"up\", os.getpid()); time.sleep(60)'"
STUBBORN = (
    "python -u -c 'import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    'print("up"); time.sleep(60)\''
)


class Kept:
    """A keeper in the background, and what it has printed so far."""

    def __init__(self, process):
        self.process = process
        self.said = ""

    def says(self, pattern, times=1):
        """Wait until a line matches ``pattern``; return the last match's group."""
        deadline = time.monotonic() + 60
        while len(found := re.findall(pattern, self.said)) < times:
            assert time.monotonic() < deadline, f"never said {pattern!r}:\n{self.said}"
            self.said += os.read(self.process.stdout.fileno(), 65536).decode()
        return found[-1]


@pytest.fixture
def keep(tmp_path):
    started = []

    def start(*arguments, **commands):
        procfile = tmp_path / "Procfile"
        procfile.write_text("\n".join(f"{name}: {line}" for name, line in commands.items()))
        process = subprocess.Popen(
            [sys.executable, "-c", KEEPER, procfile, *arguments],
            cwd=ROOT,
            env={**processes.environment(Path(sys.executable)), "GREETING": "hello"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        started.append(process)
        return Kept(process)

    yield start
    for process in started:
        process.terminate()
        process.communicate(timeout=120)


def _is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _dies(pid):
    deadline = time.monotonic() + 60
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not _is_alive(pid)


def test_each_line_comes_behind_the_name_of_its_process(keep):
    kept = keep(
        web='sh -c "echo one; echo two >&2; sleep 60"', worker="echo $GREETING && sleep 60"
    )

    kept.says("web    | one\n")
    kept.says("web    | two\n")
    kept.says("worker | hello\n")


def test_a_killed_process_is_started_again_and_that_is_said(keep):
    kept = keep(web=SLEEPER)
    first = int(kept.says(r"web \| up (\d+)"))
    os.kill(first, signal.SIGKILL)

    kept.says(r"web: killed by SIGKILL; starting again in 1 s\.")
    assert int(kept.says(r"web \| up (\d+)", times=2)) != first


def test_a_process_that_keeps_dying_is_started_less_and_less_often(keep):
    kept = keep(web="sh -c 'exit 3'")

    kept.says(r"web: ended with exit code 3; starting again in 1 s\.")
    kept.says(r"web: ended with exit code 3; starting again in 2 s\.")
    kept.says(r"web: ended with exit code 3; starting again in 4 s\.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_process_and_that_is_success(keep, number):
    kept = keep(web=SLEEPER, worker=SLEEPER)
    pids = [int(kept.says(rf"{name} +\| up (\d+)")) for name in ("web", "worker")]
    kept.process.send_signal(number)

    assert kept.process.wait(120) == 0
    assert not any(_is_alive(pid) for pid in pids)


def test_a_process_that_does_not_want_to_end_is_killed(keep):
    kept = keep(web=STUBBORN)
    pid = int(kept.says(r"started as process (\d+)"))
    kept.says(r"\| up")
    kept.process.terminate()

    assert kept.process.wait(120) == 0
    assert not _is_alive(pid)


def test_the_children_of_a_killed_process_do_not_stay_behind(keep):
    kept = keep(web="sh -c 'sleep 60 & echo child $!; wait'")
    child = int(kept.says(r"child (\d+)"))
    os.kill(int(kept.says(r"started as process (\d+)")), signal.SIGKILL)

    assert _dies(child)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_the_processes_end_when_their_keeper_is_killed(keep):
    kept = keep(web=SLEEPER)
    pid = int(kept.says(r"up (\d+)"))
    kept.process.kill()

    assert _dies(pid)


def test_output_that_nobody_reads_ends_every_process(keep):
    kept = keep(web="sh -c 'while echo more; do sleep 0.1; done'")
    pid = int(kept.says(r"started as process (\d+)"))
    kept.process.stdout.close()

    assert kept.process.wait(120) == 0
    assert not _is_alive(pid)
    kept.process.stdout = None


def test_output_may_go_to_files(keep, tmp_path):
    kept = keep(str(tmp_path / "logs"), web=SLEEPER)
    kept.says("web: started")
    deadline = time.monotonic() + 60
    while not (log := tmp_path / "logs/web.log").exists() or not log.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)

    assert log.read_text().startswith("up ")
    assert "up " not in kept.said


def test_a_full_file_is_moved_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "MAX_LOG_BYTES", 5)
    output = processes.file_output(tmp_path)
    for line in ("first", "second", "third"):
        output("web", line)

    assert (tmp_path / "web.log").read_text() == "third\n"
    assert (tmp_path / "web.log.old").read_text() == "second\n"


def test_a_line_of_any_length_and_kind_passes(capsys):
    output = processes.terminal_output([Process("web", "true")])
    output("web", "é" * 300_000)

    assert len(capsys.readouterr().out) == len("web | \n") + 300_000


def test_the_procfile_is_read_in_its_order(tmp_path):
    (tmp_path / "Procfile").write_text("# why\nweb: run --bind ${HOST}:1\n\nbeat:  tick \n")

    assert processes.read_procfile(tmp_path / "Procfile") == [
        Process("web", "run --bind ${HOST}:1"),
        Process("beat", "tick"),
    ]


def test_only_one_holds_the_lock(tmp_path):
    lock = tmp_path / "run/lock"
    second = pytest.raises(processes.AlreadyRunningError, match=f"^{os.getpid()}$")
    with processes.exclusive(lock), second, processes.exclusive(lock):
        pass
    with processes.exclusive(lock):
        pass


def test_a_taken_port_is_noticed():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert processes.why_not_listening("127.0.0.1", port) == "another program listens there"
    assert processes.why_not_listening("127.0.0.1", port) == ""
    assert processes.why_not_listening("127.0.0.1", 99999) == "there is no such port"
    assert processes.why_not_listening("192.0.2.1", port)
