"""The chips over a list of results: how many requests ended in each way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from batchapp.domain.results.outcome import FAILED, GROUPS, SUCCEEDED, Outcome

LABELS = {"answered": "All answers", "doubtful": "Doubtful", "failed": "Failed"}


@dataclass(frozen=True, slots=True)
class Chip:
    """``outcome`` is the filter in the address, "" for all."""

    label: str
    number: int
    outcome: str = ""
    is_current: bool = False


def result_chips(counts: Mapping[Outcome, int], current: str) -> list[Chip]:
    """Return a chip for all results, for good, doubtful and failed ones, and for the others.

    The outcomes within a group have chips of their own if there are several. The chip that is
    ``current`` is always there.
    """
    chips = [Chip("All", sum(counts.values()), is_current=not current)]
    if current == "answered":
        chips.append(_group("answered", counts, current))
    chips += _outcomes([Outcome.OK], counts, current)
    for name in ("doubtful", "failed"):
        group, outcomes = _group(name, counts, current), GROUPS[name]
        inside = [each for each in Outcome if each in outcomes]
        if group.number or group.is_current:
            chips.append(group)
        if sum(each in counts for each in inside) > 1 or current in outcomes:
            chips += _outcomes(inside, counts, current)
    grouped = SUCCEEDED | FAILED
    return [*chips, *_outcomes([each for each in Outcome if each not in grouped], counts, current)]


def _group(name: str, counts: Mapping[Outcome, int], current: str) -> Chip:
    number = sum(counts.get(outcome, 0) for outcome in GROUPS[name])
    return Chip(LABELS[name], number, name, is_current=name == current)


def _outcomes(
    outcomes: list[Outcome], counts: Mapping[Outcome, int], current: str
) -> Iterator[Chip]:
    for outcome in outcomes:
        if counts.get(outcome) or outcome == current:
            yield Chip(outcome.label, counts.get(outcome, 0), outcome.value, outcome == current)
