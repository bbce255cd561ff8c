"""Check lines by themselves, so that the lines of a file can be checked in any order."""

import re
from collections.abc import Iterator

from batchapp.domain.request_files.fast.line_templates import LineTemplates
from batchapp.domain.request_files.findings import FINDINGS_KEPT_PER_CODE, RequestFinding
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import LineReport
from batchapp.domain.request_files.reading import file_type, lines, meant_json
from batchapp.domain.request_files.rules import inputs, model_rules, request_line, request_shape
from batchapp.domain.tokens import counting

# Lines of one block. Requests are longer, so a block with as many lines has blank lines.
MANY_LINES = 4_096

# What the later lines of a text are taken for, if they are read by themselves.
CODES_WITHIN_TEXTS = frozenset(
    {
        *("invalid_json", "not_an_object", "comment_line", "several_values", "curly_quotes"),
        *("encoded_twice", "trailing_comma", "python_dict"),
    }
)

BLANK_LINES = re.compile(rb"(?m)^(?:[ \t\r\x0b\x0c]*+\n)++")


def check_block(block: lines.Block, limits: Limits) -> list[LineReport]:
    """Return the line reports of ``block``, of consecutive blank lines maybe a single report.

    Broken JSON is explained in about as many lines as such findings are kept.
    """
    if block.length or block.data.count(b"\n") < MANY_LINES:
        return list(_check_all(block, limits))
    return list(_check_with_blank_lines(block.data, limits))


def _check_with_blank_lines(data: bytes, limits: Limits) -> Iterator[LineReport]:
    """Report consecutive blank lines together.

    A file of nothing but line endings would take minutes line by line.
    """
    start = 0
    for blank in BLANK_LINES.finditer(data):
        yield from _check_all(lines.Block(data[start : blank.start()]), limits)
        start = blank.end()
        number = data.count(b"\n", blank.start(), start)
        yield LineReport(start - blank.start() - 1, is_blank=True, lines=number)
    yield from _check_all(lines.Block(data[start:]), limits)


def _check_all(block: lines.Block, limits: Limits) -> Iterator[LineReport]:
    explanations_left = FINDINGS_KEPT_PER_CODE
    templates = LineTemplates(limits)
    for data, length in block.lines():
        line_report = templates.check(data)
        if line_report is None:
            line_report, row = check_line(data, length, limits, explain=explanations_left > 0)
            explanations_left -= not (line_report.is_request or line_report.is_blank)
            if row:
                templates.learn(data, row, line_report)
        yield line_report


def check_line(
    data: bytes, length: int, limits: Limits, *, explain: bool = True
) -> tuple[LineReport, request_line.CheckedLine | None]:
    """Return the line report, and the checked line if it is a request without errors.

    ``data`` may be only the start of the ``length`` bytes of a line that is too long.
    """
    if length > limits.max_line_bytes:
        data = data[: limits.max_line_bytes]
    has_mark = data.startswith(file_type.BOM)
    data = lines.trim(data.removeprefix(file_type.BOM) if has_mark else data)
    if not data:
        return LineReport(length, is_blank=True, has_byte_order_mark=has_mark), None
    if length > limits.max_line_bytes:
        row = request_line.refuse_long_line(data, length, limits)
    else:
        row = request_line.check_request_line(data, limits, explain=explain)
    request = row.request
    if request is None or row.has_error:
        line_report = LineReport(
            length,
            is_request=request is not None,
            has_byte_order_mark=has_mark,
            custom_id=row.custom_id,
            findings=row.findings,
            text_break="" if request else _find_text_break(data, row.findings),
        )
        return line_report, None
    body, url = request["body"], request["url"]
    size = counting.measure_input(body, url)
    output = counting.estimate_output(body, url, size.tokens)
    if card := limits.models.get(body["model"]):
        row.findings.extend(model_rules.find_model_warnings(body, url, card, size))
    line_report = LineReport(
        length,
        is_request=True,
        has_byte_order_mark=has_mark,
        has_error=False,
        custom_id=row.custom_id,
        findings=row.findings,
        body_hash=hash(row.body),
        has_carriage_return=b"\r" in data,
        url=url,
        model=body["model"],
        input_tokens=size.tokens,
        attachments=size.attachments,
        assumed_attachments=size.assumed,
        is_exact=size.is_exact,
        expected_output_tokens=output.expected,
        max_output_tokens=output.limit,
        shape="" if url == "/v1/embeddings" else request_shape.hash_shape(body, url),
        inputs=inputs.count_inputs(body["input"]) if url == "/v1/embeddings" else 0,
    )
    return line_report, row


def _find_text_break(data: bytes, findings: list[RequestFinding]) -> str:
    """Tell how an unreadable line may belong to a text with a line break in it."""
    if not lines.begins_request(data):
        return "goes on" if findings[0].code in CODES_WITHIN_TEXTS else ""
    is_open = findings[0].code == "invalid_json" and meant_json.ends_in_text(data)
    return "opens" if is_open else ""
