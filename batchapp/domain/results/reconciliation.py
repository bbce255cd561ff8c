"""Check that every request is accounted for, and that the provider's counts agree."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome

GROUPS = (
    ("answered", SUCCEEDED),
    ("failed", FAILED - {Outcome.EXPIRED}),
    ("expired", frozenset({Outcome.EXPIRED})),
    ("cancelled", frozenset({Outcome.CANCELLED})),
    ("missing", frozenset({Outcome.MISSING})),
    ("waiting", frozenset({Outcome.PENDING})),
)

# The date at the end of a snapshot's name: "gpt-4o" answers as "gpt-4o-2024-08-06".
SNAPSHOT_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


class Counts(NamedTuple):
    """Counts of requests, by the provider, by the file of each result, or by its outcome."""

    good: int
    bad: int


def accounting_text(counts: Mapping[Outcome, int], total: int) -> str:
    """Return the accounting of ``total`` requests: "10,000 in = 9,871 answered + 129 failed".

    If the sum differs, the sign is ≠ and the last words give the difference.
    """
    sums = [(sum(counts.get(outcome, 0) for outcome in group), name) for name, group in GROUPS]
    terms = " + ".join(f"{number:,} {name}" for number, name in sums if number) or "0 answered"
    missing = total - sum(number for number, _ in sums)
    if not missing:
        return f"{total:,} in = {terms}"
    problem = f"{missing:,} unaccounted for" if missing > 0 else f"{-missing:,} too many"
    return f"{total:,} in ≠ {terms} ({problem})"


def counts_disagreement(
    provider: str,
    reported: Counts,
    by_file: Counts,
    by_outcome: Counts,
    total: int,
    *,
    is_incomplete: bool,
) -> str:
    """Return sentences on where the ``reported`` counts and the results differ; "" if nowhere.

    Some providers count an HTTP error in the output file as completed, others as failed: both
    agree. A provider that reports no counts cannot be wrong. In an ``is_incomplete`` batch, which
    ended early, requests may be without a result, and more may have a result than was reported.
    """
    if reported == (0, 0):
        return ""
    counted = sum(reported)
    too_few = sum(by_file) < counted
    agrees = reported in {by_file, by_outcome} or (is_incomplete and not too_few)
    says = f"{provider} counts {reported.good:,} completed and {reported.bad:,} failed"
    sentences = []
    if not agrees:
        errors = "1 error" if by_file.bad == 1 else f"{by_file.bad:,} errors"
        answers = "1 answer" if by_file.good == 1 else f"{by_file.good:,} answers"
        sentences.append(f"{says}; its results hold {answers} and {errors}.")
    if counted > total or (counted < total and not is_incomplete):
        more = "more" if counted > total else "fewer"
        sentences.append(f"{says}: {more} than the {total:,} that were sent.")
    return " ".join(sentences)


def is_same_model(requested: str, answered: str) -> bool:
    """Return True if two names mean one model; the maker's name, case and date do not count."""
    requested, answered = _plain_name(requested), _plain_name(answered)
    return answered in {"", requested} or SNAPSHOT_DATE.sub("", answered) == requested


def _plain_name(model: str) -> str:
    return model.casefold().rsplit("/", 1)[-1].strip()
