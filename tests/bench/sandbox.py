"""A sandbox in a process of its own, as the provider of a measurement."""

import subprocess
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from os import sched_setaffinity
from pathlib import Path

from tests.processes.portal import ROOT, is_up, until


@contextmanager
def sandbox(
    folder: Path, port: int, *, speed: float = 1.0, cores: Collection[int] = ()
) -> Iterator[str]:
    """Run a sandbox on ``port``, and yield its address."""
    url = f"http://127.0.0.1:{port}"
    arguments = ["--port", str(port), "--data", str(folder), "--speed", str(speed)]
    with (
        (folder.parent / "sandbox.log").open("a") as log,
        subprocess.Popen(
            [sys.executable, "-m", "batchapp.sandbox", *arguments],
            cwd=ROOT,
            stdout=log,
            stderr=log,
        ) as process,
    ):
        if cores:
            sched_setaffinity(process.pid, cores)
        try:
            until(lambda: is_up(f"{url}/healthz"), "the sandbox")
            yield url
        finally:
            process.terminate()
            process.wait(30)
