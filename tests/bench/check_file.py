"""Compare the time of a check with the time to decode the lines and count their tokens.

python -m tests.bench.check_file [--large] [MODEL]

With --large it measures instead the memory that the check of a file ten times as large needs.
"""

import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

import batchapp
from batchapp.domain.model_card_csv import read_cards
from batchapp.domain.request_files.check_file import Limits, check
from batchapp.domain.tokens import model_families
from batchapp.domain.tokens.vocabularies import Vocabulary

# The largest file that the provider accepts, with requests as long as an e-mail.
MEGABYTES, REQUESTS = 200, 126_000

ROUNDS = 3
CHUNK_BYTES = 1 << 20
MAX_RATIO = 1.3
LARGE_FACTOR, MAX_MIB = 10, 150  # a file so many times as large needs no more memory
LINES_PER_MEASUREMENT = 5_000  # of the memory

MODEL = "Qwen/Qwen3-14B-FP8"
LIMITS = Limits(
    max_bytes=2 * LARGE_FACTOR * MEGABYTES * 1_000_000,
    models=read_cards(
        (Path(batchapp.__file__).parent / "data" / "doubleword_models.csv").read_text()
    ).cards,
)
URL = "/v1/chat/completions"

_decode = msgspec.json.Decoder().decode


def main(*arguments: str) -> None:
    models = [argument for argument in arguments if argument != "--large"]
    model = models[0] if models else MODEL
    family = model_families.family_of(model)
    if family is None:
        sys.exit(f"{model} has no vocabulary that we know")
    vocabulary = family.vocabulary()
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}\n"
    )
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        path = Path(folder) / "requests.jsonl"
        with path.open("wb") as file:
            file.writelines(make_lines(model))
        if "--large" in arguments:
            _compare_memory(path)
        else:
            _compare_time(path, model, vocabulary)


def _compare_time(path: Path, model: str, vocabulary: Vocabulary) -> None:
    floors, alone, checks = [], [], []
    for _ in range(ROUNDS):
        floors.append(_measure(partial(_floor, path, vocabulary)))
        alone.append(_measure(partial(_check, path, with_second_process=False)))
        checks.append(_measure(partial(_check, path)))
    ratio, ratio_alone, busier = (
        statistics.median(figure(check) / figure(floor) for floor, check in pairs)
        for pairs, figure in (
            (list(zip(floors, checks, strict=True)), lambda times: times.seconds),
            (list(zip(floors, alone, strict=True)), lambda times: times.own),
            (list(zip(floors, checks, strict=True)), lambda times: max(times.own, times.second)),
        )
    )
    sys.stdout.write(
        f"{path.stat().st_size / 1_000_000:.0f} MB, {REQUESTS:,} requests to {model}\n"
        f"decode and count  {_median(floors):6.2f} s\n"
        f"check             {_median(checks):6.2f} s\n"
        f"in one process    {_median(alone):6.2f} s, ratio {ratio_alone:.2f} of processor time\n"
        f"in two processes  ratio {busier:.2f} of the busier one's processor time\n"
        f"ratio             {ratio:6.2f}, target {MAX_RATIO}, "
        f"{'reached' if ratio <= MAX_RATIO else 'NOT reached'}\n"
    )


def _compare_memory(path: Path) -> None:
    for times in (1, LARGE_FACTOR):
        for with_second_process in (False, True):
            peak = _peak_over_idle(path, times, with_second_process=with_second_process)
            processes = "two processes" if with_second_process else "one process"
            sys.stdout.write(
                f"{times * path.stat().st_size / 1_000_000:,.0f} MB in {processes}: "
                f"{peak:.0f} MiB over idle, target {MAX_MIB}, "
                f"{'reached' if peak <= MAX_MIB else 'NOT reached'}\n"
            )


def make_lines(model: str) -> Iterator[bytes]:
    """Make requests from the words of the bundled samples, the same in every run."""
    samples = Path(batchapp.__file__).parent / "data" / "samples" / "chat.jsonl"
    bodies = [json.loads(line)["body"] for line in samples.read_text().splitlines()]
    system = bodies[0]["messages"][0]["content"]
    words = [word for body in bodies for word in body["messages"][-1]["content"].split(" ")]
    random = Random(1)
    length = MEGABYTES * 1_000_000 // REQUESTS
    for number in range(REQUESTS):
        line = _line(model, number, system, "")
        text = " ".join(random.choices(words, k=length // 6))[: length - len(line)]
        yield _line(model, number, system, text)


def _line(model: str, number: int, system: str, text: str) -> bytes:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    body = {"model": model, "messages": messages, "max_tokens": 200}
    request = {"custom_id": f"r-{number}", "method": "POST", "url": URL, "body": body}
    return json.dumps(request).encode() + b"\n"


def _floor(path: Path, vocabulary: Vocabulary) -> None:
    """Do what no check can do without: decode every line, and count the tokens of every text."""
    count = vocabulary.ordinary
    tokens = 0
    with path.open("rb") as file:
        for line in file:
            for message in _decode(line)["body"]["messages"]:
                tokens += count(message["content"])


def time_check(path: Path) -> float:
    """Return the seconds that the check of the file takes."""
    return _measure(partial(_check, path)).seconds


def _check(path: Path, *, with_second_process: bool = True) -> None:
    with path.open("rb") as file:
        report = check(
            iter(partial(file.read, CHUNK_BYTES), b""),
            LIMITS,
            with_second_process=with_second_process,
        )
    if report.requests != REQUESTS or not report.is_valid:
        sys.exit(f"the file is not what it should be: {report.finding_totals}")


class Times(NamedTuple):
    """Seconds on the clock, and of processor time in the own and in the second process."""

    seconds: float
    own: float
    second: float


def _measure(work: Callable[[], None]) -> Times:
    start, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    own, own_system, second, second_system = (
        now - then for now, then in zip(after[:4], before[:4], strict=True)
    )
    return Times(time.perf_counter() - start, own + own_system, second + second_system)


def _median(runs: list[Times]) -> float:
    return statistics.median(run.seconds for run in runs)


def _peak_over_idle(path: Path, times: int, *, with_second_process: bool) -> float:
    """Return the peak MiB of all processes in the check of a file so many times as large."""
    idle, peak = _resident_mib(), 0.0

    def measure(number: int) -> None:
        nonlocal peak
        if number % LINES_PER_MEASUREMENT == 0:
            peak = max(peak, _resident_mib())

    report = check(
        _repeated(path, times), LIMITS, progress=measure, with_second_process=with_second_process
    )
    if report.requests != times * REQUESTS or report.repeated:
        sys.exit(f"the file is not what it should be: {report.finding_totals}")
    return max(peak, _resident_mib()) - idle


def _repeated(path: Path, times: int) -> Iterator[bytes]:
    """Repeat the file so many times, with no two equal lines."""
    for number in range(times):
        custom_id, limit = b'"%d-' % number, b'"max_tokens": %d' % (200 + number)
        with path.open("rb") as file:
            while chunk := b"".join(file.readlines(CHUNK_BYTES)):
                yield chunk.replace(b'"r-', custom_id).replace(b'"max_tokens": 200', limit)


def _resident_mib() -> float:
    """Return the memory of this process and its children, each shared page counted once."""
    own = os.getpid()
    children = Path(f"/proc/self/task/{own}/children").read_text().split()
    total = 0
    for process in (own, *children):
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
        total += int(rollup.split("\nPss:", 1)[1].split(maxsplit=1)[0])
    return total / 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
