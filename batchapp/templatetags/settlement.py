"""The comparison of the estimate, the cost and the bill of a batch, in words."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django import template

from batchapp.models import Batch, ModelCost
from batchapp.services.reports.waste import Waste, waste_of
from batchapp.templatetags.words import count, rate, usd, usd_range

register = template.Library()

MINUS = "\u2212"  # as wide as a plus

# Share of the cost; with a larger difference the provider uses other prices or counts otherwise.
MAX_BILL_DIFFERENCE = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class ModelLine:
    """One model of a batch; while the batch runs, tokens and cost are estimates.

    ``notes`` are sentences about the estimate and about answers without a token count.
    """

    model: str
    requests: int
    input_tokens: str
    output_tokens: str
    prices: str
    cost: str
    difference: str
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Settlement:
    """``estimate`` says how far the cost is from it, and ``billed`` is the bill of the provider.

    ``realtime`` is the cost at realtime prices, and ``saving`` how much less the batch cost.
    ``cached`` says how many input tokens were cached, and what that changed.

    Each text is "" if it is unknown. ``is_off`` means that the bill differs from the cost, with
    ``advice`` whom to ask, and ``billed_too_many`` says so if more answers were billed than came.
    ``waste`` has a sentence for each thing that was paid for nothing of use.
    """

    estimate: str
    realtime: str
    saving: str
    cached: str
    billed: str
    is_off: bool
    advice: str
    billed_too_many: str
    waste: list[str]
    prices_of: datetime | None
    models: list[ModelLine]


@register.simple_tag
def settlement(batch: Batch, model_costs: Iterable[ModelCost]) -> Settlement:
    costs = list(model_costs)
    realtime = _known_sum([row.realtime_cost_usd for row in costs]) if batch.is_over else None
    actual, billed = batch.actual_cost_usd, batch.billed_cost_usd
    return Settlement(
        estimate=_estimate(batch) if batch.is_over else "",
        realtime=usd(realtime) if realtime else "",
        saving=compared(realtime, actual),
        cached=_cached(costs),
        billed=_billed(batch, costs),
        is_off=_is_off(actual, billed),
        advice=_advice(batch, costs),
        billed_too_many=_billed_too_many(batch),
        waste=list(_waste(waste_of(batch, costs))),
        prices_of=_prices_of(costs),
        models=[_model_line(row, is_over=batch.is_over) for row in costs],
    )


def _waste(waste: Waste) -> Iterator[str]:
    if waste.cut_short:
        yield f"{_were(waste.cut_short, 'answer')} cut short{_about(waste.cut_short_usd)}."
    if waste.repeated:
        verb = "repeats" if waste.repeated == 1 else "repeat"
        requests = count(waste.repeated, "request")
        yield f"{requests} {verb} an earlier one{_about(waste.repeated_usd)}."
    if waste.unmatched:
        lines = _were(waste.unmatched, "unmatched line")
        yield f"{lines} returned; whether that was billed is not known."
    if waste.retries:
        batches = count(waste.retries, "batch,batches")
        amount = "not known" if waste.retries_usd is None else f"{usd(waste.retries_usd)} more"
        yield f"Cost of retries, {batches}: {amount}."


def _were(number: int, noun: str) -> str:
    return f"{count(number, noun)} {'was' if number == 1 else 'were'}"


def _about(amount: Decimal | None) -> str:
    return "" if amount is None else f": about {usd(amount)} of the cost"


def _prices_of(costs: list[ModelCost]) -> datetime | None:
    """Return since when the newest of the prices was in force."""
    prices = [row.unit_price for row in costs if row.unit_price]
    return max((price.since for price in prices if price.since), default=None)


def _estimate(batch: Batch) -> str:
    if batch.estimated_cost_usd is None:
        return "Estimated without all prices"
    estimate, actual = usd(batch.estimated_cost_usd), batch.actual_cost_usd
    difference = compared(batch.estimated_cost_usd, actual)
    if not difference:
        return f"Estimated ~{estimate}"
    if estimate == usd(actual):
        return "As estimated"
    amount, _, direction = difference.rpartition(" ")
    words = {"more": f"{amount} over the estimate", "less": f"{amount} under the estimate"}
    return f"{words.get(direction, 'About as estimated')} (~{estimate})"


def _model_line(row: ModelCost, *, is_over: bool) -> ModelLine:
    tokens, mark, amount = (row.input_tokens, row.output_tokens), "", row.cost_usd
    if not is_over:
        tokens = row.estimated_input_tokens, row.estimated_output_tokens
        mark, amount = "~", row.estimated_cost_usd
    silent = row.answers_without_usage
    is_beyond_reason = is_over and row.unit_price and row.cost_usd is None and row.answers
    prices = "no price"
    if price := row.unit_price:
        prices = f"{rate(price.input)} / {rate(price.output)} per million"
        if price.cached_read is not None and row.cached_tokens:
            prices += f", {rate(price.cached_read)} read from the cache"
    notes = []
    if row.basis:
        notes.append(f"Output tokens estimated: ~{row.estimated_output_tokens:,}, {row.basis}.")
    if silent:
        notes.append(
            f"{count(silent, 'answer')} of {row.model} came without a token count, or with one "
            "that cannot be true, so the cost is at least what is shown."
        )
    if is_beyond_reason:
        reason = row.usage.problem() or "So many tokens cannot be true, so the cost is unknown."
        notes.append(f"{row.model}: {reason}")
    return ModelLine(
        model=row.model,
        requests=row.requests,
        input_tokens=f"{mark}{tokens[0]:,}",
        output_tokens=f"{mark}{tokens[1]:,}",
        prices=prices,
        cost=usd(amount) if amount is None else f"{'≥ ' if silent else mark}{usd(amount)}",
        difference=compared(row.estimated_cost_usd, row.cost_usd) if is_over else "",
        notes=notes,
    )


@register.simple_tag(name="against")
def compared(estimate: Decimal | None, actual: Decimal | None) -> str:
    """Return the difference to the estimate, such as "10 % less"; "" if one is unknown."""
    if not estimate or actual is None:
        return ""
    percent = (100 * (actual - estimate) / estimate).to_integral_value(ROUND_HALF_UP)
    if not percent:
        return "as estimated"
    return f"{abs(percent):,} % {'more' if percent > 0 else 'less'}"


def _known_sum(amounts: list[Decimal | None]) -> Decimal | None:
    """Return the sum of ``amounts``; None if one is unknown, or if there are none."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if amounts and len(known) == len(amounts) else None


