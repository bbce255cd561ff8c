"""The tokens that a model thinks before it answers, by public measurements.

Source: https://github.com/cpldcpu/LRMTokenEconomy of 2025-08-07, completion tokens of 30 models,
rounded in ``data/reasoning_tokens.csv``. Its low figure is the tenth percentile over five plain
questions of one line, and its expected figure the ninetieth, because requests of a batch have more
to read. Its high figure is the median over eight logic puzzles.
"""

import csv
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

from batchapp.domain.answer_lengths.length import NOTHING, Span
from batchapp.domain.model_cards import ModelCard, Thinking

# Effort -> tokens that it may take, as a share of the largest answer.
# Source: https://openrouter.ai/docs/guides/best-practices/reasoning-tokens, "Reasoning Effort
# Level", in 2026: max and xhigh the same.
EFFORT_SHARES = {
    "none": 0.0,
    "minimal": 0.1,
    "low": 0.2,
    "medium": 0.5,
    "high": 0.8,
    "xhigh": 0.95,
    "max": 0.95,
}
URLS = frozenset({"/v1/chat/completions", "/v1/responses", "/v1/messages"})


class Reasoning(NamedTuple):
    """The tokens of thinking before one answer, and ``words`` on them; "" without thinking."""

    tokens: Span = NOTHING
    words: str = ""


class Measurement(NamedTuple):
    """One row of the file: the tokens of ``model``, a pattern, at ``measured_effort``.

    ``effort`` is that of a request that names none.
    """

    model: str
    effort: str
    measured_effort: str
    tokens: Span
    source: str


NO_REASONING = Reasoning()


def reasoning_of(body: Mapping[str, Any], url: str, card: ModelCard | None) -> Reasoning:
    """Return what the model of a request thinks before each answer; ``card`` if it is known."""
    thinking = card.thinking if card else ""
    if url not in URLS or thinking == Thinking.NEVER:
        return NO_REASONING
    return _reasoning(str(body.get("model", "")), _effort(body), thinks=bool(thinking))


@lru_cache(maxsize=1)
def measurements() -> tuple[Measurement, ...]:
    """Return the rows of the file; the last counts for models without one of their own."""
    text = files("batchapp").joinpath("data/reasoning_tokens.csv").read_text(encoding="utf-8")
    return tuple(
        Measurement(
            row["model"],
            row["effort"],
            row["measured_effort"],
            Span(*(float(row[name]) for name in Span._fields)),
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    )


@lru_cache(maxsize=1_024)
def _reasoning(model: str, effort: str, *, thinks: bool) -> Reasoning:
    name = model.rpartition("/")[2].lower()
    *rows, other = measurements()
    row = next((row for row in rows if fnmatchcase(name, row.model)), other if thinks else None)
    if row is None:
        return NO_REASONING
    chosen = effort or row.effort
    share = EFFORT_SHARES.get(chosen, EFFORT_SHARES["medium"])
    tokens = row.tokens.times(share / EFFORT_SHARES[row.measured_effort])
    if not tokens.expected:
        return NO_REASONING
    measured = row.source.partition(",")[0] if row.model else "open models"
    return Reasoning(tokens, f"as {measured} needs for simple questions")


def _effort(body: Mapping[str, Any]) -> str:
    """Return the effort that a request names; "" if it names none that is known."""
    reasoning = body.get("reasoning")
    effort = body.get("reasoning_effort")
    if isinstance(reasoning, dict):
        effort = reasoning.get("effort", effort)
    template = body.get("chat_template_kwargs")
    if effort is None and isinstance(template, dict) and template.get("enable_thinking") is False:
        return "none"
    return effort if isinstance(effort, str) and effort in EFFORT_SHARES else ""
