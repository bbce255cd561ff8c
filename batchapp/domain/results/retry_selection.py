"""Which requests of a batch are run again, and what changes in them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.request_files.reading.strict_json import encode_compact
from batchapp.domain.results.outcome import FAILED
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count

RETRYABLE_STATUSES = frozenset({404, 408, 409, 425, 429, 499})
"""Of the HTTP statuses from 400 to 499: time and load are gone the next time, a model that was not
there (404) may be, and a connection that broke (499) is made anew."""

NO_CREDIT = 402

FACTORS = (2, 4, 8)
"""By how much the limit on an answer's length can be raised; the first one is the usual."""

MAX_TEMPERATURE = 2.0
"""Source: https://platform.openai.com/docs/api-reference/chat/create, ``temperature``."""

WITHOUT_TEMPERATURE = frozenset({"/v1/embeddings"})


class Ending(StrEnum):
    """How a request ended that can be run again: its outcome, but failures told apart.

    ``LASTING`` are the failures that the same request would end in again, ``UNPAID`` those for
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
    """``is_usual``: it is run again unless a person says otherwise; ``reason`` says why."""

    label: str
    is_usual: bool
    reason: str


ADVICE = {
    Ending.PROVIDER_ERROR: Advice(
        "Provider error",
        is_usual=True,
        reason="The provider failed, not the request: it most often works the next time.",
    ),
    Ending.HTTP_ERROR: Advice(
        "Model error",
        is_usual=True,
        reason="The model was overloaded, away or broke off (HTTP 404, 408, 429, 499 or 5xx), "
        "which passes.",
    ),
    Ending.UNPAID: Advice(
        "No credits left",
        is_usual=True,
        reason="The account had no credits left (HTTP 402): add credits, then run it again.",
    ),
    Ending.MISSING: Advice("No result", is_usual=True, reason="Nothing came back for it."),
    Ending.EXPIRED: Advice(
        "Expired", is_usual=True, reason="The completion window ended before it was its turn."
    ),
    Ending.CANCELLED: Advice(
        "Cancelled", is_usual=True, reason="Nobody tried it before the batch was cancelled."
    ),
    Ending.TRUNCATED: Advice(
        "Cut short",
        is_usual=True,
        reason="It reached its max_tokens, and would be cut there again: so that is raised.",
    ),
    Ending.INVALID_SCHEMA: Advice(
        "Does not fit its schema",
        is_usual=False,
        reason="It is an answer, and was paid. Another model may keep to the schema better.",
    ),
    Ending.EMPTY: Advice(
        "Empty answer",
        is_usual=False,
        reason="The model had nothing to say, and most likely has not the next time.",
    ),
    Ending.REFUSED: Advice(
        "Refused",
        is_usual=False,
        reason="The model declined, and most likely declines the same request again.",
    ),
    Ending.LASTING: Advice(
        "Faulty request",
        is_usual=False,
        reason="The request itself was turned down (such as HTTP 400, or too long for the model): "
        "the same request fails again. Choose another model, or correct the file.",
    ),
}
"""In the order in which people are asked."""

USUAL = frozenset(ending_of for ending_of, advice in ADVICE.items() if advice.is_usual)

UNTRIED = frozenset(
    {
        *(Ending.PROVIDER_ERROR, Ending.HTTP_ERROR, Ending.UNPAID, Ending.LASTING),
        *(Ending.CANCELLED, Ending.EXPIRED),
    }
)
"""Without an answer, and known as such to the provider."""


def is_lasting(status_code: int | None) -> bool:
    """Whether a request that failed with this HTTP status would fail again, whatever one does."""
    return (
        status_code is not None
        and 400 <= status_code < 500
        and status_code not in RETRYABLE_STATUSES | {NO_CREDIT}
    )


def ending_of(outcome: str, status_code: int | None) -> Ending | None:
    """How a request ended; None while it waits, and when there is nothing to wish for."""
    if outcome in FAILED and status_code == NO_CREDIT:
        return Ending.UNPAID
    if outcome in FAILED and is_lasting(status_code):
        return Ending.LASTING
    return Ending(outcome) if outcome in ADVICE else None


class Selection(msgspec.Struct, frozen=True):
    """Which requests are run again, and how they change.

    ``max_tokens_factor`` raises the limit of those that were cut short, 1 leaves it. ``model`` ""
    and ``temperature`` None leave what the request says. ``parent`` is the name of the batch.
    ``counts`` says how many there were of each ending, and ``unlimited`` how many of those cut
    short set no limit that could be raised; both are kept once the file is made.
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
        """What becomes different, in words: "model m", "temperature 0.2"."""
        found = []
        if self.max_tokens_factor > 1 and Ending.TRUNCATED in self.endings:
            found.append(f"{self.max_tokens_factor} times max_tokens where cut short")
        if self.model:
            found.append(f"model {self.model}")
        if self.temperature is not None:
            found.append(f"temperature {self.temperature:g}")
        return found

    @property
    def words(self) -> str:
        """What was taken and changed: "provider error: 12, cut short: 3; model m"; "" before."""
        if self.counts is None:
            return ""
        taken = [
            f"{advice.label.lower()}: {number:,}"
            for each, advice in ADVICE.items()
            if (number := self.counts.get(each, 0))
        ]
        return "; ".join(filter(None, [", ".join(taken), ", ".join(self.changes)]))


class RequestChanger:
    """One run over the requests that are selected. ``unlimited`` counts, see ``Selection``."""

    def __init__(self, selection: Selection) -> None:
        self.unlimited = 0
        self._selection = selection

    def changed(self, line: bytes, found: Ending) -> bytes:
        """``line``, a request that a check has passed, as it is to be sent.

        One that nothing is done to keeps its every byte; of another only the white space between
        its fields is lost. No limit is invented where a request sets none.
        """
        selection = self._selection
        is_raised = selection.max_tokens_factor > 1 and found is Ending.TRUNCATED
        if not is_raised and not selection.model and selection.temperature is None:
            return line
        request = _fields(line)
        body = _fields(request["body"])
        url = msgspec.json.decode(request["url"], type=str)
        news: dict[str, Any] = {}
        if is_raised:
            raised = _raised(body, url, selection.max_tokens_factor)
            self.unlimited += not raised
            news |= raised
        if selection.model:
            news["model"] = selection.model
        if selection.temperature is not None and url not in WITHOUT_TEMPERATURE:
            news["temperature"] = selection.temperature
        if all(name in body and _is(body[name], value) for name, value in news.items()):
            return line
        body |= {name: msgspec.Raw(encode_compact(value)) for name, value in news.items()}
        request["body"] = msgspec.Raw(encode_compact(body))
        return encode_compact(request)


def _fields(data: "bytes | msgspec.Raw") -> dict[str, msgspec.Raw]:
    """An object's fields as they are written, so that no digit of a number is lost."""
    return msgspec.json.decode(data, type=dict[str, msgspec.Raw])


def _raised(body: Mapping[str, msgspec.Raw], url: str, factor: int) -> dict[str, int]:
    given = {
        name: msgspec.json.decode(body[name])
        for name in OUTPUT_LIMIT_FIELDS.get(url, ())
        if name in body
    }
    return {
        name: max(limit, min(limit * factor, MAX_OUTPUT))
        for name, limit in given.items()
        if is_count(limit)
    }


def _is(written: msgspec.Raw, value: object) -> bool:
    return bool(msgspec.json.decode(written) == value)
