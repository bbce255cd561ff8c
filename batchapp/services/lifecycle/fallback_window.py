"""Move a batch to its fallback window when the provider has no room in the first one."""

from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from batchapp.domain.money.unit_prices import cost, output_tokens
from batchapp.models import Batch, Event, EventKind, ModelCost, ProviderBatch
from batchapp.models.batches.provider_batch import maybe_at_provider
from batchapp.models.fields.money_field import rounded, total_or_unknown


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
    fields = ["input_price", "output_price", "price_row", "price_since"]
    fields += ["estimated_low_usd", "estimated_cost_usd", "estimated_ceiling_usd"]
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
    model_cost.estimated_low_usd = _at_fallback_price(model_cost.estimated_low_usd, model_cost)
    model_cost.estimated_ceiling_usd = _at_fallback_price(
        model_cost.estimated_ceiling_usd, model_cost
    )
    model_cost.estimated_cost_usd = None
    if price := model_cost.fallback_price:
        tokens = model_cost.estimated_input_tokens, model_cost.estimated_output_tokens
        model_cost.estimated_cost_usd = rounded(cost(*tokens, price))
    model_cost.input_price = model_cost.fallback_input_price
    model_cost.output_price = model_cost.fallback_output_price
    model_cost.price_row = model_cost.fallback_price_row
    model_cost.price_since = model_cost.fallback_price_since


def _at_fallback_price(amount: Decimal | None, model_cost: ModelCost) -> Decimal | None:
    """Return the fallback cost of the tokens that cost ``amount`` now; None if not computable."""
    old_price, new_price = model_cost.unit_price, model_cost.fallback_price
    if amount is None or old_price is None or new_price is None:
        return None
    sent = model_cost.estimated_input_tokens
    received = output_tokens(amount, sent, old_price)
    if received is None or rounded(cost(sent, received, old_price)) != amount:
        return None
    return rounded(cost(sent, received, new_price))
