"""Find the readable sentence inside an error, however deep the provider wrapped it."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from batchapp.domain.results.answer_bodies import mapping, text_of
from batchapp.domain.results.web_pages import is_web_page, page_words

MAX_WRAPPINGS = 8
SENTENCE_LENGTH = 1_000

# The provider's failure types without an HTTP answer. Source: FailureReason, control-layer 10.13.
REASONS = {
    "BatchTerminated": "The batch was cancelled before this request was answered.",
    "TaskTerminated": "The provider stopped while it worked on this request.",
    "Timeout": "The model did not answer in time",
    "NetworkError": "The provider could not reach the model",
    "RequestBuilderError": "The provider could not build the request",
}

SENTENCE_FIELDS = ("error", "message", "detail", "msg", "error_description", "title", "body")


class Failure(NamedTuple):
    """An error: its innermost ``code``, its sentence, and the HTTP ``status``, if it has one."""

    code: str
    message: str
    status: int | None


def find_failure(error: object) -> Failure:
    """Return the code, sentence and HTTP status of an error; ``message`` is "" without a sentence.

    Unwraps JSON inside strings, the provider's ``{"type", "details": {"status", "body"}}``,
    OpenAI's ``{"error": {"message"}}`` and FastAPI's ``{"detail": [{"msg"}]}``.
    """
    code, status, prefix = "", None, ""
    for _ in range(MAX_WRAPPINGS):
        if isinstance(error, str):
            unwrapped = decoded(error)
            if unwrapped is None:
                return Failure(code, _sentence(prefix, error), status)
            error = unwrapped
        elif isinstance(error, list):
            error = error[0] if error else None
        elif isinstance(error, dict):
            code = _code(error) or code
            details = mapping(error.get("details"))
            status = http_status(details.get("status")) or status
            prefix = REASONS.get(text_of(error.get("type")), prefix)
            error = _next(details) if details else _next(error)
        else:
            break
    return Failure(code, _sentence(prefix, ""), status)


def http_status(value: object) -> int | None:
    """Return a status, also one that a lenient gateway writes as text; else None."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) == 3:
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 999:
        return value
    return None


def _next(fields: Mapping[str, Any]) -> object:
    return next((value for field in SENTENCE_FIELDS if (value := fields.get(field))), None)


def _code(fields: Mapping[str, Any]) -> str:
    """Return a code in words if the error has one, else a number such as vLLM's 400."""
    code, kind = fields.get("code"), fields.get("type")
    number = http_status(code)
    return text_of(code) or text_of(kind) or (str(number) if number else "")


def decoded(text: str) -> object:
    """Return the JSON object, list or string in ``text``, or None if it is a sentence."""
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value or None


def _sentence(prefix: str, text: str) -> str:
    """Return ``prefix`` and ``text`` as one line; of a web page its title, or else its words."""
    if is_web_page(text):
        text = page_words(text)
    sentence = " ".join(text[: 4 * SENTENCE_LENGTH].split())[:SENTENCE_LENGTH]
    if prefix and not prefix.endswith("."):
        return f"{prefix}: {sentence}" if sentence else f"{prefix}."
    return sentence or prefix
