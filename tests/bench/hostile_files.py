"""Time and memory of reading hostile files: ``python -m tests.bench.hostile_files``.

Each file of ``tests.bombs`` is made, and read in a process of its own as the portal reads it. With
``--json`` the measurements are written as JSON, and ``--seconds`` lowers the limit of a table.
"""

import json
import os
import resource
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from batchapp.domain.refused import Refused
from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.limits import Limits
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.tables import open_table
from tests.bombs import MIB, REQUESTS, TABLES

COLUMNS = "{name:<55} {kib:>9,.0f} {seconds:>8.1f} {mib:>8.0f}  {answer}"


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--seconds", type=int, help="of processor time for a table")
    options = parser.parse_args()
    if options.seconds:
        open_table.SECONDS, open_table.SECONDS_PER_MIB = options.seconds, 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bomb"
        for read, recipes in ((read_table, TABLES), (check_requests, REQUESTS)):
            for name, recipe in recipes.items():
                recipe(path)
                size = path.stat().st_size / 1024
                facts = {"name": name, "kib": size} | measure(read, path)
                line = json.dumps(facts) if options.json else COLUMNS.format(**facts)
                print(line, flush=True)  # noqa: T201  # a command


def measure(read: Callable[[Path], str], path: Path) -> dict[str, object]:
    """Return seconds, MiB of the process that reads, and the answer in words."""
    started = time.perf_counter()
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        answer = read(path)
        whose = resource.RUSAGE_CHILDREN if read is read_table else resource.RUSAGE_SELF
        memory = resource.getrusage(whose).ru_maxrss
        os.write(writer, f"{memory} {answer}".encode()[:4000])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        memory, _, answer = pipe.read().decode().partition(" ")
    os.waitpid(pid, 0)
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "mib": int(memory or 10**9) / 1024, "answer": answer}


def read_table(path: Path) -> str:
    try:
        with path.open("rb") as source, open_table.open_table(source) as table:
            rows = sum(1 for _ in table.json_rows())
    except Refused as exc:
        return refusal_text(exc)
    return f"{rows:,} rows"


def check_requests(path: Path) -> str:
    with path.open("rb") as source:
        report = check_file.check(iter(lambda: source.read(MIB), b""), Limits(200 * MIB))
    return f"{report.severities}"


if __name__ == "__main__":
    main()
