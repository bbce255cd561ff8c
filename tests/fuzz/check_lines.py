"""Check randomly changed lines: no crash, no hang, flat memory, true line numbers.

    python -m tests.fuzz.check_lines --lines 1000000 --seed 1

Each line is checked by itself twice: in a file behind a valid line, and by the sandbox, which
stands for the provider. The report of the whole file must agree with both. Then the file is
corrected in every way at once, and the new file must be one that can be sent.
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

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.corrections.corrector import Corrector
from batchapp.domain.request_files.check_file import Limits, check
from batchapp.domain.request_files.check_lines import check_line
from batchapp.domain.request_files.findings import (
    FILE_CODES,
    FINDINGS_KEPT_PER_CODE,
    PORTAL_ONLY_CODES,
    Severity,
    most_kept,
)
from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.domain.request_files.reading.file_type import BOM
from batchapp.domain.request_files.reading.lines import trim
from batchapp.sandbox.api.errors import ApiError
from batchapp.sandbox.files.validation import check_line as sandbox_check
from batchapp.sandbox.settings import Settings
from tests.fuzz.foreign_lines import foreign_line, laid_out

MODEL = "Qwen/Qwen3.5-9B"
LIMITS = Limits(max_bytes=10**9, max_body_bytes=50_000)
SETTINGS = Settings(data=Path("unused"), line_body_bytes=50_000)
ROWS_PER_FILE = FINDINGS_KEPT_PER_CODE
MAX_SECONDS_PER_FILE = 60
MAX_GROWTH_MIB = 64
RETYPED_SHARE, FOREIGN_SHARE = 0.3, 0.2  # of the lines

EVERYTHING = Choice(frozenset(CorrectionKind), MODEL, max_tokens=5, url=ALLOWED_URLS[0])

REPETITION_CODES = {"duplicate_custom_id", "identical_body"}  # findings because of another line
# What a finding about several lines is called if only the first of them is checked.
SINGLE_LINE_CODES = {"line_break_in_text": "invalid_json"}

# Refusals because of models, which the check does not know.
UNKNOWN_REFUSALS = ("has not been configured", "model but endpoint")

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


# A value of each type, and some that contain another.
ODD_VALUES = (
    *(None, True, 0, -1, 2.5, 10**20, "", "user", "\ud83d"),
    *([], {}, [[]], [{}], [None], {"": None}, {"type": []}, {"role": {}}),
)

# A body with all fields that the check reads, for any url.
RICH_BODY = {
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

URLS = (*ALLOWED_URLS[:1] * 4, *ALLOWED_URLS[1:])
MODELS = (MODEL, "Qwen/Qwen3-14B-FP8", "openai/gpt-oss-20b", "some/model")
MODELS += ("Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",)


def retyped_line(chance: random.Random, number: int) -> bytes:
    """Make a request in whose body some values have another type than they should."""
    body: dict[str, Any] = deepcopy(RICH_BODY)
    body["messages"] = body["messages"][: chance.randrange(1, 6)]
    for field in chance.sample(sorted(body), chance.randrange(len(body))):
        if field != "messages":
            del body[field]
    body["model"] = chance.choice(MODELS)
    for _ in range(chance.choice([1, 1, 2, 3])):
        holder, key = chance.choice(list(_values_within(body)))
        holder[key] = deepcopy(chance.choice(ODD_VALUES))
    request = {"custom_id": f"row-{number}", "method": "POST", "url": chance.choice(URLS)}
    return json.dumps(request | {"body": body}).encode()


def _values_within(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every value within ``value`` as its container and its key."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _values_within(value[key])


def any_line(chance: random.Random, number: int) -> bytes:
    """Make a request, a request of odd values, or a line of another format; maybe mutated."""
    kind = chance.random()
    if kind < RETYPED_SHARE:
        return retyped_line(chance, number)
    is_foreign = kind < RETYPED_SHARE + FOREIGN_SHARE
    line = foreign_line(chance, number) if is_foreign else good_line(chance, number)
    for _ in range(chance.choice([0, 0, 0, 1] if is_foreign else [0, 1, 1, 1, 2, 3])):
        line = mutated(chance, line or b"{}", good_line(chance, number))
    return line


def mutated(chance: random.Random, line: bytes, other: bytes) -> bytes:
    """Return ``line`` after one random change, which may split it in two."""
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
    """Make a file of about ``rows`` lines, of which the first is valid."""
    lines = [good_line(chance, first)]
    lines += (any_line(chance, number) for number in range(first + 1, first + rows))
    endings = chance.choice([[b"\n"], [b"\r\n"], [b"\n", b"\r\n", b"\n\n", b"\n \t\r\n"]])
    return b"".join(line + chance.choice(endings) for line in lines)


def cut(chance: random.Random, data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = chance.choice([1, 7, 300, 10_000, 1_000_000])
        yield data[at : at + size]
        at += size


def compare(data: bytes, chance: random.Random) -> int:
    """Compare the report of a file with those of its lines, and return the number of lines.

    Raises:
        AssertionError: the reports disagree.
    """
    report = check(cut(chance, data), LIMITS)
    lines = data.split(b"\n")
    expected: Counter[tuple[int, str]] = Counter()
    is_open = False
    for number, line in enumerate(lines, start=1):
        codes = codes_of(line)
        text_break = text_break_of(line)
        is_part = is_open and text_break == "continues"
        if not is_part and trim(line.removeprefix(BOM)):
            # By its code as well: brackets that are too deep here may be read further up.
            is_open = text_break == "opens" and "invalid_json" in codes
        expected.update(
            (number, code) for code in codes if not is_part or code == "byte_order_mark"
        )
    reported = Counter(
        (finding.line, SINGLE_LINE_CODES.get(finding.code, finding.code))
        for finding in report.findings
        if finding.line and finding.code not in REPETITION_CODES
    )
    for finding_code, total in report.finding_totals.items():
        code = SINGLE_LINE_CODES.get(finding_code, finding_code)
        if total > most_kept(code):  # only the first findings were kept
            for counts in (expected, reported):
                for key in [key for key in counts if key[1] == code]:
                    del counts[key]
    assert reported == expected, (reported - expected, expected - reported)
    for finding in report.findings:
        if finding.line:
            start = len(b"\n".join(lines[: finding.line - 1])) + (finding.line > 1)
            assert finding.offset == start, finding
        if finding.code in REPETITION_CODES:
            assert 0 < finding.other_line < finding.line, finding
    return len(lines)


def text_break_of(line: bytes) -> str:
    """Return how a line may belong to a text with a line break in it."""
    return check_line(line, len(line), LIMITS, explain=False)[0].common.text_break


def correct_everything(data: bytes, chance: random.Random) -> None:
    """Make all corrections at once; the new file must be valid, and come out the same again.

    Raises:
        AssertionError: the new file has an error.
    """
    chunks = [*cut(chance, data)]
    new = b"".join(Corrector(EVERYTHING, LIMITS).run(lambda: chunks))
    report = check([new], LIMITS)
    assert report.is_valid or not report.requests, (report.finding_totals, report.findings[:3])
    assert b"".join(Corrector(EVERYTHING, LIMITS).run(lambda: [new])) == new


GOOD = good_line(random.Random(0), -1)


def codes_of(line: bytes) -> list[str]:
    """Return the codes that the check finds for one line, and compare them with the sandbox."""
    report = check([GOOD + b"\n" + line + b"\n"], LIMITS)
    findings = [finding for finding in report.findings if finding.line == 2]
    assert all(finding.line == 2 or finding.code in FILE_CODES for finding in report.findings)
    codes = [finding.code for finding in findings if finding.code not in REPETITION_CODES]
    errors = {finding.code for finding in findings if finding.severity is Severity.ERROR}
    errors -= REPETITION_CODES
    if trim(line):
        refused = refusal_of(line)
        if not any(words in refused for words in UNKNOWN_REFUSALS):
            assert bool(refused) == bool(errors - PORTAL_ONLY_CODES), (line[:300], refused, errors)
    return codes


def refusal_of(line: bytes) -> str:
    """Return the message with which the sandbox refuses a line, "" if it accepts the line."""
    try:
        sandbox_check(trim(line), 1, SETTINGS)
    except ApiError as refusal:
        return bytes(refusal.response.body).decode()
    return ""


@contextmanager
def time_limit(seconds: int, name: str) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"{name} hangs")

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)  # of this process, not of a busy machine
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    checked = files = 0
    warm = 0.0
    while checked < options.lines:
        chance = random.Random(f"{options.seed}/{files}")
        name = f"file {files} of seed {options.seed}"
        data = make_file(chance, ROWS_PER_FILE, checked)
        with time_limit(MAX_SECONDS_PER_FILE, name):
            try:
                checked += compare(data, chance)
                correct_everything(data, chance)
                correct_everything(laid_out(chance, data), chance)
            except Exception as exc:
                raise SystemExit(f"{name}: {exc!r}"[:3000]) from exc
        files += 1
        if not warm and checked >= options.lines / 10:
            warm = peak_mib()
    growth = peak_mib() - warm
    sys.stdout.write(
        f"{checked:,} lines in {files:,} files, no disagreement; peak {peak_mib():.0f} MiB, of "
        f"which {growth:.0f} after the first tenth\n"
    )
    if growth > MAX_GROWTH_MIB:
        raise SystemExit("the memory is not flat")


if __name__ == "__main__":
    main()
