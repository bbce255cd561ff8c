"""Check a request file of any size in one pass, and read the requests of a checked file."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import msgspec

from batchapp.domain.request_files.fast.counted_blocks import check_blocks
from batchapp.domain.request_files.file_checker import FileChecker
from batchapp.domain.request_files.findings import Finding, Severity
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import file_type, gunzip, lines
from batchapp.domain.request_files.report import ModelFacts, Report

__all__ = [
    "Finding",
    "Limits",
    "ModelFacts",
    "Report",
    "Request",
    "Severity",
    "check",
    "read_requests",
]

LINES_PER_PROGRESS = 1_000


class Request(msgspec.Struct, frozen=True):
    """The position of one request; ``offset`` and ``length`` in bytes, without white space."""

    line: int
    custom_id: str
    url: str
    model: str
    offset: int
    length: int


class _DecodedBody(msgspec.Struct):
    model: str


class _DecodedRequest(msgspec.Struct):
    custom_id: str
    url: str
    body: _DecodedBody


_decode = msgspec.json.Decoder(_DecodedRequest).decode


def check(
    chunks: Iterable[bytes],
    limits: Limits,
    *,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Read ``chunks`` of any size once, and report every finding.

    A gzip archive is unpacked on the way. The check keeps some lines in memory, and some dozen
    bytes per request. ``progress`` is called with the number of lines read, after each MiB or
    after a thousand lines if these are more, and at the end.
    """
    unpacked = gunzip.UnpackedFile(chunks, limits)
    head, stream = lines.peek(unpacked, file_type.HEAD_BYTES)
    checker = FileChecker(limits)
    if wrong_type := file_type.find_wrong_type(head):
        return checker.report(sum(map(len, stream)), wrong_type, is_gzip=unpacked.is_gzip)
    counted = lines.CountedChunks(stream)
    last_progress = 0
    blocks = lines.iter_blocks(counted, lines.BLOCK_BYTES, limits.max_line_bytes)
    with closing(check_blocks(blocks, limits)) as checked_blocks:
        for block, line_reports in checked_blocks:
            if unpacked.finding and block.is_open:
                break  # the archive broke off in the middle of this line
            checker.add_lines(line_reports)
            if progress and checker.lines - last_progress >= LINES_PER_PROGRESS:
                last_progress = checker.lines
                progress(checker.lines)
    if progress and checker.lines > last_progress:
        progress(checker.lines)
    return checker.report(counted.size, unpacked.finding, is_gzip=unpacked.is_gzip)


def read_requests(chunks: Iterable[bytes]) -> Iterator[Request]:
    """Yield the requests of a file that passed ``check``, in the order of its lines.

    Raises:
        ValueError: the file did not pass; the requests yielded before are correct.
    """
    unpacked = gunzip.UnpackedFile(chunks)
    for line in lines.split(unpacked):
        data = lines.trim(line.data)
        if not data:
            continue
        # The search for a long text is slow, and hardly any line has white space around.
        indent = 0 if data is line.data else line.data.index(data)
        request = _decode(data)
        yield Request(
            line=line.number,
            custom_id=request.custom_id,
            url=request.url,
            model=request.body.model,
            offset=line.offset + indent,
            length=len(data),
        )
    if unpacked.finding:
        raise ValueError(unpacked.finding.message)
