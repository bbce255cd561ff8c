"""Read one line of a result file, and decide how its request ended."""

import json
import re
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from batchapp.domain.results import answer_bodies, error_messages, usual_lines
from batchapp.domain.results.answer_usage import CacheTokens, read_usage
from batchapp.domain.results.envelopes import Envelope, custom_id_of, open_envelope
from batchapp.domain.results.no_credit import is_about_money

PREVIEW_LENGTH = 200
# Of one line, whose values as Python objects may take twenty times its bytes. A thousand
# embeddings of 4,096 numbers are below the first limit, 50,000 tokens with 19 alternatives below
# the second.
MAX_VALUES, MAX_OBJECTS = 5_000_000, 1_000_000


class Outcome(StrEnum):
    """The end of a request; each request has exactly one outcome, PENDING until it ends.

    INVALID_REQUEST is a failure that the same request would meet again, PROVIDER_ERROR one that
    says nothing about the request, and UNPAID one for want of credits. REUSED is the
    outcome of a request that was not sent, since another result has its answer.
    """

    PENDING = "pending"
    OK = "ok"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    EMPTY = "empty"
    INVALID_SCHEMA = "invalid_schema"
    INVALID_REQUEST = "invalid_request"
    PROVIDER_ERROR = "provider_error"
    UNPAID = "unpaid"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"
    REUSED = "reused"

    @property
    def label(self) -> str:
        return LABELS[self]

    @property
    def is_answer(self) -> bool:
        """Return True if the model answered, so that tokens are paid for."""
        return self in SUCCEEDED

    @property
    def is_failure(self) -> bool:
        return self in FAILED


LABELS = {
    Outcome.PENDING: "Waiting",
    Outcome.OK: "Answered",
    Outcome.TRUNCATED: "Cut short",
    Outcome.REFUSED: "Refused",
    Outcome.EMPTY: "Empty answer",
    Outcome.INVALID_SCHEMA: "Not as the schema asks",
    Outcome.INVALID_REQUEST: "Invalid request",
    Outcome.PROVIDER_ERROR: "Provider error",
    Outcome.UNPAID: "No credits left",
    Outcome.EXPIRED: "Expired",
    Outcome.CANCELLED: "Cancelled",
    Outcome.MISSING: "No result",
    Outcome.REUSED: "Answer deleted",  # as long as it is there, its own outcome is shown
}

SUCCEEDED = frozenset(
    {Outcome.OK, Outcome.TRUNCATED, Outcome.REFUSED, Outcome.EMPTY, Outcome.INVALID_SCHEMA}
)
DOUBTFUL = SUCCEEDED - {Outcome.OK}  # answers that are paid for, but may not be of use
FAILED = frozenset(
    {Outcome.INVALID_REQUEST, Outcome.PROVIDER_ERROR, Outcome.UNPAID, Outcome.EXPIRED}
)
GROUPS = {"answered": SUCCEEDED, "doubtful": DOUBTFUL, "failed": FAILED}  # as filters name them

# HTTP statuses from 400 to 499 that may not come again: timeouts and load pass, a missing model
# (404) may be back, and a broken connection (499) is made again.
PASSING_STATUSES = frozenset({404, 408, 409, 425, 429, 499})
NO_CREDIT = 402
# Failures whose words may tell that no money was left, and what they quote of the request.
MAY_BE_UNPAID = frozenset({Outcome.INVALID_REQUEST, Outcome.PROVIDER_ERROR})
QUOTED = re.compile(r"'[^']{0,300}'|`[^`]{0,300}`|\"[^\"]{0,300}\"")
STOP = "stop"  # the finish reason of nearly all answers: the model came to its end

# Of an answer in a form that is not known, which is paid and kept as JSON.
UNKNOWN_FORM = "unknown_form"
UNKNOWN_FORM_SENTENCE = (
    "The answer came in a form that this portal does not know; here is its JSON."
)

# Error code of a request that was never tried, OpenAI's or the provider's -> outcome.
UNTRIED_CODES = {
    "batch_cancelled": Outcome.CANCELLED,
    "BatchTerminated": Outcome.CANCELLED,
    "batch_expired": Outcome.EXPIRED,
}


