"""`serve` with a worker whose children die at the boundaries of their steps."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from batchapp.management import processes
from batchapp.management.processes import Process
from tests.processes.portal import ROOT

WORKER = f"{sys.executable} -m tests.faults.dying_worker"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--with", dest="extra", action="append", default=[])
    wanted = [
        _with_dying_worker(process) for process in processes.read_procfile(ROOT / "Procfile")
    ]
    for text in parser.parse_args().extra:
        name, _, command = text.partition("=")
        wanted.append(Process(name, command))
    processes.MIN_UPTIME = 0.0  # here a worker that dies at once is no sign of trouble
    processes.keep_running(
        wanted,
        env=processes.environment(Path(sys.executable)),
        output=processes.terminal_output(wanted),
        announce=_announce,
    )


def _announce(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _with_dying_worker(process: Process) -> Process:
    if process.name != "worker":
        return process
    return replace(process, command=process.command.replace("celery", WORKER, 1))


if __name__ == "__main__":
    main()
