"""How much longer the check of a file takes than reading and counting its text must take.

python -m tests.bench.check_file [MODEL]
"""

import json
import os
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import msgspec

import batchapp
from batchapp.domain.preflight.jsonl import Limits, check
from batchapp.domain.tokens import families
from batchapp.domain.tokens.vocabularies import Vocabulary

MEGABYTES, REQUESTS = 200, 126_000
"""The largest file that the provider takes, of requests as long as an e-mail."""

ROUNDS = 3
CHUNK = 1 << 20
TARGET = 1.3
MODEL = "Qwen/Qwen3-14B-FP8"
LIMITS = Limits(max_bytes=2 * MEGABYTES * 1_000_000)
URL = "/v1/chat/completions"

_decode = msgspec.json.Decoder().decode


def main(model: str = MODEL) -> None:
    family = families.of(model)
    if family is None:
        sys.exit(f"{model} has no vocabulary that we know")
    vocabulary = family.vocabulary()
    with tempfile.TemporaryDirectory(prefix="batchapp-bench-") as folder:
        path = Path(folder) / "requests.jsonl"
        with path.open("wb") as file:
            file.writelines(lines(model))
        idle = _peak_megabytes()
        _check(path)
        peak = _peak_megabytes() - idle
        floors, alone, checks = [], [], []
        for _ in range(ROUNDS):
            floors.append(_seconds(partial(_floor, path, vocabulary)))
            alone.append(_seconds(partial(_check, path, with_second=False)))
            checks.append(_seconds(partial(_check, path)))
        size = path.stat().st_size / 1_000_000
    ratio, ratio_alone = (
        statistics.median(check / floor for floor, check in zip(floors, each, strict=True))
        for each in (checks, alone)
    )
    sys.stdout.write(
        f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, "
        f"Python {platform.python_version()}\n"
        f"{size:.0f} MB, {REQUESTS:,} requests to {model}\n"
        f"decode and count  {statistics.median(floors):6.2f} s\n"
        f"check             {statistics.median(checks):6.2f} s, {peak:.0f} MB over idle\n"
        f"in one process    {statistics.median(alone):6.2f} s, ratio {ratio_alone:.2f}\n"
        f"ratio             {ratio:6.2f}, target {TARGET}, "
        f"{'reached' if ratio <= TARGET else 'NOT reached'}\n"
    )


def lines(model: str) -> Iterator[bytes]:
    """Requests in the words of the bundled samples, the same in every run."""
    samples = Path(batchapp.__file__).parent / "data" / "samples" / "chat.jsonl"
    bodies = [json.loads(line)["body"] for line in samples.read_text().splitlines()]
    system = bodies[0]["messages"][0]["content"]
    words = [word for body in bodies for word in body["messages"][-1]["content"].split(" ")]
    random = Random(1)
    room = MEGABYTES * 1_000_000 // REQUESTS
    for number in range(REQUESTS):
        line = _line(model, number, system, "")
        text = " ".join(random.choices(words, k=room // 6))[: room - len(line)]
        yield _line(model, number, system, text)


def _line(model: str, number: int, system: str, text: str) -> bytes:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    body = {"model": model, "messages": messages, "max_tokens": 200}
    request = {"custom_id": f"r-{number}", "method": "POST", "url": URL, "body": body}
    return json.dumps(request).encode() + b"\n"


def _floor(path: Path, vocabulary: Vocabulary) -> None:
    """What no check can do without: every line decoded, and every text counted."""
    count = vocabulary.ordinary
    tokens = 0
    with path.open("rb") as file:
        for line in file:
            for message in _decode(line)["body"]["messages"]:
                tokens += count(message["content"])


def checked(path: Path) -> float:
    """Seconds that the check of the file takes."""
    return _seconds(partial(_check, path))


def _check(path: Path, *, with_second: bool = True) -> None:
    with path.open("rb") as file:
        report = check(iter(partial(file.read, CHUNK), b""), LIMITS, with_second=with_second)
    if report.requests != REQUESTS or not report.is_valid:
        sys.exit(f"the file is not what it should be: {report.fault_totals}")


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _peak_megabytes() -> float:
    """Of this process; the second process shares most of it, and adds its own slots."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000


if __name__ == "__main__":
    main(*sys.argv[1:])
