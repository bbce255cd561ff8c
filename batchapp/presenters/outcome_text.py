"""Count requests by their outcome, in words that fit into a sentence."""

from collections.abc import Mapping

from batchapp.domain.results.outcome import Outcome

# Outcome -> the words after a number, the second for all numbers but one.
WORDS = {
    Outcome.OK: ("answered", "answered"),
    Outcome.TRUNCATED: ("cut short", "cut short"),
    Outcome.REFUSED: ("refused", "refused"),
    Outcome.EMPTY: ("empty answer", "empty answers"),
    Outcome.INVALID_SCHEMA: ("not as the schema asks", "not as the schema asks"),
    Outcome.INVALID_REQUEST: ("invalid request", "invalid requests"),
    Outcome.PROVIDER_ERROR: ("provider error", "provider errors"),
    Outcome.UNPAID: ("without credits", "without credits"),
    Outcome.EXPIRED: ("expired", "expired"),
    Outcome.CANCELLED: ("cancelled", "cancelled"),
    Outcome.MISSING: ("no result", "no result"),
    Outcome.PENDING: ("waiting", "waiting"),
}


def outcome_words(outcome: Outcome, number: int) -> str:
    """Return the words that follow ``number``: "invalid requests"."""
    singular, plural = WORDS[outcome]
    return singular if number == 1 else plural


def outcome_counts(counts: Mapping[Outcome, int]) -> list[str]:
    """Return "173 answered", "25 cut short" and so on, without those that are 0."""
    return [
        f"{number:,} {outcome_words(outcome, number)}"
        for outcome in WORDS
        if (number := counts.get(outcome, 0))
    ]
