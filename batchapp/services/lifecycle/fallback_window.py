"""A batch that its provider has no room for goes to the longer window that was agreed to."""

from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from batchapp.domain.money.unit_prices import UnitPrice, cost, output_tokens
from batchapp.models import Batch, Event, ModelCost, ProviderBatch
from batchapp.models.fields.money_field import rounded


def fall_back(provider_batch: ProviderBatch) -> bool:
    """Move the batch of ``part`` to its fall-back window, at the prices frozen for it.

    ``part`` itself was turned away just now. All of it or nothing is written. False if none was
    chosen, if that is full as well, or if another part may be at the provider already: then it is
    too late for the rest.
    """
    tried = provider_batch.batch.window
    batch = Batch.objects.get(pk=provider_batch.batch_id)
    if not batch.fallback_window or tried == batch.fallback_window:
        return False
    with transaction.atomic():
        # Taken in this order everywhere. A part that is about to be created waits, and then
        # reads the new window; or it was first, and is seen below.
        Batch.objects.filter(pk=batch.pk).update(status=F("status"))
        batch.provider_batches.update(number=F("number"))
        batch.refresh_from_db(fields=["window"])
        if batch.window == tried:
            if (
                batch.provider_batches.filter(_at_provider(batch))
                .exclude(pk=provider_batch.pk)
                .exists()
            ):
                return False
            _switch(batch)
    provider_batch.batch.window = batch.window
    return True


def _at_provider(batch: Batch) -> Q:
    """Which parts are there, are being created, or were tried so lately that they may be there."""
    now, grace = timezone.now(), timedelta(seconds=batch.connection.create_grace_seconds)
    tried = Q(create_attempted_at__isnull=False)
    is_recent = Q(create_attempted_at__gt=now - grace) | Q(leased_until__gt=now)
    return ~Q(remote_id="") | tried & is_recent


def _switch(batch: Batch) -> None:
    model_costs = list(batch.model_costs.all())
    for model_cost in model_costs:
        _reprice(model_cost)
    fields = ["input_price", "output_price", "price_row", "price_since"]
    fields += ["estimated_low_usd", "estimated_cost_usd", "estimated_ceiling_usd"]
    ModelCost.objects.bulk_update(model_costs, fields)
    costs = [model_cost.estimated_cost_usd for model_cost in model_costs]
    known = [each for each in costs if each is not None]
    total = sum(known, Decimal(0)) if len(known) == len(costs) else None
    Event.objects.create(
        batch=batch,
        text=f"{batch.connection} has no room for {batch.window}: it runs in "
        f"{batch.fallback_window}, as was decided.",
    )
    batch.window = batch.fallback_window
    Batch.objects.filter(pk=batch.pk).update(window=batch.window, estimated_cost_usd=total)


def _reprice(model_cost: ModelCost) -> None:
    """The same tokens at the fall-back price; what cannot be told is unknown, not invented."""
    before, price = model_cost.unit_price, model_cost.fallback_price
    low = _again(model_cost.estimated_low_usd, model_cost, before, price)
    ceiling = _again(model_cost.estimated_ceiling_usd, model_cost, before, price)
    expected = None
    if price:
        tokens = model_cost.estimated_input_tokens, model_cost.estimated_output_tokens
        expected = rounded(cost(*tokens, price))
    model_cost.estimated_low_usd, model_cost.estimated_ceiling_usd = low, ceiling
    model_cost.estimated_cost_usd = expected
    model_cost.input_price, model_cost.output_price = (
        model_cost.fallback_input_price,
        model_cost.fallback_output_price,
    )
    model_cost.price_row, model_cost.price_since = (
        model_cost.fallback_price_row,
        model_cost.fallback_price_since,
    )


def _again(
    amount: Decimal | None,
    model_cost: ModelCost,
    before: UnitPrice | None,
    price: UnitPrice | None,
) -> Decimal | None:
    """What comes to ``amount`` at the price ``before``, at the other ``price``."""
    if amount is None or before is None or price is None:
        return None
    sent = model_cost.estimated_input_tokens
    received = output_tokens(amount, sent, before)
    if received is None or rounded(cost(sent, received, before)) != amount:
        return None
    return rounded(cost(sent, received, price))
