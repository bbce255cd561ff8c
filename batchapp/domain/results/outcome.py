"""Read one line of a result file, and decide how its request ended."""

import json
from enum import StrEnum

import msgspec

from batchapp.domain.results import answer_bodies, error_messages

PREVIEW_LENGTH = 200
# Of one line, whose values as Python objects may take twenty times its bytes. A thousand
# embeddings of 4,096 numbers are below the first limit, 50,000 tokens with 19 alternatives below
# the second.
MAX_VALUES, MAX_OBJECTS = 5_000_000, 1_000_000


class Outcome(StrEnum):
    """The end of a request; each request has exactly one outcome, PENDING until it ends."""

    PENDING = "pending"
    OK = "ok"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    EMPTY = "empty"
    INVALID_SCHEMA = "invalid_schema"
    HTTP_ERROR = "http_error"
    PROVIDER_ERROR = "provider_error"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    MISSING = "missing"

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
    Outcome.HTTP_ERROR: "Model error",
    Outcome.PROVIDER_ERROR: "Provider error",
    Outcome.EXPIRED: "Expired",
    Outcome.CANCELLED: "Cancelled",
    Outcome.MISSING: "No result",
}

SUCCEEDED = frozenset(
    {Outcome.OK, Outcome.TRUNCATED, Outcome.REFUSED, Outcome.EMPTY, Outcome.INVALID_SCHEMA}
)
DOUBTFUL = SUCCEEDED - {Outcome.OK}  # answers that are paid for, but may not be of use
FAILED = frozenset({Outcome.HTTP_ERROR, Outcome.PROVIDER_ERROR, Outcome.EXPIRED})
GROUPS = {"answered": SUCCEEDED, "doubtful": DOUBTFUL, "failed": FAILED}  # as filters name them

# Error code of a request that was never tried, OpenAI's or the provider's -> outcome.
UNTRIED_CODES = {
    "batch_cancelled": Outcome.CANCELLED,
    "BatchTerminated": Outcome.CANCELLED,
    "batch_expired": Outcome.EXPIRED,
}


class MalformedLine(ValueError):
    """A result line is not JSON, names no request, or has more values than an answer."""


class Answer(msgspec.Struct, frozen=True):
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
    error_code: str
    error_message: str
    preview: str


def read_answer(line: bytes) -> Answer:
    """Read one line of an output or error file.

    Raises:
        MalformedLine: the line names no request; store it as an unmatched line.
    """
    fields = _decode(line)
    response, error = fields.get("response"), fields.get("error")
    if isinstance(response, dict) and (response or not error):
        return _answered(fields, response, error)
    return _failed(fields, error)


def answer_text(line: bytes) -> str:
    """Return the text of the whole answer, "" if the model gave none.

    Raises:
        MalformedLine: as ``read_answer``.
    """
    response = answer_bodies.mapping(_decode(line).get("response"))
    if not _is_success(error_messages.http_status(response.get("status_code"))):
        return ""
    return storable_text(answer_bodies.content(_unwrapped(response.get("body"))).text)


def _answered(fields: dict[str, object], response: dict[str, object], error: object) -> Answer:
    # The status decides, and not the file: providers put HTTP errors into output files as well.
    status, body = error_messages.http_status(response.get("status_code")), response.get("body")
    if status is None and error:
        return _failed(fields, error)
    if not _is_success(status):
        failure = error_messages.find_failure(error or body)
        return _failed_line(fields, Outcome.HTTP_ERROR, failure, status)
    body = _unwrapped(body)
    content = answer_bodies.content(body)
    if not content.text and (problem := answer_bodies.mapping(body).get("error") or error):
        return _failed(fields, problem, status)
    return _line(fields, _outcome(content), status_code=status, body=body, content=content)


def _failed(fields: dict[str, object], error: object, status: int | None = None) -> Answer:
    failure = error_messages.find_failure(error)
    outcome = UNTRIED_CODES.get(failure.code, Outcome.PROVIDER_ERROR)
    return _failed_line(fields, outcome, failure, failure.status or status)


def _failed_line(
    fields: dict[str, object],
    outcome: Outcome,
    failure: error_messages.Failure,
    status: int | None,
) -> Answer:
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
    input_tokens, output_tokens = answer_bodies.usage(body)
    return Answer(
        line_id=storable_text(answer_bodies.text_of(fields.get("id"))),
        custom_id=storable_text(answer_bodies.text_of(fields.get("custom_id"))),
        outcome=outcome,
        status_code=status_code,
        finish_reason=storable_text(content.finish_reason),
        model=storable_text(answer_bodies.text_of(answer_bodies.mapping(body).get("model"))),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        error_code=storable_text(error_code),
        error_message=storable_text(error_message),
        preview=preview(content.text),
    )


def preview(text: str) -> str:
    """Return the beginning of ``text`` on one line."""
    return storable_text(" ".join(text.lstrip()[: 8 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH])


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
    if not isinstance(value.get("custom_id"), str):
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
    return text.replace("\0", "�")
