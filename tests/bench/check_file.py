"""Compare the check of large files with the least that a check must do, as whole processes.

python -m tests.bench.check_file [--memory]

The least is ``tests.bench.floor``. With --memory it measures instead the memory that the check of
a file ten times as large needs, and of lines of ten megabytes.
"""

import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import NamedTuple

import batchapp
from batchapp.domain.model_card_csv import read_cards
from batchapp.domain.request_files.check_file import Limits, check
from tests.bench.request_files import KINDS, MEGABYTES, MODEL, REQUESTS, make_lines
from tests.domain.request_lines import make_body, make_line

ROUNDS = 5
CHUNK_BYTES = 1 << 20
LARGE_FACTOR, MAX_MIB = 10, 250  # a file so many times as large needs little more memory
LONG_LINES, LONG_TEXT = 40, 9_900_000

# How many times as long as the least the check may take, with the start of Python in both.
TARGETS = {"one program": 1.4, "own system prompts": 1.8, "own turns": 1.8}

MODEL_LIST = Path(batchapp.__file__).parent / "data" / "doubleword_models.csv"
LIMITS = Limits(max_bytes=10**10, models=read_cards(MODEL_LIST.read_text()).cards)


class Times(NamedTuple):
    """Seconds of one process: on the clock, and of all processors together."""

    clock: float
    processors: float


def main(*arguments: str) -> None:
    if arguments[:1] == ("check",):
        _check(Path(arguments[1]), int(arguments[2]))
        return
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}\n"
    )
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        path = Path(folder) / "requests.jsonl"
        if "--memory" in arguments:
            _measure_memory(path)
        else:
            for kind in KINDS:
                _compare(path, kind)


def _check(path: Path, times: int) -> None:
    """Check a file, or its content several times, and print the peak of the memory."""
    with path.open("rb") as file:
        chunks = iter(partial(file.read, CHUNK_BYTES), b"")
        report = check(chunks if times == 1 else _repeated(path, times), LIMITS)
    if report.severities["error"] > report.finding_totals.get("duplicate_custom_id", 0):
        sys.exit(f"the file is not what it should be: {report.finding_totals}")
    sys.stdout.write(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}\n")


def _repeated(path: Path, times: int) -> Iterator[bytes]:
    """Repeat the file so many times, with no two equal lines."""
    for number in range(times):
        custom_id, limit = b'"%d-' % number, b'"max_tokens": %d' % (200 + number)
        with path.open("rb") as file:
            while chunk := b"".join(file.readlines(CHUNK_BYTES)):
                yield chunk.replace(b'"r-', custom_id).replace(b'"max_tokens": 200', limit)


def time_check(path: Path) -> float:
    """Return the seconds that the check of the file takes in a process of its own."""
    return _run("check_file", "check", str(path), "1").clock


def _compare(path: Path, kind: str) -> None:
    with path.open("wb") as file:
        file.writelines(make_lines(kind))
    floors, checks = [], []
    for _ in range(ROUNDS):
        floors.append(_run("floor", str(path)))
        checks.append(_run("check_file", "check", str(path), "1"))
    pairs = list(zip(checks, floors, strict=True))
    ratio = statistics.median(check.clock / floor.clock for check, floor in pairs)
    work = statistics.median(check.processors / floor.processors for check, floor in pairs)
    target = TARGETS[kind]
    sys.stdout.write(
        f"{path.stat().st_size / 1_000_000:.0f} MB, {REQUESTS:,} requests to {MODEL}, {kind}: "
        f"least {_median(floors):.2f} s, check {_median(checks):.2f} s\n"
        f"  ratio {ratio:.2f}, target {target}, "
        f"{'reached' if ratio <= target else 'NOT reached'}; of processor time {work:.2f}\n"
    )


def _median(runs: list[Times]) -> float:
    return statistics.median(run.clock for run in runs)


def _run(module: str, *arguments: str) -> Times:
    start, before = time.perf_counter(), os.times()
    _output(module, *arguments)
    after = os.times()
    processors = sum(after[2:4]) - sum(before[2:4])
    return Times(time.perf_counter() - start, processors)


def _output(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", f"tests.bench.{module}", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _measure_memory(path: Path) -> None:
    idle = _peak(path, [make_line()], 1)
    text = "Some words of a long text. " * (LONG_TEXT // 27)
    body = make_body(model=MODEL, messages=[{"role": "user", "content": text}])
    usual, long = next(iter(KINDS)), make_line(body=body) + b"\n"
    for name, lines, times in (
        (f"{MEGABYTES} MB", make_lines(usual), 1),
        (f"{MEGABYTES * LARGE_FACTOR:,} MB", make_lines(usual), LARGE_FACTOR),
        (f"{LONG_LINES} lines of {len(long) / 1_000_000:.0f} MB", repeat(long, LONG_LINES), 1),
    ):
        more = _peak(path, lines, times) - idle
        sys.stdout.write(
            f"{name}: {more} MiB over a file of one line, target {MAX_MIB}, "
            f"{'reached' if more <= MAX_MIB else 'NOT reached'}\n"
        )


def _peak(path: Path, lines: Iterable[bytes], times: int) -> int:
    """Return the peak MiB of a process that checks ``lines`` so many times."""
    with path.open("wb") as file:
        file.writelines(lines)
    return int(_output("check_file", "check", str(path), str(times)))


if __name__ == "__main__":
    main(*sys.argv[1:])
