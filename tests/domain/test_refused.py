"""A refusal carries its code and its facts, from the service to a page or to a row."""

from batchapp.domain.problem import Problem
from batchapp.domain.refused import Refusal, Refused


def test_a_row_keeps_a_refusal_as_its_problem() -> None:
    refused = Refused(Refusal.KEY_IN_USE, batches=3)

    assert refused.problem == Problem("key_in_use", {"batches": 3})


def test_a_log_shows_the_code_and_the_facts() -> None:
    assert "'batches': 3" in str(Refused(Refusal.KEY_IN_USE, batches=3))
