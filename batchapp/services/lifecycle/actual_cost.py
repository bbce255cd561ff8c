"""Compute what a batch costs from its tokens and the prices that were frozen with it."""

from datetime import datetime

from django.db.models import Count, Q, Sum

from batchapp.domain.money.unit_prices import cost
from batchapp.domain.results.outcome import SUCCEEDED
from batchapp.models import Batch, ModelCost
from batchapp.models.fields.money_field import rounded

NO_USAGE = {"input": 0, "output": 0, "answers": 0, "answers_without_usage": 0}


def settle_costs(batch: Batch, completed_at: datetime | None) -> list[ModelCost]:
    """Write tokens and cost of each model.

    ``completed_at`` is None if the batch did not complete. Estimates do not learn from such a
    batch, because short answers come first.
    """
    usage_by_model = {
        row["model"]: row
        for row in batch.results.filter(outcome__in=SUCCEEDED)
        .order_by()
        .values("model")
        .annotate(
            input=Sum("input_tokens", default=0),
            output=Sum("output_tokens", default=0),
            answers=Count("pk"),
            answers_without_usage=Count("pk", filter=Q(input_tokens=None) | Q(output_tokens=None)),
        )
    }
    model_costs = list(batch.model_costs.all())
    for model_cost in model_costs:
        usage = usage_by_model.get(model_cost.model, NO_USAGE)
        model_cost.input_tokens, model_cost.output_tokens = usage["input"], usage["output"]
        model_cost.answers = usage["answers"]
        model_cost.answers_without_usage = usage["answers_without_usage"]
        has_usage = model_cost.answers > model_cost.answers_without_usage
        model_cost.measured_at = completed_at if has_usage else None
        if price := model_cost.unit_price:
            model_cost.cost_usd = rounded(cost(usage["input"], usage["output"], price))
        if price := model_cost.realtime_price:
            model_cost.realtime_cost_usd = rounded(cost(usage["input"], usage["output"], price))
    fields = ["input_tokens", "output_tokens", "answers", "answers_without_usage"]
    fields += ["measured_at", "cost_usd", "realtime_cost_usd"]
    ModelCost.objects.bulk_update(model_costs, fields)
    return model_costs
