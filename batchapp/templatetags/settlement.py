"""The comparison of the estimate, the cost and the bill of a batch, in words."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from django import template

from batchapp.models import Batch, ModelCost
from batchapp.templatetags.words import count, rate, usd

register = template.Library()

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

    Each text is "" if it is unknown. ``is_off`` means that the bill differs from the cost, and
    ``billed_too_many`` says so if more answers were billed than came.
    """

    estimate: str
    realtime: str
    saving: str
    billed: str
    is_off: bool
    billed_too_many: str
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
        billed=_billed(actual, billed),
        is_off=_is_off(actual, billed),
        billed_too_many=_billed_too_many(batch),
        prices_of=max((row.price_since for row in costs if row.price_since), default=None),
        models=[_model_line(row, is_over=batch.is_over) for row in costs],
    )


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
    prices = "no price"
    if row.input_price is not None and row.output_price is not None:
        prices = f"{rate(row.input_price)} / {rate(row.output_price)} per million"
    notes = []
    if row.basis:
        notes.append(f"Output tokens estimated: ~{row.estimated_output_tokens:,}, {row.basis}.")
    if silent:
        notes.append(
            f"{count(silent, 'answer')} of {row.model} came without a token count, so the cost is "
            "at least what is shown."
        )
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


def _billed(actual: Decimal | None, billed: Decimal | None) -> str:
    if billed is None:
        return ""
    difference = compared(actual, billed) if _is_off(actual, billed) else ""
    return f"{usd(billed)}, {difference} than by these prices" if difference else usd(billed)


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