class MalformedLine(ValueError):
    """A result line is not JSON, names no request, or has more values than an answer."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """The content of a result line; texts are "" and numbers None if the line has none.

    No text holds a NUL or half a surrogate pair, which databases refuse. ``status_code`` of an
    error line is the model's own status, if the provider passes it on.
    """

    line_id: str
    custom_id: str
    outcome: Outcome
    status_code: int | None
    finish_reason: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cache: CacheTokens | None
    error_code: str
    error_message: str
    preview: str


def read_answer(line: bytes) -> Answer:
    """Read one line of an output or error file.

    Raises:
        MalformedLine: the line names no request; store it as an unmatched line.
    """
    if usual := usual_lines.decode_usual(line):
        return _usual(usual, storable_text if usual_lines.ESCAPE in line else str)
    return read_any_answer(line)


class AnswerEnd(NamedTuple):
    """What a result line says of its request, without the texts: see ``Answer``."""

    custom_id: str
    outcome: Outcome
    input_tokens: int | None
    output_tokens: int | None


def read_end(line: bytes) -> AnswerEnd:
    """Do as ``read_answer``, but without the texts, in half of the time for a usual line.

    Raises:
        MalformedLine: as ``read_answer``.
    """
    usual = usual_lines.decode_usual(line)
    if not usual or usual.response.body.choices[0].finish_reason != STOP:
        answer = read_answer(line)
        return AnswerEnd(
            answer.custom_id, answer.outcome, answer.input_tokens, answer.output_tokens
        )
    usage = usual.response.body.usage
    custom_id = storable_text(usual.custom_id)
    return AnswerEnd(custom_id, Outcome.OK, usage.prompt_tokens, usage.completion_tokens)


def read_any_answer(line: bytes) -> Answer:
    """Do as ``read_answer``, with the rules for lines of every shape."""
    fields = _decode(line)
    envelope = open_envelope(fields)
    if envelope.body is None and envelope.status is None:
        return _failed(fields, envelope.error)
    return _answered(fields, envelope)


def failure_outcome(status_code: int | None) -> Outcome:
    """Return whether the request, the account or the provider is the reason of a failure."""
    if status_code == NO_CREDIT:
        return Outcome.UNPAID
    if status_code is None or not 400 <= status_code < 500 or status_code in PASSING_STATUSES:
        return Outcome.PROVIDER_ERROR
    return Outcome.INVALID_REQUEST


def answer_text(line: bytes) -> str:
    """Return the text of the whole answer, "" if the model gave none.

    Raises:
        MalformedLine: as ``read_answer``.
    """
    return storable_text(answer_bodies.content(_body(line)).text)


def answer_embeddings(line: bytes) -> list[list[float]]:
    """Return the numbers of each embedding of the answer; none if it has none.

    Raises:
        MalformedLine: as ``read_answer``.
    """
    return answer_bodies.embeddings(_body(line))


def _body(line: bytes) -> object:
    """Return the body of a successful answer, else None."""
    envelope = open_envelope(_decode(line))
    return _unwrapped(envelope.body) if _is_success(envelope.status) else None


def _usual(line: usual_lines.UsualLine, storable: Callable[[str], str]) -> Answer:
    body = line.response.body
    choice = body.choices[0]
    text, reason = choice.message.content, choice.finish_reason
    is_complete = reason == STOP
    return Answer(
        line_id=storable(line.id),
        custom_id=storable(line.custom_id),
        outcome=Outcome.OK if is_complete else _outcome(answer_bodies.Content(text, reason)),
        status_code=line.response.status_code,
        finish_reason=storable(reason),
        model=storable(body.model),
        input_tokens=body.usage.prompt_tokens,
        output_tokens=body.usage.completion_tokens,
        cache=body.usage.cache,
        error_code="",
        error_message="",
        preview=preview(text),
    )


def _answered(fields: dict[str, object], envelope: Envelope) -> Answer:
    # The status decides, and not the file: providers put HTTP errors into output files as well.
    status, body, error, is_known = envelope
    if status is None and error:
        return _failed(fields, error)
    if not _is_success(status):
        failure = error_messages.find_failure(error or body)
        return _failed_line(fields, failure_outcome(status), failure, status)
    body = _unwrapped(body)
    content = answer_bodies.content(body)
    if not content.text and (problem := answer_bodies.mapping(body).get("error") or error):
        return _failed(fields, problem, status)
    if not is_known:
        content = answer_bodies.Content(answer_bodies.as_json(body))
    return _line(
        fields,
        _outcome(content),
        status_code=status,
        body=body,
        content=content,
        error_code="" if is_known else UNKNOWN_FORM,
        error_message="" if is_known else UNKNOWN_FORM_SENTENCE,
    )


def _failed(fields: dict[str, object], error: object, status: int | None = None) -> Answer:
    failure = error_messages.find_failure(error)
    status = failure.status or status
    outcome = UNTRIED_CODES.get(failure.code) or failure_outcome(status)
    return _failed_line(fields, outcome, failure, status)


def _failed_line(
    fields: dict[str, object],
    outcome: Outcome,
    failure: error_messages.Failure,
    status: int | None,
) -> Answer:
    if outcome in MAY_BE_UNPAID and is_about_money(QUOTED.sub("…", failure.message), failure.code):
        outcome = Outcome.UNPAID
    no_reason = f"HTTP status {status}, without a reason." if status else "No reason was given."
    message = failure.message or no_reason
    return _line(
        fields, outcome, status_code=status, error_code=failure.code, error_message=message
    )


def _outcome(content: answer_bodies.Content) -> Outcome:
    if content.is_declined:
        return Outcome.REFUSED
    if content.is_cut_short:
        return Outcome.TRUNCATED
    return Outcome.OK if content.text.strip() else Outcome.EMPTY


def _line(
    fields: dict[str, object],
    outcome: Outcome,
    *,
    status_code: int | None,
    body: object = None,
    content: answer_bodies.Content = answer_bodies.NOTHING,
    error_code: str = "",
    error_message: str = "",
) -> Answer:
    usage = read_usage(body)
    return Answer(
        line_id=storable_text(answer_bodies.text_of(fields.get("id"))),
        custom_id=storable_text(custom_id_of(fields) or ""),
        outcome=outcome,
        status_code=status_code,
        finish_reason=storable_text(content.finish_reason),
        model=storable_text(answer_bodies.text_of(answer_bodies.mapping(body).get("model"))),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache=usage.cache,
        error_code=storable_text(error_code),
        error_message=storable_text(error_message),
        preview=preview(content.text),
    )


def preview(text: str) -> str:
    """Return the beginning of ``text`` on one line."""
    start = text.lstrip()[: 8 * PREVIEW_LENGTH]
    # Usually twice the length is enough, and four times less to split.
    words = " ".join(start[: 2 * PREVIEW_LENGTH].split())
    if len(words) < PREVIEW_LENGTH:
        words = " ".join(start.split())
    return storable_text(words[:PREVIEW_LENGTH])


def _decode(line: bytes) -> dict[str, object]:
    """Decode a line leniently: a paid answer should not be lost because of a NaN."""
    if len(line) > MAX_OBJECTS and (
        line.count(b",") + line.count(b":") > MAX_VALUES
        or line.count(b"{") + line.count(b"[") > MAX_OBJECTS
    ):
        raise MalformedLine("more values than any answer has")
    try:
        value: object = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            value = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            raise MalformedLine(f"not a line of JSON: {error}") from error
    if not isinstance(value, dict):
        raise MalformedLine("not a JSON object")
    if custom_id_of(value) is None:
        raise MalformedLine("no custom_id")
    return value


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def _unwrapped(body: object) -> object:
    """Return a body that some gateways send as a string of JSON, decoded; others unchanged."""
    if not isinstance(body, str) or not body.lstrip().startswith("{"):
        return body
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return value


def storable_text(text: str) -> str:
    """Replace characters that a database cannot store: NUL, and half a surrogate pair."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "�") if "\0" in text else text
