"""Check lines that equal an earlier line except for the custom_id and their texts.

Gain: a line of 1,600 bytes that fits a template takes 7 µs (a system prompt and a question) to
12 µs (six turns, or a system prompt of its own), without a template 50 µs, where decoding it takes
2 µs.

Most files are written by one program, so their lines differ in nothing else. Replacing one JSON
string by another string changes nothing around it. What the check of one line found is therefore
true of all lines with the same template, except for the checks that read these strings. Secrets
in texts, and texts too long for their model, are found in the block as a whole, see
``counted_blocks``.
"""

import operator
import re
from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.answer_lengths.asked_answers import expect_again, has_form
from batchapp.domain.prompt_cache.blocks import read_start
from batchapp.domain.request_files.fast.answer_sample import AnswerSample, Sample
from batchapp.domain.request_files.fast.line_layout import Layout, find_layout, replace_strings
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.line_report import LineReport
from batchapp.domain.request_files.rules import request_shape
from batchapp.domain.request_files.rules.messages import is_blank
from batchapp.domain.request_files.rules.request_line import CheckedLine
from batchapp.domain.tokens.counting import read_input
from batchapp.domain.tokens.model_prompt import Prompt
from batchapp.domain.tokens.plain_texts import AddText, PlainText, find_texts, text_writer

MAX_TEMPLATES = 8  # per block; lines that fit none of them are checked one by one
HITS_PER_TEMPLATE = 4  # hits that pay for the making of one more template, after the first two
MAX_TEXTS = 100  # in a template; a longer conversation is checked by itself
MAX_LINE_BYTES = 64 * 1024  # of a template; a longer line gains little

# Instructions of a template whose shapes are read: more than a file counts of a model, because
# a repeated request does not count. Gain: a line with a system prompt of its own takes 1 µs less.
MAX_INSTRUCTIONS = 4 * request_shape.MAX_SHAPES_PER_MODEL

# A custom_id without escapes, which is valid unless it is blank.
PLAIN_ID = re.compile(rb'"[!#-[\]-~\x80-\xff][ !#-[\]-~\x80-\xff]{0,63}"')


_decode = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode


class LineTemplates:
    """The line templates that were learned from the last blocks of a file.

    Gain: a line takes 1 µs less than with templates for each block alone.
    """

    def __init__(self, limits: Limits) -> None:
        self.answers = AnswerSample()  # of the lines that fit no template
        self._limits = limits
        self._templates: list[LineTemplate] = []
        self._hits = 0

    def start_block(self) -> None:
        """Forget the templates that fitted no line of the last block, to have room for others."""
        self.answers = AnswerSample()
        self._hits = 0
        self._templates = [template for template in self._templates if template.is_used]
        for template in self._templates:
            template.is_used = False

    def check(self, data: bytes) -> LineReport | None:
        """Return the report on ``data``, a whole line, if a line template fits it."""
        for template in self._templates:
            if strings := template.find_strings(data):
                body = template.find_body(data, strings)
                if len(body) > self._limits.max_body_bytes:
                    return None
                if line_report := template.report(data, body, strings):
                    self._hits += 1
                    template.is_used = True
                    if not template.is_narrowed and (narrower := template.narrow(strings)):
                        self._templates.insert(0, narrower)
                    return line_report
        return None

    def learn(self, data: bytes, row: CheckedLine, line_report: LineReport) -> None:
        """Make a line template of ``data``, whose check gave ``line_report``, if that is safe."""
        made, request = len(self._templates), row.request
        if made == MAX_TEMPLATES or made > 1 + self._hits // HITS_PER_TEMPLATE:
            return
        has_secret = any(finding.code == "secret" for finding in line_report.common.findings)
        if request is None or has_secret or len(data) > MAX_LINE_BYTES:
            return
        texts = _find_independent_texts(request["body"], line_report)
        layout = find_layout(data, row.body, texts.places) if texts else None
        if texts and layout and _is_proven(data, layout, request, texts, line_report):
            # The report itself changes when its tokens are counted, maybe in another thread.
            kept = msgspec.structs.replace(line_report)
            self._templates.append(LineTemplate(data, layout, kept, request, texts))


class IndependentTexts(NamedTuple):
    """The texts that each add their own tokens to the input, and ``other`` input."""

    places: list[PlainText]
    add: AddText
    other: Prompt