def _cached(costs: list[ModelCost]) -> str:
    """Return how many tokens were cached, and how much more or less the batch cost for it."""
    read = sum(row.cached_tokens for row in costs)
    written = sum(row.written_tokens for row in costs)
    if not read and not written:
        return ""
    text = (
        f"{read:,} of {sum(row.input_tokens for row in costs):,} input tokens read from the cache"
    )
    if written:
        text += f", {written:,} written to it"
    at_list, actual = _list_cost(costs), _known_sum([row.cost_usd for row in costs])
    if not at_list or actual is None:
        return text
    percent = int((100 * (actual - at_list) / at_list).to_integral_value(ROUND_HALF_UP))
    change = f"{percent:+,} %".replace("-", MINUS) if percent else "the same cost"
    return f"{text}: {change}, {usd_range(actual, at_list)[1]} without it"


def _list_cost(costs: list[ModelCost]) -> Decimal | None:
    return _known_sum([row.list_cost_usd for row in costs])


def _billed(batch: Batch, costs: list[ModelCost]) -> str:
    billed, at_list = batch.billed_cost_usd, batch.billed_list_cost_usd
    if billed is None:
        return ""
    if not _is_off(batch.actual_cost_usd, billed):
        return usd(billed)
    if _is_off_by_cache(batch, costs):
        kind = "discount" if at_list and billed < at_list else "surcharge"
        difference = compared(at_list, billed)
        return f"{usd(billed)}, {difference} than its list price: a {kind} for cached prompts"
    difference = compared(batch.actual_cost_usd, billed)
    return f"{usd(billed)}, {difference} than by these prices" if difference else usd(billed)


def _is_off_by_cache(batch: Batch, costs: list[ModelCost]) -> bool:
    """Return True if the bill is as by these prices but for what cached prompts changed."""
    at_list, ours = batch.billed_list_cost_usd, _list_cost(costs)
    if at_list is None or ours is None or _is_off(ours, at_list):
        return False
    return _is_off(at_list, batch.billed_cost_usd)


def _advice(batch: Batch, costs: list[ModelCost]) -> str:
    if not _is_off_by_cache(batch, costs):
        return "Ask an administrator whether the price table is out of date."
    if any(row.unit_price and row.unit_price.has_cache_prices for row in costs):
        return "Ask an administrator whether its prices of cached prompts are out of date."
    return (
        "The batch was ordered without prices of cached prompts: an administrator can fetch them."
    )


def _billed_too_many(batch: Batch) -> str:
    too_many = batch.billed_too_many()
    if too_many is None:
        return ""
    billed, came = too_many
    return f"The provider billed {count(billed, 'answer')}, but {came:,} came."


def _is_off(actual: Decimal | None, billed: Decimal | None) -> bool:
    """Return True also if a batch without cost was billed."""
    if actual is None or billed is None:
        return False
    return abs(billed - actual) > MAX_BILL_DIFFERENCE * actual
