"""Which of several attempts at one request counts."""

TIERS = (("ok",), ("truncated", "invalid_schema"), ("refused", "empty"))
"""Outcomes that are answers, the better ones first; a failure is worse than all of them."""

ANSWERS = tuple(outcome for tier in TIERS for outcome in tier)


def at_least_as_good_as(outcome: str) -> tuple[str, ...]:
    """The outcomes of a later attempt that may take the place of ``outcome``."""
    found: tuple[str, ...] = ()
    for tier in TIERS:
        found += tier
        if outcome in tier:
            break
    return found
