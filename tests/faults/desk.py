"""Management commands of one portal, in a process that stays: starting one takes seconds.

python -m tests.faults.desk      reads JSON lists of words, one a line; answers in JSON objects
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO

import django
from django.core.management import call_command
from django.db import close_old_connections

from tests.processes.portal import ROOT


class Desk:
    """May be used by several threads; they queue."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._queue = threading.Lock()

    def run(self, *words: str) -> str:
        """Return what the command printed.

        Raises:
            RuntimeError: it failed, as its message says; it may have done part of its work.
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


@contextmanager
def desk(env: Mapping[str, str]) -> Iterator[Desk]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.desk"],
        cwd=ROOT,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Desk(process)
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
        except Exception as exc:  # noqa: BLE001  # whoever asked decides
            error = f"{type(exc).__name__}: {exc}"
        sys.stdout.write(json.dumps({"printed": printed.getvalue(), "error": error}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
