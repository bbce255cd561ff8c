"""Request lines and their faults: one pass over a file, however large."""

from collections.abc import Callable, Iterable, Iterator

import msgspec

from batchapp.domain import lines, sniff
from batchapp.domain.checker import Checker
from batchapp.domain.faults import FAULTS_KEPT_PER_CODE, Fault, FaultLog, Severity
from batchapp.domain.limits import ALLOWED_URLS, Limits
from batchapp.domain.report import ModelFacts, Report

__all__ = [
    "ALLOWED_URLS",
    "FAULTS_KEPT_PER_CODE",
    "Fault",
    "Limits",
    "ModelFacts",
    "Report",
    "Request",
    "Severity",
    "check",
    "requests",
]

LINES_PER_PROGRESS = 1_000


class Request(msgspec.Struct, frozen=True):
    """Where one request stands: ``offset`` and ``length`` in bytes, without the line ending."""

    line: int
    custom_id: str
    url: str
    model: str
    offset: int
    length: int


class _SentBody(msgspec.Struct):
    model: str


class _Sent(msgspec.Struct):
    custom_id: str
    url: str
    body: _SentBody


_decode = msgspec.json.Decoder(_Sent).decode


def check(
    chunks: Iterable[bytes], limits: Limits, *, progress: Callable[[int], None] | None = None
) -> Report:
    """Read ``chunks`` once, whatever their sizes, and report every fault.

    Holds one line, and a few dozen bytes for each custom_id. ``progress`` is told the number of
    lines read, about every thousand and at the end.
    """
    head, stream = lines.peek(chunks, sniff.HEAD_BYTES)
    counted = lines.Counted(stream)
    if found := sniff.recognise(head):
        return _refusal(*found, size=counted.exhaust())
    checker = Checker(limits)
    number = 0
    for line in lines.split(counted, checker.longest_line):
        checker.read(line)
        number = line.number
        if progress and number % LINES_PER_PROGRESS == 0:
            progress(number)
    if progress and number % LINES_PER_PROGRESS:
        progress(number)
    return checker.report(counted.size)


def requests(chunks: Iterable[bytes]) -> Iterator[Request]:
    """The requests of a file that passed ``check``, in the order of its lines.

    Raises:
        ValueError: the file did not pass; what was yielded so far is right.
    """
    for line in lines.split(chunks):
        data = line.data.removesuffix(b"\r")
        if not data.strip():
            continue
        sent = _decode(data)
        yield Request(
            line=line.number,
            custom_id=sent.custom_id,
            url=sent.url,
            model=sent.body.model,
            offset=line.offset,
            length=len(data),
        )


def _refusal(code: str, message: str, *, size: int) -> Report:
    """The report on a file that holds no requests at all: one fault rather than one a line."""
    log = FaultLog()
    log.add(code, message)
    return Report(
        requests=0,
        bytes=size,
        faults=log.faults,
        fault_totals=dict(log.totals),
        severities=log.severities,
        models={},
        urls={},
    )
