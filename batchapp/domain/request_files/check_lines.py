"""All that can be said of a line by itself, so that lines can be judged in any order."""

import re
from collections.abc import Iterator

from batchapp.domain.request_files.fast.line_templates import LineTemplates
from batchapp.domain.request_files.findings import FINDINGS_KEPT_PER_CODE
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import NO_LIMIT, LineReport
from batchapp.domain.request_files.reading import file_type, lines
from batchapp.domain.request_files.rules import request_line, request_shape
from batchapp.domain.tokens import counting

DENSE = 4_096
"""Lines of one block. No request is so short that a block would hold as many of them."""

BLANK_LINES = re.compile(rb"(?m)^(?:[ \t\r\x0b\x0c]*+\n)++")


def check_block(block: lines.Block, limits: Limits) -> list[LineReport]:
    """Every line of ``block``; blank lines on end may be judged as one, see ``Judged.lines``.

    Broken JSON has its sentence about as often as such faults are kept.
    """
    if block.length or block.data.count(b"\n") < DENSE:
        return list(_check_all(block, limits))
    return list(_check_blank_lines(block.data, limits))


def _check_blank_lines(data: bytes, limits: Limits) -> Iterator[LineReport]:
    """For files of nothing but line endings, which a line at a time would take minutes."""
    start = 0
    for blank in BLANK_LINES.finditer(data):
        yield from _check_all(lines.Block(data[start : blank.start()]), limits)
        start = blank.end()
        number = data.count(b"\n", blank.start(), start)
        yield LineReport(start - blank.start() - 1, is_blank=True, lines=number)
    yield from _check_all(lines.Block(data[start:]), limits)


def _check_all(block: lines.Block, limits: Limits) -> Iterator[LineReport]:
    unexplained = FINDINGS_KEPT_PER_CODE
    frames = LineTemplates(limits)
    for data, length in block.lines():
        line_report = frames.judge(data)
        if line_report is None:
            line_report, row = _check_line(data, length, limits, explain=unexplained > 0)
            unexplained -= not (line_report.is_request or line_report.is_blank)
            if row:
                frames.learn(data, row, line_report)
        yield line_report


def check_line(data: bytes, length: int, limits: Limits, *, explain: bool = True) -> LineReport:
    """A line of ``length`` bytes; ``data`` needs no more of them than can be held."""
    return _check_line(data, length, limits, explain=explain)[0]


def _check_line(
    data: bytes, length: int, limits: Limits, *, explain: bool
) -> tuple[LineReport, request_line.CheckedLine | None]:
    """With the row, if it is a request without errors."""
    if length > limits.longest_line:
        data = data[: limits.longest_line]
    has_mark = data.startswith(file_type.BOM)
    data = lines.trim(data.removeprefix(file_type.BOM) if has_mark else data)
    if not data:
        return LineReport(length, is_blank=True, has_mark=has_mark), None
    if length > limits.longest_line:
        row = request_line.too_long(data, length, limits)
    else:
        row = request_line.check_request_line(data, limits, explain=explain)
    request = row.request
    if request is None or row.has_error:
        line_report = LineReport(
            length,
            is_request=request is not None,
            has_mark=has_mark,
            custom_id=row.custom_id,
            findings=row.findings,
        )
        return line_report, None
    body, url = request["body"], request["url"]
    size = counting.measure_input(body, url)
    output = counting.estimate_output(body, url, size.tokens)
    line_report = LineReport(
        length,
        is_request=True,
        has_mark=has_mark,
        has_error=False,
        custom_id=row.custom_id,
        findings=row.findings,
        body=hash(row.body),
        has_return=b"\r" in data,
        url=url,
        model=body["model"],
        input_tokens=size.tokens,
        attachments=size.attachments,
        assumed=size.assumed,
        is_exact=size.is_exact,
        expected=output.expected,
        limit=NO_LIMIT if output.limit is None else output.limit,
        shape="" if url == "/v1/embeddings" else request_shape.hash_shape(body, url),
    )
    return line_report, row
