"""Choose the requests of a batch that a retry runs again, and change them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from batchapp.domain.request_files.reading.strict_json import encode_compact
from batchapp.domain.results.outcome import FAILED, Outcome
from batchapp.domain.results.problem_groups import ProblemKind
from batchapp.domain.tokens.counting import MAX_OUTPUT, OUTPUT_LIMIT_FIELDS, is_count

MAX_TOKENS_FACTORS = (2, 4, 8)  # offered for the limit of an answer's length; the first by default

# Source: https://platform.openai.com/docs/api-reference/chat/create, ``temperature``.
MAX_TEMPERATURE = 2.0

WITHOUT_TEMPERATURE = frozenset({"/v1/embeddings"})


class Advice(NamedTuple):
    """Why a request with an outcome may end better when it is run again, or may not.

    If ``is_default``, such requests are selected unless a person objects.
    """

    reason: str
    is_default: bool = True


ADVICE = {  # in the order of the form
    Outcome.PROVIDER_ERROR: Advice(
        "The provider failed, not the request: it was overloaded or interrupted, or missed the "
        "model (HTTP 404, 408, 429, 499 or 5xx). It most often works the next time.",
    ),
    Outcome.UNPAID: Advice(
        "The account had no credits left (HTTP 402): add credits, then run it again.",
    ),
    Outcome.MISSING: Advice("The provider returned nothing."),
    Outcome.EXPIRED: Advice("The completion window ended before it was its turn."),
    Outcome.CANCELLED: Advice("It was not tried before the batch was cancelled."),
    Outcome.TRUNCATED: Advice(
        "It reached its max_tokens and would do so again, so max_tokens is raised."
    ),
    Outcome.INVALID_SCHEMA: Advice(
        "It is an answer, and was paid for. Another model may follow the schema better.",
        is_default=False,
    ),
    Outcome.EMPTY: Advice("The model most likely answers with nothing again.", is_default=False),
    Outcome.REFUSED: Advice(
        "The model most likely refuses the same request again.", is_default=False
    ),
    Outcome.INVALID_REQUEST: Advice(
        "The request itself was rejected (such as HTTP 400, or too long for the model): "
        "the same request fails again. Choose another model, or correct the file.",
        is_default=False,
    ),
}

DEFAULT_OUTCOMES = frozenset(outcome for outcome, advice in ADVICE.items() if advice.is_default)

# Outcomes without an answer, as the provider knows: a retry in place runs these again.
RETRYABLE_IN_PLACE = FAILED | {Outcome.CANCELLED}


class RetryScope(NamedTuple):
    """The ``number`` requests of a retry of one problem, or of one line.

    ``about`` names them on a page: the message that all have in common, or the line.
    """

    outcome: Outcome
    about: str
    number: int = 1
    problem: ProblemKind | None = None
    line: int | None = None


class Selection(msgspec.Struct, frozen=True):
    """The requests that a retry runs again, and the changes in them.

    ``max_tokens_factor`` raises the limit of requests that were cut short; 1 leaves it. ``model``
    "" and ``temperature`` None keep the request's own. ``problem`` leaves only requests of one
    kind, and ``line`` only one request; its outcome is the one of ``outcomes``. ``parent`` is the
    name of the batch.
    ``counts`` has the requests of each outcome, and ``unlimited`` those cut short without a limit
    that could be raised; both are set once the retry file is written.
    """

    outcomes: frozenset[Outcome]
    error_code: str = ""
    problem: ProblemKind | None = None
    line: int | None = None
    max_tokens_factor: int = 1
    model: str = ""
    temperature: float | None = None
    parent: str = ""
    counts: dict[Outcome, int] | None = None
    unlimited: int = 0

    @property
    def changes(self) -> list[str]:
        """Return the changes in words: "model m", "temperature 0.2"."""
        changes = []
        if self.max_tokens_factor > 1 and Outcome.TRUNCATED in self.outcomes:
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
            f"{outcome.label.lower()}: {number:,}"
            for outcome in ADVICE
            if (number := self.counts.get(outcome, 0))
        ]
        kind = f"only “{self.problem.signature}”" if self.problem else ""
        line = f"only line {self.line:,}" if self.line else ""
        return "; ".join(filter(None, [", ".join(counts), kind, line, ", ".join(self.changes)]))


class RequestChanger:
    """Changes selected requests, and counts ``unlimited`` ones, see ``Selection``."""

    def __init__(self, selection: Selection) -> None:
        self.unlimited = 0
        self._selection = selection

    def change(self, line: bytes, outcome: Outcome) -> bytes:
        """Return ``line``, a checked request, with the changes of the selection.

        A request without changes keeps every byte; a changed request loses only the white space
        between its fields. No limit is added to a request that sets none.
        """
        selection = self._selection
        is_raised = selection.max_tokens_factor > 1 and outcome is Outcome.TRUNCATED
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
