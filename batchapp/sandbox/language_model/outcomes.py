"""The outcome of a request: decided by checks of its body, or by a directive in ``body.user``.

The docstring of ``batchapp.sandbox`` lists the directives.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.body_checks import body_error
from batchapp.sandbox.language_model.responses import token_usage

DIRECTIVE_PREFIX = "sandbox:"
# Stored instead of an HTTP status: the model never responded, and a 400 of the prompt cache.
NO_RESPONSE, INVALID_MARKER = 0, 1
# The provider retries these and every 5xx until the deadline.
RETRIABLE_STATUSES = {404, 408, 429, 499}
NO_CREDIT_STATUS = 402
NO_CREDIT_TEXT = "Account balance too low. Please add credits to continue."


@dataclass(frozen=True, slots=True)
class PlannedOutcome:
    """The HTTP statuses of the first attempt and of retries: 200, an error or ``NO_RESPONSE``."""

    first_status: int
    later_status: int
    is_slow: bool
    prompt_tokens: int
    completion_tokens: int


def parse_directive(body: dict[str, Any]) -> str:
    """Return the part of ``body.user`` after ``sandbox:``, or an empty text."""
    user = body.get("user")
    if isinstance(user, str) and user.startswith(DIRECTIVE_PREFIX):
        return user.removeprefix(DIRECTIVE_PREFIX)
    return ""


def plan_outcome(line: RequestLine) -> PlannedOutcome:
    """Return the outcome of ``line`` and the tokens that will be billed."""
    if body_error(line.url, line.body):
        return PlannedOutcome(400, 400, is_slow=False, prompt_tokens=0, completion_tokens=0)
    directive = parse_directive(line.body)
    verb, _, value = directive.partition("=")
    first_status = _status(value) if verb in {"fail", "fail-once"} else 200
    prompt_tokens, completion_tokens = token_usage(line, directive)
    return PlannedOutcome(
        first_status=first_status,
        later_status=200 if verb == "fail-once" else first_status,
        is_slow=verb == "slow",
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def failure_reason(line: RequestLine, status: int, marker_error: str | None = None) -> str:
    """Return the reason as error files contain it: JSON inside a string.

    ``marker_error`` says why the markers for the prompt cache are invalid, if they are.
    """
    reason: dict[str, Any]
    if status == NO_RESPONSE:
        error = "error sending request: operation timed out after 600s"
        reason = {"type": "Timeout", "details": {"error": error}}
    else:
        body = _failure_body(line, status)
        if status == INVALID_MARKER:
            status, body = 400, _marker_failure(line.url, marker_error or "")
        is_retriable = status >= 500 or status in RETRIABLE_STATUSES
        kind = "RetriableHttpStatus" if is_retriable else "NonRetriableHttpStatus"
        details = {"status": status, "body": body}
        reason = {"type": kind, "details": details}
    return msgspec.json.encode(reason).decode()


def _failure_body(line: RequestLine, status: int) -> str:
    if status == NO_CREDIT_STATUS:
        return NO_CREDIT_TEXT
    reason = body_error(line.url, line.body) if status == 400 else None
    message = reason or f"The model server answered {status} because the request asked for it."
    error = {
        "message": message,
        "type": "BadRequestError" if status < 500 else "InternalServerError",
        "param": None,
        "code": status,
    }
    return msgspec.json.encode({"error": error}).decode()


def _marker_failure(url: str, message: str) -> str:
    error = {"message": message, "type": "invalid_request_error"}
    if url == "/v1/messages":
        return msgspec.json.encode({"type": "error", "error": error}).decode()
    error |= {"code": "invalid_cache_control", "param": "cache_control"}
    return msgspec.json.encode({"error": error}).decode()


def _status(value: str) -> int:
    if value == "timeout":
        return NO_RESPONSE
    return int(value) if value.isdecimal() and 400 <= int(value) <= 599 else 500
