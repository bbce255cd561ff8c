"""The sentence at the top of the home page."""

import pytest

from batchapp.presenters.home_text import home_headline


@pytest.mark.parametrize(
    ("waiting", "running", "is_new", "said"),
    [
        (1, 7, False, "1 batch needs attention, 7 under way"),
        (2, 0, False, "2 batches need attention"),
        (0, 1, False, "1 batch under way"),
        (0, 0, False, "Nothing is under way"),
        (0, 0, True, "Welcome to Batchapp"),
    ],
)
def test_the_headline_counts_what_waits_and_what_runs(
    waiting: int, running: int, is_new: bool, said: str
) -> None:
    assert home_headline([None] * waiting, [None] * running, is_new=is_new) == said
