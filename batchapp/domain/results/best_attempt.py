"""Decide which of several attempts at one request counts."""

# Outcomes that are answers, the better ones first; a failure is worse than all of them.
TIERS = (("ok",), ("truncated", "invalid_schema"), ("refused", "empty"))

ANSWERS = tuple(outcome for tier in TIERS for outcome in tier)


def is_better(outcome: str, than: str) -> bool:
    """Return True if ``outcome`` is an answer of a better tier than the outcome ``than``."""
    return _tier(outcome) < _tier(than)


def _tier(outcome: str) -> int:
    ranks = (rank for rank, tier in enumerate(TIERS) if outcome in tier)
    return next(ranks, len(TIERS))


def outcomes_at_least_as_good(outcome: str) -> tuple[str, ...]:
    """Return the outcomes of a later attempt that may replace ``outcome``."""
    outcomes: tuple[str, ...] = ()
    for tier in TIERS:
        outcomes += tier
        if outcome in tier:
            break
    return outcomes
