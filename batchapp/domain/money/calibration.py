"""How long answers will be, learnt from how long they were.

Of each finished batch one figure counts, the output tokens per answer: what is to be known is a
sum over many answers, and those of one batch even out.
"""

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

import msgspec

from batchapp.domain.money.unit_prices import EXACT

LOW, MIDDLE, HIGH = Decimal("0.1"), Decimal("0.5"), Decimal("0.9")

BETWEEN_RUNS = Decimal("0.25")
"""By how much a run may differ from the only one before it, as a share."""

PORTAL_BATCHES, PORTAL_PROJECTS = 3, 2
"""Fewer batches, or those of a single team, would give that team's figures away."""

NO_HISTORY = "no history: 1.1 times the input, at least 100 tokens"
NO_OUTPUT = "embeddings have no output"


class HistorySource(StrEnum):
    """How near the batches are that were learnt from, the nearest first."""

    SHAPE = "shape"
    PROJECT = "project"
    PERSON = "person"
    PORTAL = "portal"


class Run(msgspec.Struct, frozen=True):
    """What one batch used of one model: ``answers`` with a token count, at least one."""

    answers: int
    output_tokens: int

    @property
    def rate(self) -> Decimal:
        return Decimal(self.output_tokens) / Decimal(self.answers)


class History(msgspec.Struct, frozen=True):
    """Output tokens per request, ``low`` ≤ ``expected`` ≤ ``high``, from ``runs`` batches."""

    kin: HistorySource
    runs: int
    answers: int
    low: Decimal
    expected: Decimal
    high: Decimal

    @property
    def words(self) -> str:
        """What it is learnt from, without a name of anybody or anything."""
        requests = "1 request" if self.answers == 1 else f"{self.answers:,} requests"
        runs = "1 past run" if self.runs == 1 else f"{self.runs:,} past runs"
        batches = "1 batch" if self.runs == 1 else f"{self.runs:,} batches"
        return {
            HistorySource.SHAPE: f"from {runs}, {requests}",
            HistorySource.PROJECT: f"from {runs} of this model with other prompts, {requests}",
            HistorySource.PERSON: f"from {batches} of this model that the same person ran elsewhere",
            HistorySource.PORTAL: f"from {batches} of this model on this portal",
        }[self.kin]

    def tokens(self, requests: int) -> tuple[int, int, int]:
        """Low, expected and high output tokens of so many requests."""
        return (
            _whole(self.low, requests, ROUND_FLOOR),
            _whole(self.expected, requests, ROUND_CEILING),
            _whole(self.high, requests, ROUND_CEILING),
        )


def learn(kin: HistorySource, runs: Sequence[Run]) -> History | None:
    """The middle of ``runs`` and a range around it; None of no runs.

    Runs of the project weigh as much as they have answers. Of the whole portal each batch weighs
    the same, or the largest team's would be everybody's figure.

    Nine runs of ten end between the 10th and the 90th hundredth; a few runs do not show how far
    these are apart, nor do a few answers, so the range is at least as wide as ``_margin``.
    """
    if not runs:
        return None
    weighted = [
        (run.rate, 1 if kin is HistorySource.PORTAL else run.answers)
        for run in sorted(runs, key=lambda run: run.rate)
    ]
    low, high = _quantile(weighted, LOW), _quantile(weighted, HIGH)
    expected = _median(weighted)
    answers = sum(run.answers for run in runs)
    margin = _margin(len(runs), answers)
    return History(
        kin=kin,
        runs=len(runs),
        answers=answers,
        low=min(low, expected * (1 - margin)),
        expected=expected,
        high=max(high, expected * (1 + margin)),
    )


def _quantile(weighted: Sequence[tuple[Decimal, int]], share: Decimal) -> Decimal:
    """The first rate, in order, that so large a share of the weight does not exceed."""
    wanted = share * sum(weight for _, weight in weighted)
    passed = 0
    for rate, weight in weighted:
        passed += weight
        if passed >= wanted:
            return rate
    return weighted[-1][0]


def _median(weighted: Sequence[tuple[Decimal, int]]) -> Decimal:
    """The middle rate; where two have half the weight on each side, what is between them."""
    lower, upper = _quantile(weighted, MIDDLE), _quantile(weighted[::-1], MIDDLE)
    return EXACT.divide(EXACT.add(lower, upper), Decimal(2))


def _margin(runs: int, answers: int) -> Decimal:
    """A quarter for what changes between two runs, and the chance in so few answers."""
    return min(Decimal(1), BETWEEN_RUNS / Decimal(runs).sqrt() + 1 / Decimal(answers).sqrt())


def _whole(rate: Decimal, requests: int, rounding: str) -> int:
    return int(EXACT.multiply(rate, Decimal(requests)).to_integral_value(rounding))
