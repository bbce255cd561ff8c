"""A Celery worker whose children kill themselves at the boundaries of their steps.

python -m tests.faults.dying_worker -A config worker …     takes Celery's arguments

A boundary lies before and after every statement that writes, before and after every call to a
provider, and where a task ends. Each place is died at once, by whoever comes there first: what
happened there is left in DEATHS_DIR, so that it outlives the worker. With DEATHS_EVERY=5 it is one
place in five, chosen by DEATHS_SEED.
"""

import os
import re
import signal
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from celery import __main__ as celery
from celery.signals import task_postrun, task_prerun
from django.apps import apps
from django.db import connection

WRITES = {"INSERT", "UPDATE", "DELETE"}
OFTEN = 3
"""The third time within a task stands for all that follow."""

MOST_DEATHS = 4
"""For one row: a step that dies ten times in a row waits for a person, as it should."""


class Deaths:
    """What was died of so far, in a folder that all workers share."""

    def __init__(self, folder: Path, every: int, seed: str) -> None:
        self._folder, self._every, self._seed = folder, every, seed
        for name in ("seen", "died", "rows"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def come_to(self, place: str, row: str) -> None:
        """Die here, if it is the first time and this place was chosen."""
        name = re.sub(r"[^\w#*]+", "-", place)
        (self._folder / "seen" / name).touch()
        deaths = self._folder / "rows" / row if row else None
        is_chosen = zlib.crc32(f"{self._seed} {name}".encode()) % self._every == 0
        if not is_chosen or (deaths and deaths.exists() and deaths.stat().st_size >= MOST_DEATHS):
            return
        try:
            (self._folder / "died" / name).touch(exist_ok=False)
        except FileExistsError:
            return
        if deaths:
            with deaths.open("a") as marks:
                marks.write("+")
        os.kill(os.getpid(), signal.SIGKILL)


class Watcher:
    """Counts the boundaries of the task that this process is at."""

    def __init__(self, deaths: Deaths) -> None:
        self._deaths = deaths
        self._task = self._row = ""
        self._times: Counter[str] = Counter()

    def begin(self, task: Any, args: list[str], **_: object) -> None:
        """Name what the task does: one task moves all rows, and the status decides on the step."""
        self._task = self._row = ""
        name = task.name.rpartition(".")[2]
        if args:
            kind, self._row = args
            row = apps.get_model("batchapp", kind).objects.filter(pk=self._row).first()
            name = f"{kind} {row.status if row else ''}"
        self._task = name
        self._times.clear()
        if self.on_statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(self.on_statement)

    def end(self, **_: object) -> None:
        self._pass("end", "")
        self._task = ""

    def on_statement(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        verb = sql.split(maxsplit=1)[0]
        if verb not in WRITES:
            return execute(sql, params, many, context)
        table = re.search(r'"(\w+)"', sql)
        what = f"{verb} {table[1] if table else ''}"
        self._pass("before", what)
        found = execute(sql, params, many, context)
        self._pass("after", what)
        return found

    def on_call(self, send: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
        def watched(client: httpx.Client, request: httpx.Request, **kwargs: Any) -> httpx.Response:
            what = f"{request.method} {re.sub(r'[0-9a-f-]{36}', '*', request.url.path)}"
            self._pass("before", what)
            found = send(client, request, **kwargs)
            self._pass("after", what)
            return found

        return watched

    def _pass(self, when: str, what: str) -> None:
        if not self._task:
            return
        self._times[f"{when} {what}"] += 1
        time = min(self._times[f"{when} {what}"], OFTEN)
        self._deaths.come_to(f"{self._task} {when} {what} #{time}", self._row)


def main() -> None:
    deaths = Deaths(
        Path(os.environ["DEATHS_DIR"]), int(os.environ["DEATHS_EVERY"]), os.environ["DEATHS_SEED"]
    )
    watcher = Watcher(deaths)
    task_prerun.connect(watcher.begin, weak=False)
    task_postrun.connect(watcher.end, weak=False)
    httpx.Client.send = watcher.on_call(httpx.Client.send)  # type: ignore[method-assign]
    celery.main()


if __name__ == "__main__":
    main()
