"""The chips over a list of results: how many requests ended in each way."""

from collections.abc import Mapping
from dataclasses import dataclass

from batchapp.domain.results.outcome import DOUBTFUL, FAILED, SUCCEEDED, Outcome

GROUPS = {
    "answered": ("All answers", SUCCEEDED),
    "doubtful": ("All doubtful", DOUBTFUL),
    "failed": ("All failures", FAILED),
}


@dataclass(frozen=True, slots=True)
class Chip:
    """``outcome`` is the filter in the address, "" for all."""

    label: str
    number: int
    outcome: str = ""
    is_current: bool = False


def result_chips(counts: Mapping[Outcome, int], current: str) -> list[Chip]:
    """Return a chip for all results, and for each outcome that occurs or is ``current``."""
    chips = [Chip("All", sum(counts.values()), is_current=not current)]
    if current in GROUPS:
        label, outcomes = GROUPS[current]
        number = sum(counts.get(outcome, 0) for outcome in outcomes)
        chips.append(Chip(label, number, current, is_current=True))
    return chips + [
        Chip(outcome.label, counts.get(outcome, 0), outcome.value, outcome == current)
        for outcome in Outcome
        if counts.get(outcome) or outcome == current
    ]
