"""All that can be said of a line by itself, so that lines can be judged in any order."""

import re
from collections.abc import Iterator

from batchapp.domain.request_files.fast.line_templates import Frames
from batchapp.domain.request_files.findings import FAULTS_KEPT_PER_CODE
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import NO_LIMIT, Judged
from batchapp.domain.request_files.reading import file_type, lines
from batchapp.domain.request_files.rules import request_line, request_shape
from batchapp.domain.tokens import counting

DENSE = 4_096
"""Lines of one block. No request is so short that a block would hold as many of them."""

BLANK_LINES = re.compile(rb"(?m)^(?:[ \t\r\x0b\x0c]*+\n)++")


def judge_block(block: lines.Block, limits: Limits) -> list[Judged]:
    """Every line of ``block``; blank lines on end may be judged as one, see ``Judged.lines``.

    Broken JSON has its sentence about as often as such faults are kept.
    """
    if block.length or block.data.count(b"\n") < DENSE:
        return list(_judge_all(block, limits))
    return list(_judge_dense(block.data, limits))


def _judge_dense(data: bytes, limits: Limits) -> Iterator[Judged]:
    """For files of nothing but line endings, which a line at a time would take minutes."""
    start = 0
    for blank in BLANK_LINES.finditer(data):
        yield from _judge_all(lines.Block(data[start : blank.start()]), limits)
        start = blank.end()
        number = data.count(b"\n", blank.start(), start)
        yield Judged(start - blank.start() - 1, is_blank=True, lines=number)
    yield from _judge_all(lines.Block(data[start:]), limits)


def _judge_all(block: lines.Block, limits: Limits) -> Iterator[Judged]:
    unexplained = FAULTS_KEPT_PER_CODE
    frames = Frames(limits)
    for data, length in block.lines():
        judged = frames.judge(data)
        if judged is None:
            judged, row = _judge(data, length, limits, explain=unexplained > 0)
            unexplained -= not (judged.is_request or judged.is_blank)
            if row:
                frames.learn(data, row, judged)
        yield judged


def judge(data: bytes, length: int, limits: Limits, *, explain: bool = True) -> Judged:
    """A line of ``length`` bytes; ``data`` needs no more of them than can be held."""
    return _judge(data, length, limits, explain=explain)[0]


def _judge(
    data: bytes, length: int, limits: Limits, *, explain: bool
) -> tuple[Judged, request_line.Row | None]:
    """With the row, if it is a request without errors."""
    if length > limits.longest_line:
        data = data[: limits.longest_line]
    has_mark = data.startswith(file_type.BOM)
    data = lines.trimmed(data.removeprefix(file_type.BOM) if has_mark else data)
    if not data:
        return Judged(length, is_blank=True, has_mark=has_mark), None
    if length > limits.longest_line:
        row = request_line.too_long(data, length, limits)
    else:
        row = request_line.examine(data, limits, explain=explain)
    request = row.request
    if request is None or row.has_error:
        judged = Judged(
            length,
            is_request=request is not None,
            has_mark=has_mark,
            custom_id=row.custom_id,
            findings=row.findings,
        )
        return judged, None
    body, url = request["body"], request["url"]
    size = counting.measure(body, url)
    output = counting.output(body, url, size.tokens)
    judged = Judged(
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
        shape="" if url == "/v1/embeddings" else request_shape.shape(body, url),
    )
    return judged, row
