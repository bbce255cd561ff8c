"""The chips over a list of results: how many requests ended in each way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from batchapp.domain.results.outcome import FAILED, GROUPS, SUCCEEDED, Outcome
from batchapp.domain.results.result_filter import ResultView
from batchapp.forms.batches.results import address

LABELS = {"answered": "All answers", "doubtful": "Doubtful", "failed": "Failed"}


@dataclass(frozen=True, slots=True)
class Chip:
    """``outcome`` is the filter in the address ``url``, "" for all."""

    label: str
    number: int
    url: str
    outcome: str = ""
    is_current: bool = False


def result_chips(counts: Mapping[Outcome, int], view: ResultView) -> list[Chip]:
    """Return a chip for all results, for good, doubtful and failed ones, and for the others.

    The outcomes within a group have chips of their own if there are several. The chip that
    ``view`` has chosen is always there; the others keep the rest of its filter.
    """
    chips = _Chips(counts, view)
    current = view.chosen.outcome
    shown = [chips.chip("All", sum(counts.values()), "")]
    if current == "answered":
        shown.append(chips.group("answered"))
    shown += chips.outcomes([Outcome.OK])
    for name in ("doubtful", "failed"):
        group, outcomes = chips.group(name), GROUPS[name]
        inside = [outcome for outcome in Outcome if outcome in outcomes]
        if group.number or group.is_current:
            shown.append(group)
        if sum(outcome in counts for outcome in inside) > 1 or current in outcomes:
            shown += chips.outcomes(inside)
    grouped = SUCCEEDED | FAILED
    return [*shown, *chips.outcomes([outcome for outcome in Outcome if outcome not in grouped])]


class _Chips:
    def __init__(self, counts: Mapping[Outcome, int], view: ResultView) -> None:
        self._counts, self._view = counts, view

    def chip(self, label: str, number: int, outcome: str) -> Chip:
        chosen = replace(self._view.chosen, outcome=outcome)
        url = address(self._view, chosen=chosen, page=1)
        return Chip(label, number, url, outcome, outcome == self._view.chosen.outcome)

    def group(self, name: str) -> Chip:
        number = sum(self._counts.get(outcome, 0) for outcome in GROUPS[name])
        return self.chip(LABELS[name], number, name)

    def outcomes(self, outcomes: list[Outcome]) -> Iterator[Chip]:
        for outcome in outcomes:
            number = self._counts.get(outcome, 0)
            if number or outcome == self._view.chosen.outcome:
                yield self.chip(outcome.label, number, outcome.value)
