"""The accounting of a batch, and where a provider's counts differ from its results."""

import pytest

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch, Connection
from batchapp.presenters.accounting_text import accounting_text, discrepancy_of, discrepancy_text


@pytest.mark.parametrize(
    ("counts", "total", "says"),
    [
        (
            {
                Outcome.OK: 9_800,
                Outcome.TRUNCATED: 71,
                Outcome.INVALID_REQUEST: 102,
                Outcome.MISSING: 27,
            },
            10_000,
            "10,000 in = 9,800 answered + 71 cut short + 102 invalid requests + 27 no result",
        ),
        (
            {
                Outcome.EMPTY: 1,
                Outcome.REFUSED: 1,
                Outcome.PROVIDER_ERROR: 1,
                Outcome.CANCELLED: 1,
            },
            4,
            "4 in = 1 refused + 1 empty answer + 1 provider error + 1 cancelled",
        ),
        (
            {Outcome.INVALID_SCHEMA: 2, Outcome.UNPAID: 1, Outcome.EXPIRED: 3},
            6,
            "6 in = 2 not as the schema asks + 1 without credits + 3 expired",
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
        ({Outcome.OK: 6, Outcome.MISSING: 1}, 5, "5 in ≠ 6 answered + 1 no result (2 too many)"),
        ({}, 2, "2 in ≠ 0 answered (2 unaccounted for)"),
    ],
)
def test_a_sum_that_differs_is_not_called_equal(counts, total, says):
    assert accounting_text(counts, total) == says


def test_every_outcome_is_in_the_accounting():
    for outcome in set(Outcome) - {Outcome.REUSED}:  # of requests that were not sent
        assert accounting_text({outcome: 1}, 1).startswith("1 in = 1 ")


def discrepancy(provider, files, differs, number=None):
    results_differ, requests_differ = differs
    return {
        "provider_batch": number,
        "requests": 10_000,
        "provider": dict(zip(("completed", "failed"), provider, strict=True)),
        "files": dict(zip(("answers", "errors"), files, strict=True)),
        "outcomes": dict(zip(("answered", "failed"), files, strict=True)),
        "results_differ": results_differ,
        "requests_differ": requests_differ,
    }


@pytest.mark.parametrize(
    ("provider", "files", "differs", "says"),
    [
        (
            (9_873, 127),
            (9_871, 127),
            (True, False),
            (
                "Acme counts 9,873 completed and 127 failed; its results hold 9,871 answers and "
                "127 errors."
            ),
        ),
        (
            (9_000, 0),
            (1, 1),
            (True, False),
            "Acme counts 9,000 completed and 0 failed; its results hold 1 answer and 1 error.",
        ),
        (
            (9_000, 0),
            (9_000, 0),
            (False, True),
            "Acme counts 9,000 completed and 0 failed: fewer than the 10,000 that were sent.",
        ),
        (
            (10_000, 1),
            (10_000, 0),
            (True, True),
            (
                "Acme counts 10,000 completed and 1 failed; its results hold 10,000 answers and "
                "0 errors. Acme counts 10,000 completed and 1 failed: more than the 10,000 that "
                "were sent."
            ),
        ),
    ],
)
def test_counts_that_disagree_are_described(provider, files, differs, says):
    assert discrepancy_text([discrepancy(provider, files, differs)], "Acme") == says


def test_of_many_provider_batches_that_differ_five_are_described():
    rows = [discrepancy((9, 0), (8, 0), (True, False), number) for number in range(1, 8)]

    said = discrepancy_text(rows, "Acme")

    assert said.startswith("In provider batch 1, Acme counts 9 completed")
    assert "In provider batch 5, Acme" in said
    assert said.endswith("8 answers and 0 errors. 2 more provider batches differ as well.")


def test_a_discrepancy_of_an_older_version_stays_as_it_was_written():
    assert discrepancy_text([{"text": "Acme counts 4."}], "Acme") == "Acme counts 4."
    assert discrepancy_text([], "Acme") == ""


@pytest.mark.parametrize(
    ("provider", "missing", "says"),
    [
        ((280, 15), 5, "5 requests came back without a result; Acme's count is 5 short too."),
        ((299, 0), 1, "1 request came back without a result; Acme's count is 1 short too."),
        ((280, 15), 4, "Acme counts 280 completed and 15 failed: fewer than the 300 that were"),
    ],
)
def test_a_count_that_is_short_by_what_is_missing_is_told_with_it(provider, missing, says):
    row = discrepancy(provider, (0, 0), (False, True)) | {"requests": 300}
    batch = Batch(connection=Connection(name="Acme"), missing=missing, discrepancy=[row])

    assert discrepancy_of(batch).startswith(says)
    assert discrepancy_of(Batch(connection=batch.connection)) == ""
