import pytest

from batchapp.domain.results.reconciliation import (
    Counts,
    Disagreement,
    find_disagreement,
    is_same_model,
)


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

    assert not find_disagreement(*counts, 10, is_incomplete=is_incomplete)


@pytest.mark.parametrize(
    ("reported", "results", "is_incomplete", "differs"),
    [
        ((9_873, 127), (9_871, 127), False, (True, False)),
        ((9_000, 0), (8_998, 1), True, (True, False)),
        ((9_000, 0), (9_000, 0), False, (False, True)),
        ((10_000, 1), (10_000, 0), True, (True, True)),
    ],
)
def test_counts_that_disagree_are_found(reported, results, is_incomplete, differs):
    counts = Counts(*reported), Counts(*results), Counts(*results)

    disagreement = find_disagreement(*counts, 10_000, is_incomplete=is_incomplete)

    assert disagreement == Disagreement(*differs)


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
