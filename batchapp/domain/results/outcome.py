"""One harvested line, and what happened to its request."""

import json
from enum import StrEnum

import msgspec

from batchapp.domain.results import answer_bodies, error_messages

PREVIEW_LENGTH = 200


class Outcome(StrEnum):
    """Where one request stands or ended. Every request ends in exactly one of them."""

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
        """Whether the model answered, and so whether tokens are paid for."""
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
    {
        Outcome.OK,
        Outcome.TRUNCATED,
        Outcome.REFUSED,
        Outcome.EMPTY,
        Outcome.INVALID_SCHEMA,
    }
)
FAILED = frozenset({Outcome.HTTP_ERROR, Outcome.PROVIDER_ERROR, Outcome.EXPIRED})

UNTRIED = {
    "batch_cancelled": Outcome.CANCELLED,
    "BatchTerminated": Outcome.CANCELLED,
    "batch_expired": Outcome.EXPIRED,
}
"""Error codes of requests that nobody tried, OpenAI's and the provider's, and what they are."""


class MalformedLine(ValueError):
    """A result line that is not JSON, or names no request."""


class Answer(msgspec.Struct, frozen=True):
    """Texts are "" and numbers None where the line does not say.

    No text holds a NUL or half a surrogate pair, which databases refuse. ``status_code`` of an
    error line is the model's own, when the provider passes it on.
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
    """What one line of an output or error file says.

    Raises:
        MalformedLine: set the line aside; no request can be told from it.
    """
    fields = _decode(line)
    response, error = fields.get("response"), fields.get("error")
    if isinstance(response, dict) and (response or not error):
        return _answered(fields, response, error)
    return _failed(fields, error)


def answer_text(line: bytes) -> str:
    """The whole answer in words, "" when the model gave none.

    Raises:
        MalformedLine: as ``read_answer``.
    """
    response = answer_bodies.mapping(_decode(line).get("response"))
    if not _is_success(error_messages.http_status(response.get("status_code"))):
        return ""
    return clean(answer_bodies.content(_unwrapped(response.get("body"))).text)


def _answered(fields: dict[str, object], response: dict[str, object], error: object) -> Answer:
    """A line with an HTTP response, whose status says more than the file it was found in."""
    status, body = error_messages.http_status(response.get("status_code")), response.get("body")
    if status is None and error:
        return _failed(fields, error)
    if not _is_success(status):
        failure = error_messages.dig(error or body)
        message = failure.message or _without_reason(status)
        return _line(
            fields,
            Outcome.HTTP_ERROR,
            status_code=status,
            error_code=failure.code,
            error_message=message,
        )
    body = _unwrapped(body)
    content = answer_bodies.content(body)
    if not content.text and (complaint := answer_bodies.mapping(body).get("error") or error):
        return _failed(fields, complaint, status)
    return _line(fields, _outcome(content), status_code=status, body=body, content=content)


def _failed(fields: dict[str, object], error: object, status: int | None = None) -> Answer:
    failure = error_messages.dig(error)
    status = failure.status or status
    return _line(
        fields,
        UNTRIED.get(failure.code, Outcome.PROVIDER_ERROR),
        status_code=status,
        error_code=failure.code,
        error_message=failure.message or _without_reason(status),
    )


def _without_reason(status: int | None) -> str:
    return f"HTTP status {status}, without a reason." if status else "No reason was given."


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
        line_id=clean(answer_bodies.text_of(fields.get("id"))),
        custom_id=clean(answer_bodies.text_of(fields.get("custom_id"))),
        outcome=outcome,
        status_code=status_code,
        finish_reason=clean(content.finish_reason),
        model=clean(answer_bodies.text_of(answer_bodies.mapping(body).get("model"))),
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        error_code=clean(error_code),
        error_message=clean(error_message),
        preview=preview(content.text),
    )


def preview(text: str) -> str:
    """The beginning of ``text`` on one line."""
    return clean(" ".join(text.lstrip()[: 8 * PREVIEW_LENGTH].split())[:PREVIEW_LENGTH])


def _decode(line: bytes) -> dict[str, object]:
    """Read as leniently as may be: what was paid for should not be lost over a NaN."""
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
    """A body that arrived as a string of JSON, as some gateways send it."""
    if not isinstance(body, str) or not body.lstrip().startswith("{"):
        return body
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):
        return body
    return value


def clean(text: str) -> str:
    """Without what no database takes: NUL, and half a surrogate pair."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "�")
