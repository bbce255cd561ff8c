"""Lines that are alike byte for byte around a custom_id and a question.

Most files are written by one program, so that their lines differ in nothing else. JSON is decided
by its bytes: another string in the place of a string changes nothing around it. What was found out
about one line therefore holds for all in its frame, except what looks into these two.
"""

import re
from typing import Any

import msgspec

from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import NO_LIMIT, LineReport
from batchapp.domain.request_files.reading.strict_json import VISIBLE_ID
from batchapp.domain.request_files.rules.request_line import CheckedLine
from batchapp.domain.request_files.rules.request_warnings import find_secret
from batchapp.domain.tokens import counting
from batchapp.domain.tokens.questions import Question, find_question

MOST = 8
"""Frames of one block; the lines of who mixes more are judged one by one."""

HITS_PER_FRAME = 4
"""Lines that must have fitted, after the first two frames, before another is worth its making."""

STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
PLAIN_ID = re.compile(rb"[!#-[\]-~][ !#-[\]-~]{0,63}")
"""A custom_id written as it is, without escapes, that nothing is wrong with."""

_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode


class LineTemplates:
    """Those that a block of lines has shown so far."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._frames: list[LineTemplate] = []
        self._hits = 0

    def judge(self, data: bytes) -> LineReport | None:
        """What is to be said of ``data``, a whole line, if it is of a known frame."""
        for frame in self._frames:
            if line_report := frame.judge(data, self._limits.max_body_bytes):
                self._hits += 1
                return line_report
        return None

    def learn(self, data: bytes, row: CheckedLine, line_report: LineReport) -> None:
        """Take the frame of ``data``, of which ``judged`` was said, if it has one."""
        known, request = len(self._frames), row.request
        if request is None or known == MOST or known > 1 + self._hits // HITS_PER_FRAME:
            return
        if not line_report.is_exact or any(
            found.code == "secret" for found in line_report.findings
        ):
            return
        asked = find_question(request["body"], line_report.url)
        spans = _spans(data, request, row.body, asked) if asked else None
        if asked and spans:
            answers = counting.count_answers(request["body"], line_report.url)
            self._frames.append(LineTemplate(data, spans, line_report, asked, answers))


class Spans(msgspec.Struct, frozen=True):
    """Start and end of what stands between the quotes, and of the body as a whole."""

    custom_id: tuple[int, int]
    question: tuple[int, int]
    body: tuple[int, int]


class LineTemplate:
    """The three pieces around a custom_id and a question, which both stand between quotes."""

    def __init__(
        self, data: bytes, spans: Spans, line_report: LineReport, asked: Question, answers: int
    ) -> None:
        (start, end), (first, last) = spans.custom_id, spans.question
        self._head, self._middle, self._tail = data[:start], data[end:first], data[last:]
        self._start, self._gap, self._left = start, first - end, len(data) - last
        self._ahead, self._behind = spans.body[0] - end, len(data) - spans.body[1]
        self._judged, self._count, self._answers = line_report, asked.count, answers
        self._limit = None if line_report.limit == NO_LIMIT else line_report.limit
        self._rest = line_report.input_tokens - asked.count(asked.text)

    def judge(self, data: bytes, max_body_bytes: int) -> LineReport | None:
        """What is to be said of ``data``, None if it is not of this frame or must be looked at."""
        if not (data.endswith(self._tail) and data.startswith(self._head)):
            return None
        end = data.find(b'"', self._start)
        first, last = end + self._gap, len(data) - self._left
        if not data.startswith(self._middle, end):
            return None
        custom_id = data[self._start : end]
        body = data[end + self._ahead : len(data) - self._behind]
        if len(body) > max_body_bytes or not PLAIN_ID.fullmatch(custom_id) or find_secret(body):
            return None
        try:
            text = _decode_text(data[first - 1 : last + 1])
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        like = self._judged
        tokens = self._rest + self._count(text)
        return LineReport(
            len(data),
            False,  # noqa: FBT003  # by position: it is done for every line
            True,  # noqa: FBT003
            like.has_mark,
            False,  # noqa: FBT003
            custom_id.decode(),
            like.findings,
            hash(body),
            like.has_return,
            like.url,
            like.model,
            tokens,
            like.attachments,
            like.assumed,
            like.is_exact,
            counting.expected_output(tokens, self._answers, self._limit),
            like.limit,
            like.shape,
        )


def _spans(
    data: bytes, request: dict[str, Any], written_body: bytes, asked: Question
) -> Spans | None:
    """Where the two texts are, proven by putting others in their place."""
    shown = VISIBLE_ID.search(data)
    written = _last_written(data, asked.text)
    start = data.find(written_body)
    body = start, start + len(written_body)
    if not shown or not written or not body[0] < written[0] < written[1] < body[1]:
        return None
    if shown.end() > body[0] or not _decides(data, shown.span(1), written, request, asked):
        return None
    return Spans(shown.span(1), written, body)


def _last_written(data: bytes, text: str) -> tuple[int, int] | None:
    """Where ``text`` is written for the last time, without its quotes."""
    spans = [
        (found.start() + 1, found.end() - 1)
        for found in STRING.finditer(data)
        if found.end() - found.start() > len(text) and _decode_text(found[0]) == text
    ]
    return spans[-1] if spans else None


def _decides(
    data: bytes,
    custom_id: tuple[int, int],
    written: tuple[int, int],
    request: dict[str, Any],
    asked: Question,
) -> bool:
    """Whether a custom_id and a question of one letter, put there, change these and no more."""
    before = request["custom_id"], asked.text
    letter = next(each for each in "abc" if each not in before)
    other = letter.encode()
    changed = data[: custom_id[0]] + other + data[custom_id[1] : written[0]] + other
    try:
        found = _decode(changed + data[written[1] :])
    except msgspec.DecodeError:  # what was trimmed from the line is no white space to JSON
        return False
    request["custom_id"] = asked.holder[asked.field] = letter
    is_all: bool = found == request
    request["custom_id"], asked.holder[asked.field] = before
    return is_all
