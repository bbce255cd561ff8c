"""Choose the requests of a batch that a retry runs again, and change them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.request_files.reading.strict_json import encode_compact
from batchapp.domain.results.outcome import FAILED
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count

# HTTP statuses from 400 to 499 that may not come again: timeouts and load pass, a missing model
# (404) may be back, and a broken connection (499) is made again.
RETRYABLE_STATUSES = frozenset({404, 408, 409, 425, 429, 499})
NO_CREDIT = 402

MAX_TOKENS_FACTORS = (2, 4, 8)  # offered for the limit of an answer's length; the first by default

# Source: https://platform.openai.com/docs/api-reference/chat/create, ``temperature``.
MAX_TEMPERATURE = 2.0

WITHOUT_TEMPERATURE = frozenset({"/v1/embeddings"})


class Ending(StrEnum):
    """The end of a request that can be run again: its outcome, with failures told apart.

    ``LASTING`` is a failure that the same request would meet again; ``UNPAID`` is a failure for
    want of credit.
    """

    PROVIDER_ERROR = "provider_error"
    HTTP_ERROR = "http_error"
    UNPAID = "unpaid"
    MISSING = "missing"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    TRUNCATED = "truncated"
    INVALID_SCHEMA = "invalid_schema"
    EMPTY = "empty"
    REFUSED = "refused"
    LASTING = "lasting"


class Advice(NamedTuple):
    """Advice for an ending; if ``is_default``, it is selected unless a person objects."""

    label: str
    reason: str
    is_default: bool = True


ADVICE = {  # in the order of the form
    Ending.PROVIDER_ERROR: Advice(
        "Provider error",
        "The provider failed, not the request: it most often works the next time.",
    ),
    Ending.HTTP_ERROR: Advice(
        "Model error",
        "The model was overloaded, missing or interrupted (HTTP 404, 408, 429, 499 or "
        "5xx), which passes.",
    ),
    Ending.UNPAID: Advice(
        "No credits left",
        "The account had no credits left (HTTP 402): add credits, then run it again.",
    ),
    Ending.MISSING: Advice("No result", "The provider returned nothing."),
    Ending.EXPIRED: Advice("Expired", "The completion window ended before it was its turn."),
    Ending.CANCELLED: Advice("Cancelled", "It was not tried before the batch was cancelled."),
    Ending.TRUNCATED: Advice(
        "Cut short", "It reached its max_tokens and would do so again, so max_tokens is raised."
    ),
    Ending.INVALID_SCHEMA: Advice(
        "Not as the schema asks",
        "It is an answer, and was paid for. Another model may follow the schema better.",
        is_default=False,
    ),
    Ending.EMPTY: Advice(
        "Empty answer", "The model most likely answers with nothing again.", is_default=False
    ),
    Ending.REFUSED: Advice(
        "Refused", "The model most likely refuses the same request again.", is_default=False
    ),
    Ending.LASTING: Advice(
        "Invalid request",
        "The request itself was rejected (such as HTTP 400, or too long for the model): "
        "the same request fails again. Choose another model, or correct the file.",
        is_default=False,
    ),
}

DEFAULT_ENDINGS = frozenset(ending for ending, advice in ADVICE.items() if advice.is_default)

# Endings without an answer, as the provider knows: a retry in place runs these again.
RETRYABLE_IN_PLACE = frozenset(
    {Ending.PROVIDER_ERROR, Ending.HTTP_ERROR, Ending.UNPAID, Ending.LASTING}
    | {Ending.CANCELLED, Ending.EXPIRED}
)


def is_lasting(status_code: int | None) -> bool:
    """Return True if a request that failed with this HTTP status would fail again unchanged."""
    return (
        status_code is not None
        and 400 <= status_code < 500
        and status_code not in RETRYABLE_STATUSES | {NO_CREDIT}
    )


def ending_of(outcome: str, status_code: int | None) -> Ending | None:
    """Return the ending of a request; None while it waits, and if a retry would not help."""
    if outcome in FAILED and status_code == NO_CREDIT:
        return Ending.UNPAID
    if outcome in FAILED and is_lasting(status_code):
        return Ending.LASTING
    return Ending(outcome) if outcome in ADVICE else None


class Selection(msgspec.Struct, frozen=True):
    """The requests that a retry runs again, and the changes in them.

    ``max_tokens_factor`` raises the limit of requests that were cut short; 1 leaves it. ``model``
    "" and ``temperature`` None keep the request's own. ``parent`` is the name of the batch.
    ``counts`` has the requests of each ending, and ``unlimited`` those cut short without a limit
    that could be raised; both are set once the retry file is written.
    """

    endings: frozenset[Ending]
    error_code: str = ""
    max_tokens_factor: int = 1
    model: str = ""
    temperature: float | None = None
    parent: str = ""
    counts: dict[Ending, int] | None = None
    unlimited: int = 0

    @property
    def changes(self) -> list[str]:
        """Return the changes in words: "model m", "temperature 0.2"."""
        changes = []
        if self.max_tokens_factor > 1 and Ending.TRUNCATED in self.endings:
            changes.append(f"{self.max_tokens_factor} times max_tokens where cut short")
        if self.model:
            changes.append(f"model {self.model}")
        if self.temperature is not None:
            changes.append(f"temperature {self.temperature:g}")
        return changes

    @property
    def summary(self) -> str:
        """Return counts and changes: "provider error: 12, cut short: 3; model m"; "" before."""
        if self.counts is None:
            return ""
        counts = [
            f"{advice.label.lower()}: {number:,}"
            for ending, advice in ADVICE.items()
            if (number := self.counts.get(ending, 0))
        ]
        return "; ".join(filter(None, [", ".join(counts), ", ".join(self.changes)]))


class RequestChanger:
    """Changes selected requests, and counts ``unlimited`` ones, see ``Selection``."""

    def __init__(self, selection: Selection) -> None:
        self.unlimited = 0
        self._selection = selection

    def change(self, line: bytes, ending: Ending) -> bytes:
        """Return ``line``, a checked request, with the changes of the selection.

        A request without changes keeps every byte; a changed request loses only the white space
        between its fields. No limit is added to a request that sets none.
        """
        selection = self._selection
        is_raised = selection.max_tokens_factor > 1 and ending is Ending.TRUNCATED
        if not is_raised and not selection.model and selection.temperature is None:
            return line
        request = _fields(line)
        body = _fields(request["body"])
        url = msgspec.json.decode(request["url"], type=str)
        changes: dict[str, Any] = {}
        if is_raised:
            raised = _raised(body, url, selection.max_tokens_factor)
            self.unlimited += not raised
            changes |= raised
        if selection.model:
            changes["model"] = selection.model
        if selection.temperature is not None and url not in WITHOUT_TEMPERATURE:
            changes["temperature"] = selection.temperature
        if all(name in body and _has_value(body[name], value) for name, value in changes.items()):
            return line
        body |= {name: msgspec.Raw(encode_compact(value)) for name, value in changes.items()}
        request["body"] = msgspec.Raw(encode_compact(body))
        return encode_compact(request)


def _fields(data: "bytes | msgspec.Raw") -> dict[str, msgspec.Raw]:
    """Return an object's fields undecoded, so that no digit of a number is lost."""
    return msgspec.json.decode(data, type=dict[str, msgspec.Raw])


def _raised(body: Mapping[str, msgspec.Raw], url: str, factor: int) -> dict[str, int]:
    limits = {
        name: msgspec.json.decode(body[name])
        for name in OUTPUT_LIMIT_FIELDS.get(url, ())
        if name in body
    }
    return {
        name: max(limit, min(limit * factor, MAX_OUTPUT))
        for name, limit in limits.items()
        if is_count(limit)
    }


def _has_value(written: msgspec.Raw, value: object) -> bool:
    return bool(msgspec.json.decode(written) == value)
