"""Move a batch to its fallback window when the provider has no room in the first one."""

from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from batchapp.domain.money.unit_prices import Usage, cost, output_tokens
from batchapp.models import Batch, Event, EventKind, ModelCost, ProviderBatch
from batchapp.models.batches.provider_batch import maybe_at_provider
from batchapp.models.fields.money_field import rounded_or_unknown, total_or_unknown


def fall_back(provider_batch: ProviderBatch, *, is_offered: bool = True) -> bool:
    """Move the batch to its fallback window, at the prices frozen for that window.

    The provider has just turned ``provider_batch`` away, because its window is full, or because
    its model is not offered in that window. All is written or nothing. False if no
    fallback window was chosen, if that window is full as well, or if another provider batch may be
    at the provider already: then it is too late for the others.
    """
    full_window = provider_batch.batch.window
    batch = Batch.objects.get(pk=provider_batch.batch_id)
    if not batch.fallback_window or full_window == batch.fallback_window:
        return False
    with transaction.atomic():
        # These locks are taken in this order everywhere. A provider batch that is about to be
        # created waits, and then reads the new window; or it was first, and is found below.
        Batch.objects.filter(pk=batch.pk).update(status=F("status"))
        batch.provider_batches.update(number=F("number"))
        batch.refresh_from_db(fields=["window"])
        if batch.window == full_window:
            others = batch.provider_batches.exclude(pk=provider_batch.pk)
            # A worker that has the row now may find the batch of an earlier attempt.
            is_searched = Q(create_attempted_at__isnull=False, leased_until__gt=timezone.now())
            if others.filter(maybe_at_provider(batch.connection) | is_searched).exists():
                return False
            _switch_window(batch, is_offered=is_offered)
    provider_batch.batch.window = batch.window
    return True


def _switch_window(batch: Batch, *, is_offered: bool) -> None:
    model_costs = list(batch.model_costs.all())
    for model_cost in model_costs:
        _reprice(model_cost)
    fields = ["unit_price", "estimated_low_usd", "estimated_cost_usd", "estimated_ceiling_usd"]
    ModelCost.objects.bulk_update(model_costs, fields)
    Event.objects.create(
        batch=batch,
        kind=EventKind.FELL_BACK,
        data={
            "connection": batch.connection.name,
            "window": batch.window,
            "fallback": batch.fallback_window,
            "is_offered": is_offered,
        },
    )
    batch.window = batch.fallback_window
    estimate = total_or_unknown([model_cost.estimated_cost_usd for model_cost in model_costs])
    Batch.objects.filter(pk=batch.pk).update(window=batch.window, estimated_cost_usd=estimate)


def _reprice(model_cost: ModelCost) -> None:
    """Estimate the same tokens at the fallback price; without that price, costs are unknown."""
    if _has_cached_prompts(model_cost):
        _scale(model_cost)
        model_cost.unit_price = model_cost.fallback_price
        return
    model_cost.estimated_low_usd = _at_fallback_price(model_cost.estimated_low_usd, model_cost)
    model_cost.estimated_ceiling_usd = _at_fallback_price(
        model_cost.estimated_ceiling_usd, model_cost
    )
    model_cost.estimated_cost_usd = None
    if price := model_cost.fallback_price:
        usage = _estimated_usage(model_cost, model_cost.estimated_output_tokens)
        model_cost.estimated_cost_usd = rounded_or_unknown(cost(usage, price))
    model_cost.unit_price = model_cost.fallback_price


def _has_cached_prompts(model_cost: ModelCost) -> bool:
    """Return True if the estimate is not the cost of its tokens, as markers change the cost."""
    usage = _estimated_usage(model_cost, model_cost.estimated_output_tokens)
    price, estimated = model_cost.unit_price, model_cost.estimated_cost_usd
    if price is None or estimated is None or not price.has_cache_prices:
        return False
    return rounded_or_unknown(cost(usage, price)) != estimated


def _scale(model_cost: ModelCost) -> None:
    """Change the estimates as the cost of the same tokens without a cache changes."""
    usage = _estimated_usage(model_cost, model_cost.estimated_output_tokens)
    prices = model_cost.unit_price, model_cost.fallback_price
    old, new = (cost(usage, price) if price else None for price in prices)
    for name in ("estimated_low_usd", "estimated_cost_usd", "estimated_ceiling_usd"):
        amount = getattr(model_cost, name)
        is_known = amount is not None and old and new is not None
        setattr(model_cost, name, rounded_or_unknown(amount * new / old) if is_known else None)


def _at_fallback_price(amount: Decimal | None, model_cost: ModelCost) -> Decimal | None:
    """Return the fallback cost of the tokens that cost ``amount`` now; None if not computable."""
    old_price, new_price = model_cost.unit_price, model_cost.fallback_price
    if amount is None or old_price is None or new_price is None:
        return None
    received = output_tokens(amount, _estimated_usage(model_cost, 0), old_price)
    if received is None:
        return None
    usage = _estimated_usage(model_cost, received)
    if rounded_or_unknown(cost(usage, old_price)) != amount:
        return None
    return rounded_or_unknown(cost(usage, new_price))


def _estimated_usage(model_cost: ModelCost, output: int) -> Usage:
    return Usage(model_cost.requests, model_cost.estimated_input_tokens, output)
