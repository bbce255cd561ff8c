"""The proof that every request is accounted for, and where the provider's counts deny it."""

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

DATED = re.compile(r"-\d{4}-?\d{2}-?\d{2}$")
"""What a snapshot's name ends with: "gpt-4o" answers as "gpt-4o-2024-08-06"."""


class Counts(NamedTuple):
    """Of requests: by the provider, by the file a result came in, or by its outcome."""

    good: int
    bad: int


def proof(counts: Mapping[Outcome, int], total: int) -> str:
    """``total`` requests and where they went: "10,000 in = 9,871 answered + 129 failed".

    When the sum is off, the sign is ≠ and the last words say by how many.
    """
    sums = [(sum(counts.get(outcome, 0) for outcome in group), name) for name, group in GROUPS]
    parts = [f"{number:,} {name}" for number, name in sums if number] or ["0 answered"]
    off = total - sum(number for number, _ in sums)
    if not off:
        return f"{total:,} in = {' + '.join(parts)}"
    trouble = f"{off:,} unaccounted for" if off > 0 else f"{-off:,} too many"
    return f"{total:,} in ≠ {' + '.join(parts)} ({trouble})"


def is_balanced(counts: Mapping[Outcome, int], total: int) -> bool:
    """Whether every request is in exactly one group; requests still waiting are in theirs."""
    return sum(counts.values()) == total


def disagreement(
    who: str,
    told: Counts,
    by_file: Counts,
    by_outcome: Counts,
    total: int,
    *,
    is_broken_off: bool,
) -> str:
    """Where what a provider ``told`` of ``total`` requests and its results differ; "" if nowhere.

    Providers count an HTTP error in the output file as completed or as failed: either agrees.
    One that tells no counts at all cannot be wrong. Of a batch that ``is_broken_off``, requests
    may be left over, and more may have landed than it was told.
    """
    if told == (0, 0):
        return ""
    counted = sum(told)
    too_few = sum(by_file) < counted
    agrees = told in {by_file, by_outcome} or (is_broken_off and not too_few)
    says = f"{who} counts {told.good:,} completed and {told.bad:,} failed"
    sentences = []
    if not agrees:
        errors = "1 error" if by_file.bad == 1 else f"{by_file.bad:,} errors"
        answers = "1 answer" if by_file.good == 1 else f"{by_file.good:,} answers"
        sentences.append(f"{says}; its results hold {answers} and {errors}.")
    if counted > total or (counted < total and not is_broken_off):
        more = "more" if counted > total else "fewer"
        sentences.append(f"{says}: {more} than the {total:,} that were sent.")
    return " ".join(sentences)


def is_same_model(asked: str, answered: str) -> bool:
    """Whether two names mean one model, whoever is named as its maker and in whatever case."""
    wanted, got = _plain(asked), _plain(answered)
    return not got or got == wanted or DATED.sub("", got) == wanted


def _plain(model: str) -> str:
    return model.casefold().rsplit("/", 1)[-1].strip()
