"""Check lines that equal an earlier line except for the custom_id and the question.

Gain: with line templates and the second process on two cores, the check of a 201 MB file of
126,000 lines takes 1.07-1.10 times as long as decoding its lines and counting their tokens must
take; without line templates it took 1.5-2.0 times as long.

Most files are written by one program, so their lines differ in nothing else. Replacing one JSON
string by another string changes nothing around it. What the check of one line found is therefore
true of all lines with the same template, except for the checks that read these two strings.
Lines that do not fit, such as those with a system prompt or assistant turns of their own, are
checked one by one.
"""

import re
import sys
from typing import Any

import msgspec

from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import LineReport
from batchapp.domain.request_files.reading.strict_json import VISIBLE_ID
from batchapp.domain.request_files.rules import model_rules
from batchapp.domain.request_files.rules.messages import is_blank
from batchapp.domain.request_files.rules.request_line import CheckedLine
from batchapp.domain.request_files.rules.request_warnings import find_secret
from batchapp.domain.tokens import counting
from batchapp.domain.tokens.questions import Question, find_question

MAX_TEMPLATES = 8  # per block; lines that fit none of them are checked one by one
HITS_PER_TEMPLATE = 4  # hits that pay for the making of one more template, after the first two

STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
PLAIN_ID = re.compile(rb"[!#-[\]-~][ !#-[\]-~]{0,63}")  # a valid custom_id without escapes

# Findings that depend on the custom_id or the question.
OF_ONE_LINE = frozenset({"secret", model_rules.TOO_LONG})

ByteRange = tuple[int, int]  # start and end of some bytes of a line

_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode


class LineTemplates:
    """The line templates that were learned from a block of lines."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._templates: list[LineTemplate] = []
        self._hits = 0

    def check(self, data: bytes) -> LineReport | None:
        """Return the report on ``data``, a whole line, if a line template fits it."""
        for template in self._templates:
            if line_report := template.check(data, self._limits.max_body_bytes):
                self._hits += 1
                return line_report
        return None

    def learn(self, data: bytes, row: CheckedLine, line_report: LineReport) -> None:
        """Make a line template of ``data``, whose check gave ``line_report``, if that is safe."""
        count, request = len(self._templates), row.request
        if count == MAX_TEMPLATES or count > 1 + self._hits // HITS_PER_TEMPLATE:
            return
        is_special = any(finding.code in OF_ONE_LINE for finding in line_report.findings)
        if request is None or is_special or not line_report.is_exact:
            return
        question = find_question(request["body"], line_report.url)
        if question and is_blank(question.text):
            return
        layout = _find_layout(data, request, row.body, question) if question else None
        if question and layout:
            self._templates.append(
                LineTemplate(data, layout, line_report, question, self._constants(request))
            )

    def _constants(self, request: dict[str, Any]) -> "Constants":
        body, url = request["body"], request["url"]
        card = self._limits.models.get(body["model"])
        most = model_rules.most_prompt_tokens(body, url, card) if card else None
        return Constants(counting.count_answers(body, url), sys.maxsize if most is None else most)


class Constants(msgspec.Struct, frozen=True):
    """Numbers of a request that its custom_id and question do not change.

    ``most_tokens`` is the most that its prompt may have for its model.
    """

    answers: int
    most_tokens: int


class Layout(msgspec.Struct, frozen=True):
    """The byte ranges of custom_id and question, without their quotes, and of the body."""

    custom_id: ByteRange
    question: ByteRange
    body: ByteRange


class LineTemplate:
    """The bytes before, between and after a custom_id and a question, both without quotes."""

    def __init__(
        self,
        data: bytes,
        layout: Layout,
        line_report: LineReport,
        question: Question,
        constants: Constants,
    ) -> None:
        (start, end), (first, last) = layout.custom_id, layout.question
        self._head, self._middle, self._tail = data[:start], data[end:first], data[last:]
        self._id_start = start
        self._middle_length, self._tail_length = first - end, len(data) - last
        self._id_end_to_body, self._after_body = layout.body[0] - end, len(data) - layout.body[1]
        self._line_report, self._count = line_report, question.count
        self._answers, self._most_tokens = constants.answers, constants.most_tokens
        self._other_tokens = line_report.input_tokens - question.count(question.text)

    def check(self, data: bytes, max_body_bytes: int) -> LineReport | None:
        """Return the report on ``data``; None if it does not fit or needs a check of its own."""
        if not (data.endswith(self._tail) and data.startswith(self._head)):
            return None
        end = data.find(b'"', self._id_start)
        first, last = end + self._middle_length, len(data) - self._tail_length
        if not data.startswith(self._middle, end):
            return None
        custom_id = data[self._id_start : end]
        body = data[end + self._id_end_to_body : len(data) - self._after_body]
        if len(body) > max_body_bytes or not PLAIN_ID.fullmatch(custom_id) or find_secret(body):
            return None
        try:
            text = _decode_text(data[first - 1 : last + 1])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        learned = self._line_report
        tokens = self._other_tokens + self._count(text)
        if tokens > self._most_tokens or is_blank(text):
            return None
        return LineReport(
            len(data),
            False,  # noqa: FBT003  # by position for speed: this runs for every line
            True,  # noqa: FBT003
            learned.has_byte_order_mark,
            False,  # noqa: FBT003
            custom_id.decode(),
            learned.findings,
            hash(body),
            learned.has_carriage_return,
            learned.url,
            learned.model,
            tokens,
            learned.attachments,
            learned.assumed_attachments,
            learned.is_exact,
            counting.expected_output(tokens, self._answers, learned.max_output_tokens),
            learned.max_output_tokens,
            learned.shape,
        )


def _find_layout(
    data: bytes, request: dict[str, Any], written_body: bytes, question: Question
) -> Layout | None:
    """Find custom_id and question in ``data``, and prove it by writing others in their place."""
    visible_id = VISIBLE_ID.search(data)
    written_question = _find_last_string(data, question.text)
    start = data.find(written_body)
    end = start + len(written_body)
    if not visible_id or not written_question or visible_id.end() > start:
        return None
    if not start < written_question[0] < written_question[1] < end:
        return None
    layout = Layout(visible_id.span(1), written_question, (start, end))
    return layout if _is_proven(data, layout, request, question) else None


def _find_last_string(data: bytes, text: str) -> ByteRange | None:
    """Return where ``text`` is written for the last time, without its quotes."""
    ranges = [
        (string.start() + 1, string.end() - 1)
        for string in STRING.finditer(data)
        if string.end() - string.start() > len(text) and _decode_text(string[0]) == text
    ]
    return ranges[-1] if ranges else None


def _is_proven(data: bytes, layout: Layout, request: dict[str, Any], question: Question) -> bool:
    """Return True if other texts in ``layout`` change custom_id and question, and no more."""
    texts = request["custom_id"], question.text
    letter = next(letter for letter in "abc" if letter not in texts)
    written = letter.encode()
    (start, end), (first, last) = layout.custom_id, layout.question
    changed = data[:start] + written + data[end:first] + written + data[last:]
    try:
        decoded = _decode(changed)
    except msgspec.DecodeError:  # the white space trimmed from the line is none to JSON
        return False
    request["custom_id"] = question.holder[question.field] = letter
    is_equal: bool = decoded == request
    request["custom_id"], question.holder[question.field] = texts
    return is_equal
