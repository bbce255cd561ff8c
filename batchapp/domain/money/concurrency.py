"""Learn from cached prompts how many requests of a model the provider answers at once."""

from collections.abc import Iterable
from statistics import median_low

import msgspec

from batchapp.domain.money.unit_prices import Usage
from batchapp.domain.prompt_cache.choice import USUAL_CONCURRENCY
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts, SharedPrompt

# Of the tokens that were cached, to those that the check counted in the marked prompts: with
# another share, not all requests used the cache. Prompts of other lengths differ by more.
LEAST_SHARE, MOST_SHARE = 0.8, 1.25
ALL_WROTE = 0.9  # of the requests: more writers than the file shows, or prompts that expired


class Concurrency(msgspec.Struct, frozen=True):
    """How many requests of a model are answered at once, as ``batches`` show; assumed if 0."""

    requests: int = USUAL_CONCURRENCY
    batches: int = 0

    @property
    def basis(self) -> str:
        """Say the number and where it is from, such as "10 at once assumed"."""
        if not self.batches:
            return f"{self.requests:,} at once assumed"
        return f"from {self.batches:,} of your batches: {self.requests:,} at once"


class CachedRun(msgspec.Struct, frozen=True):
    """A finished batch of one model: the prompts of its file, and the tokens of its answers.

    ``least_tokens`` is the length from which the provider cached a prompt.
    """

    prompts: PromptFacts
    usage: Usage
    least_tokens: int


def learn_concurrency(runs: Iterable[CachedRun]) -> Concurrency:
    """Return the median of the runs that show a number, or the usual number if none does."""
    numbers = [number for run in runs if (number := requests_at_once(run))]
    return Concurrency(median_low(numbers), len(numbers)) if numbers else Concurrency()


def requests_at_once(run: CachedRun) -> int | None:
    """Return how many requests of ``run`` were answered at once; None if it does not say so.

    All requests that start before the first one with their prompt has ended pay the write price.
    If all prompts begin among these first requests, the writers are the requests at once.
    """
    if not _is_clear(run):
        return None
    usage = run.usage
    marked = [row for row in run.prompts.shared if row.marked]
    counted = sum(row.tokens * row.requests for row in marked)
    written = usage.written_5m + usage.written_1h + usage.written_24h
    cached = usage.cached_tokens + written
    if not LEAST_SHARE * counted <= cached <= MOST_SHARE * counted:
        return None
    writers = round(usage.requests * written / cached)
    last = max(row.first for row in marked)
    # With fewer at once than ``last``, the slices of requests up to it have less than twice as
    # many requests, so no more than these can have written.
    is_within = 2 * last < writers < ALL_WROTE * usage.requests
    return writers if is_within else None


def _is_clear(run: CachedRun) -> bool:
    """Return True if each request has one marked prompt, all of much the same length."""
    facts, marked = run.prompts, [row for row in run.prompts.shared if row.marked]
    return (
        not facts.is_partial
        and not facts.unshared
        and bool(marked)
        and facts.marked == run.usage.requests == sum(row.requests for row in marked)
        and all(_is_known(row, run.least_tokens) for row in marked)
        and max(row.tokens for row in marked) <= MOST_SHARE * min(row.tokens for row in marked)
    )


def _is_known(prompt: SharedPrompt, least_tokens: int) -> bool:
    return (
        prompt.alike == 1
        and prompt.first >= 0
        and prompt.tokens >= least_tokens
        and sum(prompt.marked.values()) == prompt.requests
    )
