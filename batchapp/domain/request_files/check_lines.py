"""Check lines by themselves, so that the lines of a file can be checked in any order."""

import re
import sys
from collections.abc import Iterator

from batchapp.domain.answer_lengths.asked_answers import expect_answers
from batchapp.domain.prompt_cache import blocks
from batchapp.domain.request_files.fast.answer_sample import AnswerSample
from batchapp.domain.request_files.fast.line_templates import LineTemplates
from batchapp.domain.request_files.findings import FINDINGS_KEPT_PER_CODE, RequestFinding
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import CommonReport, LineReport, count_tokens
from batchapp.domain.request_files.reading import file_type, lines, meant_json
from batchapp.domain.request_files.rules import inputs, model_rules, request_line, request_shape
from batchapp.domain.tokens import counting

# Lines of one block. Requests are longer, so a block with as many lines has blank lines.
MANY_LINES = 4_096

# Findings of the later lines of a text that has line breaks, if each is read by itself.
CODES_WITHIN_TEXTS = frozenset(
    {
        *("invalid_json", "not_an_object", "comment_line", "several_values", "curly_quotes"),
        *("encoded_twice", "trailing_comma", "python_dict"),
    }
)

BLANK = CommonReport(is_blank=True)
MARKED_BLANK = CommonReport(is_blank=True, has_byte_order_mark=True)
BLANK_LINES = re.compile(rb"(?m)^(?:[ \t\r\x0b\x0c]*+\n)++")


def check_block(block: lines.Block, limits: Limits, templates: LineTemplates) -> list[LineReport]:
    """Return the line reports of ``block`` quickly, to be completed by ``count_tokens``.

    ``templates`` are of the blocks before it. A single line has too little to change them.

    Several blank lines in a row may have a single report. Broken JSON is explained in about as
    many lines as such findings are kept. Lines that fit a line template are not searched for
    secrets, and no request is found to be too long for its model.
    """
    if not block.length:
        templates.start_block()
    return list(_check_all(block, limits, templates))


def check_block_thoroughly(block: lines.Block, limits: Limits) -> list[LineReport]:
    """Return the complete line reports of ``block``."""
    return list(_check_all(block, limits, None))


def _check_all(
    block: lines.Block, limits: Limits, templates: LineTemplates | None
) -> Iterator[LineReport]:
    data = block.data
    if block.length or data.count(b"\n") < MANY_LINES:
        yield from _check_lines(block, limits, templates)
        return
    # Report consecutive blank lines together: a file of nothing but line endings would take
    # minutes line by line.
    start = 0
    for blank in BLANK_LINES.finditer(data):
        yield from _check_lines(lines.Block(data[start : blank.start()]), limits, templates)
        start = blank.end()
        number = data.count(b"\n", blank.start(), start)
        yield LineReport(BLANK, start - blank.start() - 1, lines=number)
    yield from _check_lines(lines.Block(data[start:]), limits, templates)


def _check_lines(
    block: lines.Block, limits: Limits, templates: LineTemplates | None
) -> Iterator[LineReport]:
    explanations_left = FINDINGS_KEPT_PER_CODE
    for data, length in block.lines():
        line_report = templates.check(data) if templates else None
        if line_report is None:
            line_report, row = check_line(
                data,
                length,
                limits,
                explain=explanations_left > 0,
                answers=templates.answers if templates else None,
            )
            common = line_report.common
            explanations_left -= not (common.is_request or common.is_blank)
            if row and templates:
                templates.learn(data, row, line_report)
        yield line_report


def check_line(
    data: bytes,
    length: int,
    limits: Limits,
    *,
    explain: bool = True,
    answers: AnswerSample | None = None,
) -> tuple[LineReport, request_line.CheckedLine | None]:
    """Return the line report, and the checked line if it is a request without errors.

    ``data`` may be only the start of the ``length`` bytes of a line that is too long. With
    ``answers`` of its block, the report is to be completed by ``count_tokens``.
    """
    counts_later = answers is not None
    if length > limits.max_line_bytes:
        data = data[: limits.max_line_bytes]
    has_mark = data.startswith(file_type.BOM)
    data = lines.trim(data.removeprefix(file_type.BOM) if has_mark else data)
    if not data:
        return LineReport(MARKED_BLANK if has_mark else BLANK, length), None
    if length > limits.max_line_bytes:
        row = request_line.refuse_long_line(data, length, limits)
    else:
        row = request_line.check_request_line(data, limits, explain=explain)
    request = row.request
    if request is None or row.has_error:
        common = CommonReport(
            is_request=request is not None,
            has_byte_order_mark=has_mark,
            findings=row.findings,
            text_break="" if request else _find_text_break(data, row.findings),
        )
        return LineReport(common, length, row.custom_id), None
    body, url = request["body"], request["url"]
    size = counting.read_input(body, url) if counts_later else counting.measure_input(body, url)
    output = counting.limit_output(body, url)
    most_tokens = None
    card = limits.models.get(body["model"])
    if card:
        row.findings.extend(model_rules.find_model_warnings(body, url, card, size))
        most_tokens = model_rules.most_prompt_tokens(body, url, card)
        if not counts_later and (too_long := model_rules.find_too_long(body, url, card, size)):
            row.findings.append(too_long)
    common = CommonReport(
        is_request=True,
        has_byte_order_mark=has_mark,
        has_error=False,
        findings=row.findings,
        has_carriage_return=b"\r" in data,
        url=url,
        model=body["model"],
        attachments=size.attachments,
        assumed_attachments=size.assumed,
        is_exact=size.is_exact,
        expectation=expect_answers(
            *(body, url, output, card),
            thinks=limits.thinks,
            read=answers.read_length if answers else None,
        ),
        max_output_tokens=output.tokens,
        inputs=inputs.count_inputs(body["input"]) if url == "/v1/embeddings" else 0,
        most_tokens=sys.maxsize if most_tokens is None else most_tokens,
    )
    line_report = LineReport(
        common,
        length,
        custom_id=row.custom_id,
        body_hash=hash(row.body),
        input_tokens=size.tokens,
        shape=request_shape.read_shape(body, url),
        texts=size.texts,
        repeated=size.repeated,
        vocabulary=size.vocabulary,
        prompt_start=blocks.read_start(body, url) if limits.reads_cache_markers else None,
    )
    if not counts_later:
        count_tokens([line_report])
    return line_report, row


def _find_text_break(data: bytes, findings: list[RequestFinding]) -> str:
    """Tell how an unreadable line may belong to a text with a line break in it."""
    if not lines.begins_request(data):
        return "continues" if findings[0].code in CODES_WITHIN_TEXTS else ""
    is_open = findings[0].code == "invalid_json" and meant_json.ends_in_text(data)
    return "opens" if is_open else ""
