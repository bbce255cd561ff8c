"""Lines changed at random through the check: no crash, no hang, flat memory, true line numbers.

    python -m tests.fuzz.check_lines --lines 1000000 --seed 1

Two oracles judge each line by itself: the check, of a file of that line behind a good one, and
the sandbox, which stands for the provider. What a whole file's report says must be the same.
"""

import argparse
import json
import random
import resource
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

from batchapp.domain.request_files.check_file import Limits, check
from batchapp.domain.request_files.findings import (
    FILE_CODES,
    FINDINGS_KEPT_PER_CODE,
    PORTAL_ONLY_CODES,
    Severity,
)
from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.domain.request_files.reading.lines import trim
from batchapp.sandbox.api.errors import ApiError
from batchapp.sandbox.files.validation import check_line as sandbox_check
from batchapp.sandbox.settings import Settings

MODEL = "Qwen/Qwen3.5-9B"
LIMITS = Limits(max_bytes=10**9, max_body_bytes=50_000)
SETTINGS = Settings(data=Path("unused"), line_body_bytes=50_000)
ROWS_PER_FILE = FINDINGS_KEPT_PER_CODE
HANGING_SECONDS = 60
GROWTH_MIB = 64
RETYPED = 0.3

OF_NEIGHBOURS = {"duplicate_custom_id", "identical_body"}
"""Faults that a line has only because of another line."""

STRICTER = {"too_deep", "repeated_key"}
"""What the provider refuses and the sandbox does not."""

OF_MODELS = ("has not been configured", "model but endpoint")
"""Which models there are, and for what, is not the check's business."""

TOKENS = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"null", b"true", b"NaN", b"-0", b"1e999"),
    *(b'"custom_id"', b'"method"', b'"url"', b'"body"', b'"model"', b"\\u0000", b"\\ud83d"),
    *(b"\r", b"\t", b"\0", b"\x0c", b"\xc2\xa0", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"\xff", b"\n"),
    *(b"9" * 400, b"[" * 200, b'{"a":' * 150, b"x" * 60_000),
]


def good_line(chance: random.Random, number: int) -> bytes:
    request = {
        "custom_id": f"row-{number}",
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": MODEL,
            "max_tokens": chance.randrange(1, 99),
            "messages": [{"role": "user", "content": chance.choice(["Hi", "é", "文", "😀" * 9])}],
        },
    }
    return json.dumps(request, ensure_ascii=chance.random() < 0.5).encode()


ODD = (
    *(None, True, 0, -1, 2.5, 10**20, "", "user", "\ud83d"),
    *([], {}, [[]], [{}], [None], {"": None}, {"type": []}, {"role": {}}),
)
"""One of each type, and some that hold another."""

RICH = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": "4"},
        {"role": "user", "content": "And now?"},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "f",
                "description": "Adds",
                "parameters": {"type": "object", "properties": {"a": {"type": "number"}}},
            },
        }
    ],
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object", "required": ["b"]}},
    },
    "max_tokens": 5,
    "n": 1,
    "stop": ["."],
    "reasoning_effort": "low",
    "chat_template_kwargs": {"enable_thinking": False},
    "input": [{"role": "user", "content": "Hi"}],
    "prompt": "Once",
    "system": [{"type": "text", "text": "Be brief."}],
    "instructions": "Be brief.",
    "text": {"format": {"type": "text"}},
}
"""All that is looked into, of whatever url."""

URLS = (*ALLOWED_URLS[:1] * 4, *ALLOWED_URLS[1:])
MODELS = (MODEL, "Qwen/Qwen3-14B-FP8", "openai/gpt-oss-20b", "some/model")
MODELS += ("Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",)


def retyped_line(chance: random.Random, number: int) -> bytes:
    """A request of which some values, anywhere in the body, are of another type than is due."""
    body: dict[str, Any] = deepcopy(RICH)
    body["messages"] = body["messages"][: chance.randrange(1, 6)]
    for field in chance.sample(sorted(body), chance.randrange(len(body))):
        if field != "messages":
            del body[field]
    body["model"] = chance.choice(MODELS)
    for _ in range(chance.choice([1, 1, 2, 3])):
        holder, key = chance.choice(list(_places(body)))
        holder[key] = deepcopy(chance.choice(ODD))
    request = {"custom_id": f"row-{number}", "method": "POST", "url": chance.choice(URLS)}
    return json.dumps(request | {"body": body}).encode()


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Everything within ``value`` that could be another: what holds it, and under which key."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def mutated(chance: random.Random, line: bytes, other: bytes) -> bytes:
    """``line`` after one change, which may split it in two."""
    at, to = sorted(chance.randrange(len(line) + 1) for _ in "ab")
    match chance.randrange(10):
        case 0:  # flip a bit
            at = min(at, len(line) - 1)
            return line[:at] + bytes([line[at] ^ 1 << chance.randrange(8)]) + line[at + 1 :]
        case 1:  # cut a piece out
            return line[:at] + line[to:]
        case 2:  # cut the end off
            return line[:at]
        case 3:  # repeat a piece
            return line[:to] + line[at:to] * chance.randrange(1, 4) + line[to:]
        case 4:  # splice
            return line[:at] + other[chance.randrange(len(other)) :]
        case 5:  # nest
            depth = chance.choice([1, 60, 124, 126, 128, 140, 3000])
            nested = b"[" * depth + b"1" + b"]" * depth
            return line.replace(b'"max_tokens": ', b'"seed": ' + nested + b', "max_tokens": ')
        case 6:  # another encoding
            text = line.decode(errors="replace")
            return text.encode(chance.choice(["latin-1", "cp1252", "utf-16-le"]), "replace")
        case 7:  # a byte order mark
            return b"\xef\xbb\xbf" + line
        case _:
            return line[:at] + chance.choice(TOKENS) + line[to if chance.random() < 0.5 else at :]


