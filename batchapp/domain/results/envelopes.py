"""Open a result line, whoever wrapped the answer, into custom_id, status, body and error.

OpenAI's shape is ``{"custom_id", "response": {"status_code", "body"}, "error"}``. Others leave out
parts of it, or are of Anthropic, Bedrock and Gemini, whose rows some proxies pass on as they are.

Source: the references of the batch APIs of OpenAI, Anthropic, Amazon Bedrock and Gemini, and
reports on LiteLLM, Fireworks and lenient gateways.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from batchapp.domain.results.answer_bodies import mapping, text_of
from batchapp.domain.results.error_messages import http_status

CUSTOM_IDS = ("custom_id", "recordId", "record_id", "key")  # the first that a line has counts
UNWRAPPED_STATUS = 200  # of an answer that came without a status
# The field that shows that an object is a body of its own, without ``status_code`` around it.
BODY_FIELDS = frozenset({"choices", "output", "content", "data", "results", "candidates"})
ANTHROPIC_STATUSES = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "overloaded_error": 529,
}
# How Anthropic says that a request was not tried -> the code that OpenAI gives such a request.
ANTHROPIC_UNTRIED = {"expired": "batch_expired", "canceled": "batch_cancelled"}


class Envelope(NamedTuple):
    """The parts of a result line; ``status`` is None if the line has none.

    ``is_known`` is False if an answer was found, but in a form that is not known: ``body`` is all
    that the line has then.
    """

    status: int | None
    body: object
    error: object
    is_known: bool = True


def custom_id_of(fields: Mapping[str, Any]) -> str | None:
    """Return the name of the request; a number, which lenient servers make of an id, as text."""
    value = next((fields[name] for name in CUSTOM_IDS if fields.get(name) is not None), None)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number else (value if isinstance(value, str) else None)


def same_name(custom_id: str) -> str:
    """Return what is equal for a custom_id and what lenient servers make of it.

    They trim it, or read its digits as a number.
    """
    name = " ".join(custom_id.split())
    return name.lstrip("0") or "0" if name.isdecimal() else name


def open_envelope(fields: Mapping[str, Any]) -> Envelope:
    """Return the status, body and error of a line."""
    response, error = fields.get("response"), fields.get("error") or None
    if isinstance(response, str) and not error:
        return Envelope(UNWRAPPED_STATUS, response, None)
    if isinstance(response, dict) and (response or not error):
        return _of_response(response, error)
    if "result" in fields and isinstance(fields["result"], dict):
        return _of_anthropic(fields["result"])
    if isinstance(fields.get("modelOutput"), dict | str):
        return Envelope(UNWRAPPED_STATUS, fields["modelOutput"], None)
    if error:
        return Envelope(http_status(fields.get("status_code")), None, error)
    return _of_bare_line(fields)


def _of_response(response: dict[str, Any], error: object) -> Envelope:
    status, body = http_status(response.get("status_code")), response.get("body")
    if "body" not in response and "status_code" not in response:
        if BODY_FIELDS & response.keys():
            return Envelope(UNWRAPPED_STATUS, response, error)
        if response.get("error"):
            return Envelope(None, None, response["error"])
    if status is None and body and not error and not mapping(body).get("error"):
        status = UNWRAPPED_STATUS
    return Envelope(status, body, error)


def _of_anthropic(result: dict[str, Any]) -> Envelope:
    kind = text_of(result.get("type"))
    if isinstance(result.get("message"), dict):
        return Envelope(UNWRAPPED_STATUS, result["message"], None)
    if kind in ANTHROPIC_UNTRIED:
        return Envelope(None, None, {"code": ANTHROPIC_UNTRIED[kind], "message": _UNTRIED[kind]})
    error = result.get("error")
    if error:
        inner = mapping(mapping(error).get("error")) or mapping(error)
        return Envelope(ANTHROPIC_STATUSES.get(text_of(inner.get("type"))), None, error)
    if BODY_FIELDS & result.keys():
        return Envelope(UNWRAPPED_STATUS, result, None)
    return Envelope(UNWRAPPED_STATUS, result, None, is_known=False)


def _of_bare_line(fields: Mapping[str, Any]) -> Envelope:
    """Open a line whose body stands beside the custom_id, or in a field that nobody knows."""
    status, body = http_status(fields.get("status_code")), fields.get("body")
    if body:
        return Envelope(status or UNWRAPPED_STATUS, body, None)
    if BODY_FIELDS & fields.keys():
        return Envelope(status or UNWRAPPED_STATUS, dict(fields), None)
    names = {"id", "response", "error", "status", "status_code", "request_id", "object"}
    rest = {
        name: value
        for name, value in fields.items()
        if value not in (None, "", {}, []) and name not in names | set(CUSTOM_IDS)
    }
    rest.pop("modelInput", None)
    rest.pop("request", None)
    if not rest or (status and status >= 400):
        return Envelope(status, None, None)
    return Envelope(UNWRAPPED_STATUS, rest, None, is_known=False)


_UNTRIED = {
    "expired": "The request was not answered before the batch expired.",
    "canceled": "The request was cancelled before it was answered.",
}