class LineTemplate:
    """The bytes before, between and after a custom_id and some texts, all without quotes."""

    def __init__(
        self,
        data: bytes,
        layout: Layout,
        line_report: LineReport,
        request: dict[str, Any],
        texts: IndependentTexts,
        *,
        has_own_texts: bool = False,
    ) -> None:
        self._learned = (data, layout, line_report)
        starts = [0, *(end for _, end in layout.strings)]
        ends = [*(start for start, _ in layout.strings), len(data)]
        self._head, *self._between, self._tail = (
            data[start:end] for start, end in zip(starts, ends, strict=True)
        )
        self._id_to_body = layout.body[0] - layout.strings[0][1]
        self._after_body = len(data) - layout.body[1]
        self._common, self._shape = line_report.common, line_report.shape
        self._body, self._places = request["body"], texts.places
        self._add_text, self._other = texts.add, texts.other
        self._prompt = Prompt(texts.other.vocabulary)
        self._roles = [place.role for place in texts.places]
        self._fields = request_shape.write_fields(self._body)
        self._instructions = request_shape.read_instructions(self._body)
        self._own_instructions = _find_own_instructions(self._body, texts.places)
        self._known_instructions: set[str | tuple[str, ...]] = set()
        # What one line asks for in instructions of its own says nothing of the other lines.
        self._is_fixed = self._common.expectation.is_fixed and (
            not self._own_instructions or has_form(self._body, self._common.url)
        )
        self._sample = Sample()
        self.is_narrowed, self.is_used = False, True
        self._start = None
        if line_report.prompt_start:
            own_messages = [place.holder for place in texts.places]
            # What lines differ in although two of them agree elsewhere is rarely shared.
            most = 1 if has_own_texts else len(own_messages)
            self._start = read_start(self._body, self._common.url, own_messages, most)
        self._own_starts = self._start.own_texts if self._start else 0

    def find_strings(self, data: bytes) -> list[bytes]:
        """Return custom_id and texts as written in ``data``, with quotes; [] if it misfits."""
        if not (data.endswith(self._tail) and data.startswith(self._head)):
            return []
        strings = []
        start = len(self._head)
        for between in self._between:
            end = data.find(between, start)
            if end < 0:
                return []
            strings.append(data[start - 1 : end + 1])
            start = end + len(between)
        end = len(data) - len(self._tail)
        strings.append(data[start - 1 : end + 1])
        return strings if start <= end and PLAIN_ID.fullmatch(strings[0]) else []

    def find_body(self, data: bytes, strings: Sequence[bytes]) -> bytes:
        start = len(self._head) + len(strings[0]) - 2 + self._id_to_body
        return data[start : len(data) - self._after_body]

    def report(self, data: bytes, body: bytes, strings: Sequence[bytes]) -> LineReport | None:
        """Return the report on ``data``; None if the line needs a check of its own."""
        try:
            custom_id, *texts = map(_decode_text, strings)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if is_blank(custom_id):
            return None
        prompt = self._prompt
        prompt.tokens = self._other.tokens
        prompt.texts, prompt.repeated = self._other.texts[:], self._other.repeated[:]
        add_text = self._add_text
        for role, text in zip(self._roles, texts, strict=True):
            # Not by ``is_blank``. Gain: 0.1 µs for each text of each line.
            if not text or text.isspace() or not add_text(role, text, prompt):
                return None
        if not self._is_fixed and self._sample.takes_next():
            self._expect_again(texts)
        return LineReport(  # by position for speed: this runs for every line
            self._common,
            len(data),
            custom_id,
            hash(body),
            prompt.tokens,
            self._read_shape(texts) if self._own_instructions else self._shape,
            prompt.texts,
            prompt.repeated,
            prompt.vocabulary,
            self._start.fill(texts) if self._start and self._own_starts > 1 else self._start,
            texts[0] if self._own_starts == 1 else "",
        )

    def narrow(self, strings: Sequence[bytes]) -> "LineTemplate | None":
        """Return a template that expects the texts again that ``strings`` share with its line.

        Such texts, mostly the system prompt, are then compared and not decoded. They are told at
        the second line of a kind; therefore ``is_narrowed`` is set for all further lines.
        """
        data, layout, line_report = self._learned
        self.is_narrowed = True
        pairs = list(zip(layout.strings[1:], strings[1:], strict=True))
        is_own = [data[start - 1 : end + 1] != string for (start, end), string in pairs]
        if not any(is_own) or all(is_own):
            return None
        request = _decode(data)
        texts = _find_independent_texts(request["body"], line_report)
        if not texts:
            return None
        for place in compress(texts.places, map(operator.not_, is_own)):
            texts.add(place.role, place.text, texts.other)
        texts = texts._replace(places=list(compress(texts.places, is_own)))
        own_layout = Layout(list(compress(layout.strings, [True, *is_own])), layout.body)
        return LineTemplate(data, own_layout, line_report, request, texts, has_own_texts=True)

    def _expect_again(self, texts: Sequence[str]) -> None:
        """Expect of this line and the lines after it the output of a request with ``texts``."""
        for place, text in zip(self._places, texts, strict=True):
            place.holder[place.field] = text
        earlier = self._common.expectation
        expectation = expect_again(earlier, self._body, self._common.url)
        if expectation is not earlier:
            self._common = msgspec.structs.replace(self._common, expectation=expectation)

    def _read_shape(self, texts: Sequence[str]) -> request_shape.AnyShape:
        """Return the shape of a request with ``texts``; "" if too many others came before it."""
        own = [texts[number] for _, number in self._own_instructions]
        key = own[0] if len(own) == 1 else tuple(own)
        if key not in self._known_instructions:
            if len(self._known_instructions) == MAX_INSTRUCTIONS:
                return ""
            self._known_instructions.add(key)
        instructions = [*self._instructions]
        for (position, _), text in zip(self._own_instructions, own, strict=True):
            instructions[position] = text
        return request_shape.make_shape(self._common.url, tuple(instructions), self._fields)


