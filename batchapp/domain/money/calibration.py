"""Predict the output tokens of a file from the output tokens of finished batches.

Each finished batch gives one figure, its output tokens per answer: the prediction is a sum over
many answers, and long and short answers of one batch even out.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

import msgspec

from batchapp.domain.money.unit_prices import EXACT

LOW, MIDDLE, HIGH = Decimal("0.1"), Decimal("0.5"), Decimal("0.9")

VARIATION = Decimal("0.25")  # share by which a run may differ from a single earlier run

# With fewer batches or one project, the average would disclose the figures of a single team.
MIN_PORTAL_BATCHES, MIN_PORTAL_PROJECTS = 3, 2

# Of a file that was checked before the check read what the requests ask for.
NO_HISTORY = "no history: 1.1 times the input, at least 100 tokens"
NO_OUTPUT = "embeddings have no output"


class HistorySource(StrEnum):
    """The batches that a history was learnt from, the most similar first."""

    SHAPE = "shape"
    PROJECT = "project"
    PERSON = "person"
    PORTAL = "portal"


class Run(msgspec.Struct, frozen=True):
    """The usage of one model in one batch; only answers with a token count, at least one."""

    answers: int
    output_tokens: int

    @property
    def rate(self) -> Decimal:
        return Decimal(self.output_tokens) / Decimal(self.answers)


class History(msgspec.Struct, frozen=True):
    """Output tokens per request, ``low`` ≤ ``expected`` ≤ ``high``, from ``runs`` batches."""

    source: HistorySource
    runs: int
    answers: int
    low: Decimal
    expected: Decimal
    high: Decimal

    @property
    def basis(self) -> str:
        """Return the source in words, without the name of a person or project."""
        requests = "1 request" if self.answers == 1 else f"{self.answers:,} requests"
        runs = "1 past run" if self.runs == 1 else f"{self.runs:,} past runs"
        batches = "1 batch" if self.runs == 1 else f"{self.runs:,} batches"
        batches += " of this model"
        return {
            HistorySource.SHAPE: f"from {runs}, {requests}",
            HistorySource.PROJECT: f"from {runs} of this model with other prompts, {requests}",
            HistorySource.PERSON: f"from {batches} that the same person ran elsewhere",
            HistorySource.PORTAL: f"from {batches} on this portal",
        }[self.source]

    def tokens(self, requests: int) -> tuple[int, int, int]:
        """Return the low, expected and high output tokens of ``requests``."""
        return (
            _whole(self.low, requests, ROUND_FLOOR),
            _whole(self.expected, requests, ROUND_CEILING),
            _whole(self.high, requests, ROUND_CEILING),
        )


def learn_history(source: HistorySource, runs: Sequence[Run]) -> History | None:
    """Return the weighted median of ``runs`` with a range around it, or None without runs.

    A run weighs as much as it has answers. Only in the whole portal each batch weighs the same;
    otherwise the figure of the largest team would be the figure of everybody.

    The range goes from the 10th to the 90th percentile. A few runs or answers do not show how far
    these are apart, so the range is at least as wide as ``_margin``.
    """
    if not runs:
        return None
    weighted = [
        (run.rate, 1 if source is HistorySource.PORTAL else run.answers)
        for run in sorted(runs, key=lambda run: run.rate)
    ]
    low, high = _quantile(weighted, LOW), _quantile(weighted, HIGH)
    expected = _median(weighted)
    answers = sum(run.answers for run in runs)
    margin = _margin(len(runs), answers)
    return History(
        source=source,
        runs=len(runs),
        answers=answers,
        low=min(low, expected * (1 - margin)),
        expected=expected,
        high=max(high, expected * (1 + margin)),
    )


def _quantile(weighted: Sequence[tuple[Decimal, int]], share: Decimal) -> Decimal:
    """Return the first rate, in order, that ``share`` of the weight does not exceed."""
    target = share * sum(weight for _, weight in weighted)
    reached = 0
    for rate, weight in weighted:
        reached += weight
        if reached >= target:
            return rate
    return weighted[-1][0]


def _median(weighted: Sequence[tuple[Decimal, int]]) -> Decimal:
    """Return the median rate; between two middle rates with equal weight, their mean."""
    lower, upper = _quantile(weighted, MIDDLE), _quantile(weighted[::-1], MIDDLE)
    return EXACT.divide(EXACT.add(lower, upper), Decimal(2))


def _margin(runs: int, answers: int) -> Decimal:
    # The variation between runs, plus the chance in a few answers.
    return min(Decimal(1), VARIATION / Decimal(runs).sqrt() + 1 / Decimal(answers).sqrt())


def _whole(rate: Decimal, requests: int, rounding: str) -> int:
    return int(EXACT.multiply(rate, Decimal(requests)).to_integral_value(rounding))
