"""The line report: everything that is known of one line without the other lines."""

import sys
from collections.abc import Iterable, Sequence

import msgspec

from batchapp.domain.answer_lengths.expectation import NO_OUTPUT, Expectation
from batchapp.domain.prompt_cache.blocks import PromptStart
from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.rules.request_shape import AnyShape
from batchapp.domain.tokens.vocabularies import Vocabulary


class CommonReport(msgspec.Struct, gc=False):
    """The part of a line report that is the same for all lines that differ in their texts alone.

    ``is_request`` is False for a blank line and for a line that cannot be read. The fields from
    ``has_carriage_return`` on are filled in only for a request without errors.
    ``max_output_tokens`` is None without a limit, and ``inputs`` is the number of texts to embed.
    A request with more input than ``most_tokens`` may be too long for its model. ``text_break`` is
    "opens" if the line breaks off within a text, and "continues" if an earlier line may have
    broken off there.
    """

    is_blank: bool = False
    is_request: bool = False
    has_byte_order_mark: bool = False
    has_error: bool = True
    findings: list[RequestFinding] = []
    text_break: str = ""
    has_carriage_return: bool = False
    url: str = ""
    model: str = ""
    attachments: int = 0
    assumed_attachments: int = 0
    is_exact: bool = False
    expectation: Expectation = NO_OUTPUT
    max_output_tokens: int | None = None
    inputs: int = 0
    most_tokens: int = sys.maxsize


class LineReport(msgspec.Struct, gc=False):
    """The result of the check of one line.

    The fields from ``body_hash`` on, except for ``lines``, are filled in only for a request
    without errors. ``body_hash`` is valid in this process only, and ``shape`` is as ``read_shape``
    returns it. ``prompt_start`` may belong to several lines, which differ in their ``own_text``.
    ``lines`` is more than 1 only if the report stands for several blank lines in a row;
    ``length`` then excludes the last line ending only.

    Until ``count_tokens``, ``input_tokens`` excludes ``texts`` and ``repeated`` texts, which
    ``vocabulary`` is to count.
    """

    common: CommonReport
    length: int
    custom_id: str = ""
    body_hash: int = 0
    input_tokens: int = 0
    shape: AnyShape = ""
    texts: Sequence[str] = ()
    repeated: Sequence[str] = ()
    vocabulary: Vocabulary | None = None
    prompt_start: PromptStart | None = None
    own_text: str = ""
    lines: int = 1


def count_tokens(line_reports: Iterable[LineReport]) -> None:
    """Count the texts of all ``line_reports`` together, and repeated texts once."""
    by_vocabulary: dict[Vocabulary | None, list[LineReport]] = {}
    for line_report in line_reports:
        if not line_report.common.has_error:
            by_vocabulary.setdefault(line_report.vocabulary, []).append(line_report)
    for vocabulary, requests in by_vocabulary.items():
        if vocabulary:
            _count_texts(requests, vocabulary)


def _count_texts(requests: Sequence[LineReport], vocabulary: Vocabulary) -> None:
    texts: list[str] = []
    repeated: dict[str, int] = {}
    for request in requests:
        texts += request.texts
        for text in request.repeated:
            repeated[text] = 0
    sums = vocabulary.count_sums([*texts, *repeated])
    for number, text in enumerate(repeated, len(texts)):
        repeated[text] = sums[number + 1] - sums[number]
    end = 0
    for request in requests:
        start, end = end, end + len(request.texts)
        request.input_tokens += sums[end] - sums[start]
        for text in request.repeated:
            request.input_tokens += repeated[text]
        request.texts = request.repeated = ()
        request.vocabulary = None
