"""Read why a batch failed as a whole, in whatever shape a provider tells it."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from batchapp.providers import json_values, refusals
from batchapp.providers.errors import About

MAX_SENTENCES = 100  # errors stored of one batch; OpenAI may send one for each line of its file
MAX_LENGTH = 500  # characters of a sentence
MAX_DEPTH = 5
LISTS = ("data", "errors", "details")
SENTENCES = ("message", "detail", "msg", "reason", "description", "error_description", "title")
# What may tell of a batch that is over why it ended so, beside ``errors`` and ``error``.
REASONS = ("failure_reason", "failed_reason", "status_message", "status_details", "error_message")


class BatchError(NamedTuple):
    """One reason; ``line`` is a line of the file, 0 without one."""

    code: str
    message: str
    line: int

    @property
    def sentence(self) -> str:
        return f"Line {self.line}: {self.message}" if self.line else self.message


class WholeRefusal(StrEnum):
    """The reason for which a provider ran nothing of a batch, and would run it later."""

    ROOM = "room"
    MONEY = "money"


def read_errors(batch: Mapping[str, Any], *, is_over: bool) -> tuple[BatchError, ...]:
    """Return the reasons in a batch, each sentence once."""
    names = ("errors", "error", *(REASONS if is_over else ()))
    errors: dict[str, BatchError] = {}
    for name in names:
        for error in _walk(batch.get(name), MAX_DEPTH):
            errors.setdefault(error.sentence, error)
            if len(errors) == MAX_SENTENCES:
                return tuple(errors.values())
    return tuple(errors.values())


def whole_refusal(errors: tuple[BatchError, ...]) -> WholeRefusal | None:
    """Return why the account could not take the batch; None if the reason is the file itself."""
    for error in errors:
        fields = {"code": error.code}
        if error.line:
            return None
        if refusals.wants_money(error.message, fields):
            return WholeRefusal.MONEY
        if refusals.passing_subject(error.message, fields) is About.ROOM:
            return WholeRefusal.ROOM
    return None


def _walk(value: object, depth: int) -> Iterator[BatchError]:
    if isinstance(value, str):
        if message := json_values.text(value).strip():
            yield BatchError("", message[:MAX_LENGTH], 0)
    elif isinstance(value, list) and depth:
        for item in value[:MAX_SENTENCES]:
            yield from _walk(item, depth - 1)
    elif isinstance(value, dict) and depth:
        yield from _of_object(value, depth - 1)


def _of_object(fields: dict[str, Any], depth: int) -> Iterator[BatchError]:
    inner = [fields[name] for name in LISTS if isinstance(fields.get(name), list) and fields[name]]
    if inner:
        yield from _walk(inner[0], depth)
        return
    message = next(filter(None, (json_values.text(fields.get(name)) for name in SENTENCES)), "")
    code = json_values.text(fields.get("code")) or json_values.text(fields.get("type"))
    if not message and isinstance(fields.get("error"), dict | str | list):
        yield from _walk(fields["error"], depth)
    elif message or code:
        line = json_values.count(fields.get("line"))
        yield BatchError(code, (message or code)[:MAX_LENGTH], line)
