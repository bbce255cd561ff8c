import pytest

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.reconciliation import (
    Counts,
    accounting_text,
    counts_disagreement,
    is_same_model,
)


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
        (
            {Outcome.INVALID_SCHEMA: 2, Outcome.HTTP_ERROR: 1, Outcome.EXPIRED: 3},
            6,
            "6 in = 2 answered + 1 failed + 3 expired",
        ),
        ({Outcome.PENDING: 5}, 5, "5 in = 5 waiting"),
        ({Outcome.OK: 1}, 1, "1 in = 1 answered"),
        ({}, 0, "0 in = 0 answered"),
    ],
)
def test_the_accounting_adds_up_without_its_zero_terms(counts, total, says):
    assert accounting_text(counts, total) == says


@pytest.mark.parametrize(
    ("counts", "total", "says"),
    [
        ({Outcome.OK: 3}, 5, "5 in ≠ 3 answered (2 unaccounted for)"),
        ({Outcome.OK: 6, Outcome.MISSING: 1}, 5, "5 in ≠ 6 answered + 1 missing (2 too many)"),
        ({}, 2, "2 in ≠ 0 answered (2 unaccounted for)"),
    ],
)
def test_a_sum_that_differs_is_not_called_equal(counts, total, says):
    assert accounting_text(counts, total) == says


def test_every_outcome_is_in_the_accounting():
    for outcome in Outcome:
        assert accounting_text({outcome: 1}, 1).startswith("1 in = 1 ")


@pytest.mark.parametrize(
    ("reported", "by_file", "by_outcome", "is_incomplete"),
    [
        ((8, 2), (8, 2), (8, 2), False),
        ((8, 2), (8, 2), (7, 3), False),  # an HTTP error in the output file, counted as completed
        ((7, 3), (10, 0), (7, 3), False),  # and one that is counted as failed
        ((0, 0), (8, 2), (8, 2), False),  # the provider reports no counts
        ((3, 0), (3, 0), (3, 0), True),
        ((3, 0), (4, 1), (4, 1), True),  # more results came after the cancellation
    ],
)
def test_counts_that_agree_are_not_mentioned(reported, by_file, by_outcome, is_incomplete):
    counts = [Counts(*pair) for pair in (reported, by_file, by_outcome)]

    assert counts_disagreement("Acme", *counts, 10, is_incomplete=is_incomplete) == ""


@pytest.mark.parametrize(
    ("reported", "results", "is_incomplete", "says"),
    [
        (
            (9_873, 127),
            (9_871, 127),
            False,
            (
                "Acme counts 9,873 completed and 127 failed; its results hold 9,871 answers and "
                "127 errors."
            ),
        ),
        (
            (9_000, 0),
            (8_998, 1),
            True,
            (
                "Acme counts 9,000 completed and 0 failed; its results hold 8,998 answers and 1 "
                "error."
            ),
        ),
        (
            (9_000, 0),
            (9_000, 0),
            False,
            "Acme counts 9,000 completed and 0 failed: fewer than the 10,000 that were sent.",
        ),
        (
            (10_000, 1),
            (10_000, 0),
            True,
            (
                "Acme counts 10,000 completed and 1 failed; its results hold 10,000 answers and "
                "0 errors. Acme counts 10,000 completed and 1 failed: more than the 10,000 that "
                "were sent."
            ),
        ),
    ],
)
def test_counts_that_disagree_are_described(reported, results, is_incomplete, says):
    counts = Counts(*reported), Counts(*results), Counts(*results)

    assert counts_disagreement("Acme", *counts, 10_000, is_incomplete=is_incomplete) == says


@pytest.mark.parametrize(
    ("requested", "answered", "is_same"),
    [
        ("Qwen/Qwen3-30B", "qwen3-30b", True),
        ("Qwen3-30B", "acme/Qwen3-30B", True),
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", True),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-11-20", False),
        ("gpt-4o", "gpt-4o-mini", False),
        ("Qwen/Qwen3-30B", "Qwen/Qwen3-8B", False),
        ("Qwen/Qwen3-30B", "", True),
    ],
)
def test_one_model_goes_by_several_names(requested, answered, is_same):
    assert is_same_model(requested, answered) is is_same
