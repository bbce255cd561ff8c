"""The proof that every request is accounted for."""

from collections.abc import Mapping

from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome

GROUPS = (
    ("answered", SUCCEEDED),
    ("failed", FAILED),
    ("cancelled", frozenset({Outcome.CANCELLED})),
    ("missing", frozenset({Outcome.MISSING})),
    ("waiting", frozenset({Outcome.PENDING})),
)


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
