"""The chips over a list of results."""

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import ResultFilter, ResultView
from batchapp.presenters.result_chips import Chip, result_chips

COUNTS = {Outcome.OK: 5, Outcome.TRUNCATED: 2, Outcome.REFUSED: 1, Outcome.MISSING: 3}


def labels(counts: dict[Outcome, int], current: str = "") -> list[str]:
    return [f"{chip.label} {chip.number}" for chip in chips(counts, current)]


def chips(counts: dict[Outcome, int], current: str) -> list[Chip]:
    return result_chips(counts, ResultView(ResultFilter(outcome=current, text="late"), page=3))


def test_outcomes_of_a_group_have_chips_of_their_own_if_there_are_several() -> None:
    assert labels(COUNTS) == [
        *("All 11", "Answered 5", "Doubtful 3", "Cut short 2", "Refused 1", "No result 3")
    ]
    one = {Outcome.OK: 5, Outcome.EXPIRED: 2}
    assert labels(one) == ["All 7", "Answered 5", "Failed 2"]
    assert labels(one, "expired") == ["All 7", "Answered 5", "Failed 2", "Expired 2"]


def test_the_chip_that_is_chosen_is_there_also_without_a_request() -> None:
    for current in ["answered", "doubtful", "failed", *Outcome]:
        chosen = [chip.outcome for chip in chips({}, current) if chip.is_current]
        assert chosen == [current]


def test_a_chip_keeps_the_search_and_leads_to_the_first_page() -> None:
    assert [chip.url for chip in chips(COUNTS, "ok")[:2]] == ["?q=late", "?q=late&outcome=ok"]
