"""How each request's model call goes: by its body's merits, or as a directive in it says.

The directives stand in ``body.user``; the package's docstring lists them.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from batchapp.sandbox.answers.answering import token_usage
from batchapp.sandbox.answers.bodies import body_fault
from batchapp.sandbox.files.validation import RequestLine

DIRECTIVE_PREFIX = "sandbox:"
NO_ANSWER = 0
"""Stands for a status where the model never answered."""
RETRIABLE = {404, 408, 429, 499}
"""Besides every 5xx; the provider tries these again until the deadline, then gives up."""
NO_CREDIT_STATUS = 402
NO_CREDIT_TEXT = "Account balance too low. Please add credits to continue."


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request will come to; ``status`` 200 is success, ``NO_ANSWER`` a timeout."""

    first_status: int
    later_status: int
    is_slow: bool
    prompt_tokens: int
    completion_tokens: int


def directive(body: dict[str, Any]) -> str:
    """The part of ``body.user`` behind ``sandbox:``, or nothing."""
    user = body.get("user")
    if isinstance(user, str) and user.startswith(DIRECTIVE_PREFIX):
        return user.removeprefix(DIRECTIVE_PREFIX)
    return ""


def plan(line: RequestLine) -> Plan:
    """Foresee the outcome of ``line`` and the tokens it will be billed for."""
    if body_fault(line.url, line.body):
        return Plan(400, 400, is_slow=False, prompt_tokens=0, completion_tokens=0)
    wish = directive(line.body)
    verb, _, value = wish.partition("=")
    first = _status(value) if verb in {"fail", "fail-once"} else 200
    prompt_tokens, completion_tokens = token_usage(line, wish)
    return Plan(
        first_status=first,
        later_status=200 if verb == "fail-once" else first,
        is_slow=verb == "slow",
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
    )


def failure_reason(line: RequestLine, status: int) -> str:
    """The stored reason of a failure, JSON inside a string, as error files carry it."""
    reason: dict[str, Any]
    if status == NO_ANSWER:
        error = "error sending request: operation timed out after 600s"
        reason = {"type": "Timeout", "details": {"error": error}}
    else:
        is_retriable = status >= 500 or status in RETRIABLE
        kind = "RetriableHttpStatus" if is_retriable else "NonRetriableHttpStatus"
        details = {"status": status, "body": _failure_body(line, status)}
        reason = {"type": kind, "details": details}
    return msgspec.json.encode(reason).decode()


def _failure_body(line: RequestLine, status: int) -> str:
    if status == NO_CREDIT_STATUS:
        return NO_CREDIT_TEXT
    fault = body_fault(line.url, line.body) if status == 400 else None
    message = fault or f"The model server answered {status} because the request asked for it."
    error = {
        "message": message,
        "type": "BadRequestError" if status < 500 else "InternalServerError",
        "param": None,
        "code": status,
    }
    return msgspec.json.encode({"error": error}).decode()


def _status(value: str) -> int:
    if value == "timeout":
        return NO_ANSWER
    return int(value) if value.isdecimal() and 400 <= int(value) <= 599 else 500
