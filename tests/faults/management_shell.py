"""Management commands of one portal, run in a process that stays: starting one takes seconds.

python -m tests.faults.management_shell      reads JSON lists of words; answers in JSON objects
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO

import django
from django.core.management import call_command
from django.db import close_old_connections

from tests.processes.portal import ROOT

DATABASE_AWAY_SECONDS = 60


class ManagementShell:
    """May be used by several threads, which queue."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._queue = threading.Lock()

    def run(self, *words: str) -> str:
        """Return what the command printed.

        Raises:
            RuntimeError: the command failed, as the message says; part of its work may be done.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        with self._queue:
            stdin.write(json.dumps(words) + "\n")
            stdin.flush()
            answer = json.loads(stdout.readline())
        if answer["error"]:
            raise RuntimeError(f"{words[0]}: {answer['error']}")
        return str(answer["printed"])

    def run_again(self, *words: str) -> str:
        """Run a command that may be repeated, again and again while the database is away."""
        deadline = time.monotonic() + DATABASE_AWAY_SECONDS
        while True:
            try:
                return self.run(*words)
            except RuntimeError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def execute(self, code: str) -> str:
        """Return what Python code printed that may be repeated."""
        return self.run_again("shell", "--no-imports", "--command", code).strip()


@contextmanager
def management_shell(env: Mapping[str, str]) -> Iterator[ManagementShell]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.management_shell"],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield ManagementShell(process)
        finally:
            process.kill()


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    for line in sys.stdin:
        printed = StringIO()
        error = ""
        close_old_connections()
        try:
            with redirect_stdout(printed):
                call_command(*json.loads(line), stdout=printed)
        except Exception as exc:  # noqa: BLE001  # the caller decides
            error = f"{type(exc).__name__}: {exc}"
        sys.stdout.write(json.dumps({"printed": printed.getvalue(), "error": error}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
