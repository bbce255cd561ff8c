"""Forecast what a provider's prompt cache makes of a file: pure, from the prompts that it shares.

Every request that starts before the first one with its prompt has ended writes the prompt to the
cache, at a higher price; all later ones read it. Source: run on the provider's server,
control-layer 10.13, where the writers of a prompt were as many as the model answers at once.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from batchapp.domain.money.unit_prices import UnitPrice, Usage
from batchapp.domain.prompt_cache.choice import MarkRule, choose_prompts
from batchapp.domain.prompt_cache.prompt_facts import EARLY_WINDOWS, PromptFacts, SharedPrompt

LEAST_TOKENS = 1_024  # of a cached prompt, where the price does not say it
LIFETIMES = ("5m", "1h", "24h")  # the shortest first
MOST_SENT_FIRST = 40  # of a file; the other requests wait for them


def mark_rule(price: UnitPrice, lifetime: str) -> MarkRule | None:
    """Return the rule for marking prompts for ``lifetime``; None if that cannot save anything."""
    read, write = price.cached_read, _write_price(price, lifetime)
    if read is None or write is None or read >= price.input:
        return None
    least_requests = (write - read) / (price.input - read)
    return MarkRule(lifetime, least_cached_tokens(price), float(least_requests))


def forecast_marking(
    prompts: PromptFacts, usage: Usage, rule: MarkRule, concurrency: int
) -> Usage:
    """Return ``usage``, that of the plain requests, for the file with its prompts marked."""
    read = written = 0.0
    for row in choose_prompts(prompts.shared, rule, concurrency):
        written += row.added * row.writers
        read += row.added * (row.requests - row.writers)
    return _with_cache(usage, read, {rule.lifetime: written})


def least_cached_tokens(price: UnitPrice) -> int:
    """Return the length from which a prompt is cached."""
    return LEAST_TOKENS if price.min_prefix_tokens is None else price.min_prefix_tokens


def forecast_markers(
    prompts: PromptFacts, usage: Usage, price: UnitPrice, concurrency: int, sent_first: int = 0
) -> Usage:
    """Return ``usage``, that of the plain requests, with what the markers of the file do.

    The lines stay in their order; the others start after the end of those ``sent_first``. That a
    prompt may expire before its next request is not known here.
    """
    return _with_markers(prompts, usage, price, lambda row: _writers(row, concurrency, sent_first))


def requests_to_send_first(prompts: PromptFacts, price: UnitPrice) -> int:
    """Return how many requests, from the first on, begin with all marked prompts that are cached.

    The provider has these prompts in its cache if the other requests start after their end. 0 if
    they are too many, if none is cached, or if it is not known where the prompts begin.
    """
    least = least_cached_tokens(price)
    first = [row.first for row, _ in _marked(prompts) if row.tokens >= least]
    if not first or min(first) < 0 or prompts.is_partial or max(first) >= MOST_SENT_FIRST:
        return 0
    return max(first) + 1


def count_writers(
    prompts: PromptFacts, price: UnitPrice, concurrency: int, sent_first: int = 0
) -> int:
    """Return how many requests write a marked prompt that begins with no other marked one."""
    least = least_cached_tokens(price)
    writers = [
        min(sum(row.marked.values()), _writers(row, concurrency, sent_first))
        for row, added in _marked(prompts)
        if added == row.tokens >= least
    ]
    return round(sum(writers))


def shortest_lifetime(prompts: PromptFacts) -> str:
    """Return the shortest lifetime that the markers of the file name; "" without markers."""
    names = {name for row in prompts.shared for name in row.marked}
    return next((name for name in LIFETIMES if name in names), "")


def bounds_of_markers(prompts: PromptFacts, usage: Usage, price: UnitPrice) -> tuple[Usage, Usage]:
    """Return ``usage`` with all marked prompts read, and with all of them written.

    An earlier batch may have written them all, or each may expire before its next request.
    """
    written = _with_markers(prompts, usage, price, lambda row: row.requests)
    tokens = usage.input_tokens - written.uncached_tokens
    return msgspec.structs.replace(usage, cached_tokens=tokens), written


def _with_markers(
    prompts: PromptFacts,
    usage: Usage,
    price: UnitPrice,
    writers_of: Callable[[SharedPrompt], float],
) -> Usage:
    least = least_cached_tokens(price)
    read, written = 0.0, dict[str, float]()
    for row, added in _marked(prompts):
        requests = sum(row.marked.values())
        if row.tokens < least or not requests:
            continue
        writers = min(requests, writers_of(row))
        read += added * (requests - writers)
        for lifetime, number in row.marked.items():
            share = number / requests
            written[lifetime] = written.get(lifetime, 0) + added * writers * share
    # The whole prompt must be long enough, not only what nothing reads of it.
    if usage.input_tokens >= least * usage.requests:
        for lifetime, tokens in prompts.unshared.items():
            written[lifetime] = written.get(lifetime, 0) + tokens
    return _with_cache(usage, read, written)


def _marked(prompts: PromptFacts) -> list[tuple[SharedPrompt, int]]:
    """Return the marked prompts, with their tokens behind the marked prompt that begins them."""
    rows = []
    for row in prompts.shared:
        if not row.marked:
            continue
        parent = row.parent
        while parent >= 0 and not prompts.shared[parent].marked:
            parent = prompts.shared[parent].parent
        before = prompts.shared[parent].tokens if parent >= 0 else 0
        rows.append((row, row.tokens - before))
    return rows


def _writers(row: SharedPrompt, concurrency: int, sent_first: int) -> float:
    """Return how many requests start at the same time as the first one.

    Requests start in slices of the ``concurrency``, of which one ends with those ``sent_first``.
    Where a prompt stands in its slice is not known of several prompts; it is the middle on
    average.
    """
    window = (concurrency + 1) / 2 if row.first < 0 else concurrency - row.first % concurrency
    if 0 <= row.first < sent_first:
        window = min(window, sent_first - row.first)
    below = max((size for size in EARLY_WINDOWS if size <= window), default=EARLY_WINDOWS[0])
    above = min((size for size in EARLY_WINDOWS if size > window), default=0)
    near = dict(zip(EARLY_WINDOWS, row.early, strict=True))
    most = near[above] if above else float("inf")
    return max(row.alike, min(most, near[below] * window / below))


def _with_cache(usage: Usage, read: float, written: Mapping[str, float]) -> Usage:
    left = usage.input_tokens
    counts: dict[str, int] = {}
    names = {"cached_tokens": read} | {f"written_{name}": row for name, row in written.items()}
    for name, tokens in names.items():  # never more than there are, whatever was estimated
        counts[name] = min(left, round(tokens))
        left -= counts[name]
    return msgspec.structs.replace(usage, **counts)


def _write_price(price: UnitPrice, lifetime: str) -> Decimal | None:
    prices = {"5m": price.write_5m, "1h": price.write_1h, "24h": price.write_24h}
    return prices[lifetime]
