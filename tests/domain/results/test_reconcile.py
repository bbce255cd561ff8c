import pytest

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.reconcile import is_balanced, proof


@pytest.mark.parametrize(
    ("counts", "total", "says"),
    [
        (
            {
                Outcome.OK: 9_800,
                Outcome.TRUNCATED: 71,
                Outcome.HTTP_ERROR: 102,
                Outcome.MISSING: 27,
            },
            10_000,
            "10,000 in = 9,871 answered + 102 failed + 27 missing",
        ),
        (
            {
                Outcome.EMPTY: 1,
                Outcome.REFUSED: 1,
                Outcome.PROVIDER_ERROR: 1,
                Outcome.CANCELLED: 1,
            },
            4,
            "4 in = 2 answered + 1 failed + 1 cancelled",
        ),
        ({Outcome.PENDING: 5}, 5, "5 in = 5 waiting"),
        ({Outcome.OK: 1}, 1, "1 in = 1 answered"),
        ({}, 0, "0 in = 0 answered"),
    ],
)
def test_the_proof_adds_up_without_its_zero_terms(counts, total, says):
    assert proof(counts, total) == says
    assert is_balanced(counts, total)


@pytest.mark.parametrize(
    ("counts", "total", "says"),
    [
        ({Outcome.OK: 3}, 5, "5 in ≠ 3 answered (2 unaccounted for)"),
        ({Outcome.OK: 6, Outcome.MISSING: 1}, 5, "5 in ≠ 6 answered + 1 missing (2 too many)"),
        ({}, 2, "2 in ≠ 0 answered (2 unaccounted for)"),
    ],
)
def test_a_sum_that_is_off_is_not_called_equal(counts, total, says):
    assert proof(counts, total) == says
    assert not is_balanced(counts, total)


def test_every_outcome_is_in_the_proof():
    for outcome in Outcome:
        assert proof({outcome: 1}, 1).startswith("1 in = 1 ")
