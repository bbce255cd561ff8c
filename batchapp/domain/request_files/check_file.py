"""Request lines and their faults: one pass over a file, however large."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from itertools import islice

import msgspec

from batchapp.domain.request_files.check_lines import check_block
from batchapp.domain.request_files.fast import second_process
from batchapp.domain.request_files.file_checker import FileChecker
from batchapp.domain.request_files.findings import (
    FINDINGS_KEPT_PER_CODE,
    Finding,
    FindingLog,
    Severity,
)
from batchapp.domain.request_files.limits import ALLOWED_URLS, Limits
from batchapp.domain.request_files.line_report import LineReport
from batchapp.domain.request_files.reading import file_type, gunzip, lines
from batchapp.domain.request_files.report import ModelFacts, Report

__all__ = [
    "ALLOWED_URLS",
    "FINDINGS_KEPT_PER_CODE",
    "Finding",
    "Limits",
    "ModelFacts",
    "Report",
    "Request",
    "Severity",
    "check",
    "requests",
]

LINES_PER_PROGRESS = 1_000

BLOCK = 256 * 1024
"""Bytes that are judged on end."""


class Request(msgspec.Struct, frozen=True):
    """Where one request stands; ``offset`` and ``length`` in bytes, without white space."""

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
    chunks: Iterable[bytes],
    limits: Limits,
    *,
    progress: Callable[[int], None] | None = None,
    with_second_process: bool = False,
) -> Report:
    """Read ``chunks`` once, whatever their sizes, and report every fault.

    A gzip archive is read through. Holds some lines, and some dozen bytes for each request.
    ``progress`` is told the number of lines read, about every thousand and at the end. With a
    second process the same report comes sooner, if there is a second processor, see ``second``.
    """
    source = gunzip.UnpackedFile(chunks, limits)
    head, stream = lines.peek(source, file_type.HEAD_BYTES)
    counted = lines.CountedChunks(stream)
    if found := file_type.find_wrong_type(head):
        return _refusal(*found, size=counted.exhaust(), is_gzip=source.is_gzip)
    checker = FileChecker(limits)
    number = offset = told = 0
    blocks = lines.iter_blocks(counted, BLOCK, limits.longest_line)
    with closing(_judged(blocks, limits, with_second_process=with_second_process)) as all_judged:
        for block, line_report in all_judged:
            if source.finding and block.is_open:
                break  # the archive broke off in the middle of this line
            for each in line_report:
                number += each.lines
                checker.read(each, number, offset)
                offset += each.length + 1
                if progress and number - told >= LINES_PER_PROGRESS:
                    told = number
                    progress(number)
    if progress and number > told:
        progress(number)
    return checker.report(counted.size, source.finding, is_gzip=source.is_gzip)


def _judged(
    blocks: Iterator[lines.Block], limits: Limits, *, with_second_process: bool
) -> Generator[tuple[lines.Block, list[LineReport]], None, None]:
    if with_second_process and second_process.is_possible():
        # The first is done here: a vocabulary that it loads is then shared, not loaded twice.
        for block in islice(blocks, 1):
            yield block, check_block(block, limits)
        with second_process.SecondProcess(limits) as process:
            yield from process.judge(blocks)
    else:
        for block in blocks:
            yield block, check_block(block, limits)


def read_requests(chunks: Iterable[bytes]) -> Iterator[Request]:
    """The requests of a file that passed ``check``, in the order of its lines.

    Raises:
        ValueError: the file did not pass; what was yielded so far is right.
    """
    source = gunzip.UnpackedFile(chunks)
    for line in lines.split(source):
        data = lines.trim(line.data)
        if not data:
            continue
        sent = _decode(data)
        yield Request(
            line=line.number,
            custom_id=sent.custom_id,
            url=sent.url,
            model=sent.body.model,
            offset=line.offset + line.data.index(data),
            length=len(data),
        )
    if source.finding:
        raise ValueError(source.finding.message)


def _refusal(code: str, message: str, *, size: int, is_gzip: bool) -> Report:
    """The report on a file that holds no requests at all: one fault rather than one a line."""
    log = FindingLog()
    log.add(code, message)
    return Report(
        requests=0,
        bytes=size,
        findings=log.findings,
        finding_totals=dict(log.totals),
        severities=log.severities,
        models={},
        urls={},
        is_gzip=is_gzip,
    )