def _find_own_instructions(
    body: dict[str, Any], places: Sequence[PlainText]
) -> list[tuple[int, int]]:
    """Return the position among the instructions, and the number among ``places``, of a text."""
    length = len(request_shape.read_instructions(body))
    numbers = {id(place.holder): number for number, place in enumerate(places)}
    messages = body.get("messages", ())[:length] if length else ()
    return [
        (position, numbers[id(message)])
        for position, message in enumerate(messages)
        if id(message) in numbers
    ]


def _find_independent_texts(
    body: dict[str, Any], line_report: LineReport
) -> IndependentTexts | None:
    """Find the texts whose tokens are a part of their own of what ``line_report`` counts."""
    url, vocabulary = line_report.common.url, line_report.vocabulary
    add = text_writer(body, url)
    if not add or not vocabulary or not line_report.common.is_exact:
        return None
    tokens = line_report.input_tokens
    texts, repeated = Counter(line_report.texts), Counter(line_report.repeated)
    places = []
    for place in find_texts(body, url):
        prompt = Prompt(vocabulary)
        if is_blank(place.text):
            return None
        if not add(place.role, place.text, prompt):
            continue
        if Counter(prompt.texts) <= texts and Counter(prompt.repeated) <= repeated:
            places.append(place)
            tokens -= prompt.tokens
            texts -= Counter(prompt.texts)
            repeated -= Counter(prompt.repeated)
    if not 0 < len(places) <= MAX_TEXTS:
        return None
    other = Prompt(vocabulary)
    other.tokens, other.texts = tokens, list(texts.elements())
    other.repeated = list(repeated.elements())
    return IndependentTexts(places, add, other)


def _is_proven(
    data: bytes,
    layout: Layout,
    request: dict[str, Any],
    texts: IndependentTexts,
    line_report: LineReport,
) -> bool:
    """Return True if other strings in ``layout`` change custom_id and texts, and no more."""
    places = [PlainText(request, "custom_id", ""), *texts.places]
    original = [place.text for place in places]
    others = [f"{number}{'x' * len(text)}" for number, text in enumerate(original)]
    for place, other in zip(places, others, strict=True):
        place.holder[place.field] = other
    try:
        is_equal = _decode(replace_strings(data, layout.strings, others)) == request
    except msgspec.DecodeError:  # the white space trimmed from the line is none to JSON
        is_equal = False
    is_equal = is_equal and _is_sum(request["body"], texts, line_report)
    for place, text in zip(places, original, strict=True):
        place.holder[place.field] = text
    return is_equal


def _is_sum(body: dict[str, Any], texts: IndependentTexts, line_report: LineReport) -> bool:
    """Return True if the input of ``body`` is that of ``texts`` and the other input together."""
    common, other = line_report.common, texts.other
    size = read_input(body, common.url)
    prompt = Prompt(other.vocabulary)
    for place in texts.places:
        texts.add(place.role, place.text, prompt)
    return (
        size.is_exact
        and size.tokens == other.tokens + prompt.tokens
        and Counter(size.texts) == Counter(other.texts + prompt.texts)
        and Counter(size.repeated) == Counter(other.repeated + prompt.repeated)
        and (size.attachments, size.assumed) == (common.attachments, common.assumed_attachments)
    )
