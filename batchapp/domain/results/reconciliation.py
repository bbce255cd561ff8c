"""Check that every request is accounted for, and that the provider's counts agree."""

import re
from typing import NamedTuple

# The date at the end of a snapshot's name: "gpt-4o" answers as "gpt-4o-2024-08-06".
SNAPSHOT_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")


class Counts(NamedTuple):
    """Counts of requests, by the provider, by the file of each result, or by its outcome."""

    good: int
    bad: int


class Disagreement(NamedTuple):
    """The places where the counts of a provider differ; False if nowhere."""

    in_results: bool
    in_requests: bool

    def __bool__(self) -> bool:
        return self.in_results or self.in_requests


def find_disagreement(
    reported: Counts, by_file: Counts, by_outcome: Counts, total: int, *, is_incomplete: bool
) -> Disagreement:
    """Compare the ``reported`` counts with the results, and with the ``total`` of requests.

    Some providers count an HTTP error in the output file as completed, others as failed: both
    agree. A provider that reports no counts cannot be wrong. In an ``is_incomplete`` batch, which
    ended early, requests may be without a result, and more may have a result than was reported.
    """
    if reported == (0, 0):
        return Disagreement(in_results=False, in_requests=False)
    counted = sum(reported)
    too_few = sum(by_file) < counted
    agrees = reported in {by_file, by_outcome} or (is_incomplete and not too_few)
    return Disagreement(
        in_results=not agrees,
        in_requests=counted > total or (counted < total and not is_incomplete),
    )


def is_same_model(requested: str, answered: str) -> bool:
    """Return True if two names mean one model; the maker's name, case and date do not count."""
    requested, answered = _plain_name(requested), _plain_name(answered)
    return answered in {"", requested} or SNAPSHOT_DATE.sub("", answered) == requested


def _plain_name(model: str) -> str:
    return model.casefold().rsplit("/", 1)[-1].strip()
