"""What the provider's prompt cache would save of a file, or does with its markers."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from batchapp.domain.corrections.correction_rules import Choice, CorrectionKind
from batchapp.domain.money.cache_forecast import (
    forecast_marking,
    least_cached_tokens,
    mark_rule,
)
from batchapp.domain.money.concurrency import Concurrency
from batchapp.domain.money.estimate import Estimate, ModelEstimate
from batchapp.domain.money.unit_prices import UnitPrice, Usage, cost
from batchapp.domain.prompt_cache.choice import (
    GROUPS_IN_TURN,
    Marking,
    MarkRule,
    choose_prompts,
)
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.request_files.check_file import Report
from batchapp.models import Upload
from batchapp.presenters.shared_prompt_text import shared_sentences
from batchapp.services.orders.answer_times import seconds_per_answer
from batchapp.templatetags.words import count, usd_range

SHORT, LONG = "5m", "1h"
LIFETIME_WORDS = {SHORT: "5 minutes", LONG: "1 hour"}
# Of an answer. The next request with its prompt starts after so many answers at most.
LONGEST_FOR_SHORT = 300 / (GROUPS_IN_TURN + 1)
MENTIONED_SHARE = 4  # a shared prompt of less than a quarter of the floor is not worth a word


@dataclass(frozen=True, slots=True)
class PromptCacheCard:
    """``choice`` makes the marked version; None if that saves nothing.

    In a file with markers that cost more than they save, it makes the version without them.

    ``plain`` and ``cached`` are the costs without and with markers, in ``window``.
    """

    sentences: list[str]
    window: str
    plain: str = ""
    cached: str = ""
    change: str = ""
    basis: str = ""
    is_marked: bool = False
    is_dearer: bool = False
    choice: Choice | None = None


@dataclass(frozen=True, slots=True)
class _Forecast:
    """The difference of the costs with markers, and who writes and reads the prompts."""

    saving: Decimal
    writers: int
    readers: int
    price: UnitPrice


def prompt_cache_card(
    upload: Upload, report: Report, quotes: Mapping[str, Estimate]
) -> PromptCacheCard | None:
    """Return the card in the first window of ``quotes``; None if no model has cache prices."""
    quote = next(iter(quotes.values()))
    lines = [row for row in quote.models if _has_cache(row) and row.model in report.prompts]
    sentences = list(shared_sentences(report))
    if not lines or quote.expected_usd is None:
        return None
    if any(report.prompts[row.model].marked for row in lines):
        return _marked_card(upload, quote, sentences)
    concurrency = max((row.concurrency for row in lines), key=lambda row: row.requests)
    seconds = seconds_per_answer(upload.project, report.models, concurrency.requests)
    lifetime = LONG if seconds and seconds > LONGEST_FOR_SHORT else SHORT
    rules = {row.model: rule for row in lines if (rule := _rule(row, lifetime))}
    forecasts = [
        forecast
        for row in lines
        if row.model in rules
        and (
            forecast := _plan(
                row, report.prompts[row.model], rules[row.model], concurrency.requests
            )
        )
    ]
    saving = sum((forecast.saving for forecast in forecasts), Decimal(0))
    if saving > 0 and _can_be_rewritten(upload):
        reason = f", because answers took up to {seconds:,.0f} s" if lifetime == LONG else ""
        return PromptCacheCard(
            sentences,
            quote.window,
            *_compared(quote.expected_usd, quote.expected_usd - saving),
            f"{_basis(forecasts, concurrency)} A prompt is kept for {LIFETIME_WORDS[lifetime]} "
            f"after its last use{reason}.",
            choice=Choice(
                frozenset({CorrectionKind.MARK_SHARED_PROMPT}),
                marking=Marking(rules, concurrency.requests),
            ),
        )
    note = _why_not(report, lines)
    return PromptCacheCard(sentences, quote.window, basis=note) if note else None


def _can_be_rewritten(upload: Upload) -> bool:
    """Return False for a file that is tied to the answers of earlier batches."""
    return not upload.reuse_fields and not upload.selection


def _marked_card(upload: Upload, quote: Estimate, sentences: list[str]) -> PromptCacheCard:
    removal = Choice(frozenset({CorrectionKind.REMOVE_MARKERS}), every_marker=True)
    plain, cached = quote.unmarked_usd or Decimal(0), quote.expected_usd or Decimal(0)
    return PromptCacheCard(
        sentences,
        quote.window,
        *_compared(plain, cached),
        _marked_basis(quote.cache_basis),
        is_marked=True,
        is_dearer=cached > plain,
        choice=removal if cached > plain and _can_be_rewritten(upload) else None,
    )


def _marked_basis(cache_basis: str) -> str:
    if not cache_basis:
        return "The markers change nothing, as what they mark is too short to be cached."
    return (
        "Expected of the markers in the file, if answers take less time than a prompt is kept. "
        f"Requests that are answered together: {cache_basis}."
    )


def _has_cache(row: ModelEstimate) -> bool:
    return row.price is not None and row.price.has_cache_prices


def _rule(row: ModelEstimate, lifetime: str) -> MarkRule | None:
    return mark_rule(row.price, lifetime) if row.price else None


def _plan(
    row: ModelEstimate, prompts: PromptFacts, rule: MarkRule, concurrency: int
) -> _Forecast | None:
    chosen = choose_prompts(prompts.shared, rule, concurrency)
    if not chosen or row.price is None:
        return None
    usage = Usage(row.requests, row.input_tokens, row.output_expected)
    cached = forecast_marking(prompts, usage, rule, concurrency)
    first = [prompt for prompt in chosen if prompt.depth == 1]
    writers = round(sum(prompt.writers for prompt in first))
    readers = sum(prompt.requests for prompt in first) - writers
    return _Forecast(_difference(usage, cached, row.price), writers, readers, row.price)


def _difference(plain: Usage, cached: Usage, price: UnitPrice) -> Decimal:
    before, after = cost(plain, price), cost(cached, price)
    return Decimal(0) if before is None or after is None else before - after


def _compared(plain: Decimal, cached: Decimal) -> tuple[str, str, str]:
    """Return both costs and their difference, with as many decimals as the smaller cost needs."""
    low, high = usd_range(min(plain, cached), max(plain, cached))
    texts = (high, low) if cached <= plain else (low, high)
    percent = round(100 * abs(plain - cached) / plain) if plain else 0
    change = "no difference" if plain and not percent else ""
    if percent:
        direction = "less" if cached <= plain else "more"
        amount = usd_range(min(plain, cached), abs(plain - cached))[1]
        change = f"~{amount} {direction}, {percent} %"
    return f"~{texts[0]}", f"~{texts[1]}", change


def _basis(forecasts: list[_Forecast], concurrency: Concurrency) -> str:
    writers = sum(forecast.writers for forecast in forecasts)
    readers = sum(forecast.readers for forecast in forecasts)
    read = _times(forecasts[0].price.cached_read, forecasts[0].price)
    return (
        f"Requests that are answered together: {concurrency.basis}. Then "
        f"{count(writers, 'request')} write the shared prompt, which costs more than usual, and "
        f"{readers:,} read it at {read} of the input price."
    )


def _times(amount: Decimal | None, price: UnitPrice) -> str:
    return f"{100 * (amount or Decimal(0)) / price.input:.0f} %"


def _why_not(report: Report, lines: list[ModelEstimate]) -> str:
    """Say why marking a shared prompt saves nothing; "" if none is worth a word."""
    longest = least = 0
    for row in lines:
        least = least_cached_tokens(row.price) if row.price else least
        tokens = [prompt.tokens for prompt in report.prompts[row.model].shared]
        longest = max([longest, *tokens])
    if longest < least // MENTIONED_SHARE:
        return ""
    if longest < least:
        return (
            f"That is too short to be cached: the provider caches prompts from {least:,} tokens."
        )
    return "Too few requests share a prompt for a marker to save anything."