def make_file(chance: random.Random, rows: int, first: int) -> bytes:
    """A file of about so many rows, the first of them good."""
    made = [good_line(chance, first)]
    for number in range(first + 1, first + rows):
        is_retyped = chance.random() < RETYPED
        line = retyped_line(chance, number) if is_retyped else good_line(chance, number)
        for _ in range(0 if is_retyped else chance.choice([0, 1, 1, 1, 2, 3])):
            line = mutated(chance, line or b"{}", made[-1] or b"{}")
        made.append(line)
    endings = chance.choice([[b"\n"], [b"\r\n"], [b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"]])
    return b"".join(line + chance.choice(endings) for line in made)


def cut(chance: random.Random, data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = chance.choice([1, 7, 300, 10_000, 1_000_000])
        yield data[at : at + size]
        at += size


def judge(data: bytes, chance: random.Random) -> int:
    """Check a file against the oracles; the number of its lines.

    Raises:
        AssertionError: they disagree.
    """
    report = check(cut(chance, data), LIMITS)
    physical = data.split(b"\n")
    expected: Counter[tuple[int, str]] = Counter()
    for number, line in enumerate(physical, start=1):
        expected.update((number, code) for code in codes_of(line))
    found = Counter(
        (finding.line, finding.code)
        for finding in report.findings
        if finding.line and finding.code not in OF_NEIGHBOURS
    )
    told = {
        code for code, total in report.finding_totals.items() if total > FINDINGS_KEPT_PER_CODE
    }
    wanted = Counter({key: count for key, count in expected.items() if key[1] not in told})
    got = Counter({key: count for key, count in found.items() if key[1] not in told})
    assert got == wanted, (got - wanted, wanted - got)
    for finding in report.findings:
        if finding.line:
            start = len(b"\n".join(physical[: finding.line - 1])) + (finding.line > 1)
            assert finding.offset == start, finding
        if finding.code in OF_NEIGHBOURS:
            assert 0 < finding.other_line < finding.line, finding
    return len(physical)


GOOD = good_line(random.Random(0), -1)


def codes_of(line: bytes) -> list[str]:
    """What the check says of one line, once the sandbox has agreed."""
    alone = check([GOOD + b"\n" + line + b"\n"], LIMITS)
    findings = [finding for finding in alone.findings if finding.line == 2]
    assert all(finding.line == 2 or finding.code in FILE_CODES for finding in alone.findings), (
        alone
    )
    codes = [finding.code for finding in findings if finding.code not in OF_NEIGHBOURS]
    errors = {finding.code for finding in findings if finding.severity is Severity.ERROR}
    errors -= OF_NEIGHBOURS
    if trim(line) and not errors & STRICTER:
        refused = refusal_of(line)
        if not any(words in refused for words in OF_MODELS):
            assert bool(refused) == bool(errors - PORTAL_ONLY_CODES), (line[:300], refused, errors)
    return codes


def refusal_of(line: bytes) -> str:
    """The provider's word on a line, "" if it takes it."""
    try:
        # The provider takes off all of Unicode's white space, which the sandbox does not.
        sandbox_check(trim(line), 1, SETTINGS)
    except ApiError as refusal:
        return bytes(refusal.response.body).decode()
    except RecursionError:
        return "too deep"
    return ""


@contextmanager
def no_longer_than(seconds: int, what: str) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"{what} hangs")

    signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    judged = files = 0
    warm = 0.0
    while judged < options.lines:
        chance = random.Random(f"{options.seed}/{files}")
        what = f"file {files} of seed {options.seed}"
        data = make_file(chance, ROWS_PER_FILE, judged)
        with no_longer_than(HANGING_SECONDS, what):
            try:
                judged += judge(data, chance)
            except Exception as exc:
                raise SystemExit(f"{what}: {exc!r}"[:3000]) from exc
        files += 1
        if not warm and judged >= options.lines / 10:
            warm = peak_mib()
    growth = peak_mib() - warm
    sys.stdout.write(
        f"{judged:,} lines in {files:,} files, no disagreement; peak {peak_mib():.0f} MiB, of "
        f"which {growth:.0f} after the first tenth\n"
    )
    if growth > GROWTH_MIB:
        raise SystemExit("the memory is not flat")


if __name__ == "__main__":
    main()
