"""Keep what answers that were cut short cost, so that no page adds up their results."""

from typing import Any

from django.db import migrations, models
from django.db.models import Count, F, Sum

from batchapp.domain.money.unit_prices import Usage, cost
from batchapp.models.fields.money_field import MoneyField, rounded_or_unknown

BLOCK = 500
TRUNCATED = "truncated"
TOKENS = (
    *("input_tokens", "output_tokens", "cached_tokens"),
    *("written_5m_tokens", "written_1h_tokens", "written_24h_tokens"),
)


def add_up(apps: Any, schema_editor: Any) -> None:
    """Add up the results of the batches that have doubtful answers, a batch at a time."""
    model_cost = apps.get_model("batchapp", "ModelCost")
    result = apps.get_model("batchapp", "Result")
    doubtful = model_cost.objects.filter(batch__succeeded__gt=F("batch__usable"))
    changed = []
    for row in doubtful.order_by("pk").iterator(chunk_size=BLOCK):
        answers = result.objects.filter(
            batch=row.batch_id, outcome=TRUNCATED, model=row.model
        ).aggregate(number=Count("pk"), **{f"sum_{name}": Sum(name, default=0) for name in TOKENS})
        row.cut_short = answers["number"]
        if row.cut_short and row.unit_price:
            usage = Usage(row.cut_short, *(answers[f"sum_{name}"] for name in TOKENS))
            row.cut_short_usd = rounded_or_unknown(cost(usage, row.unit_price))
        changed.append(row)
        if len(changed) == BLOCK:
            model_cost.objects.bulk_update(changed, ["cut_short", "cut_short_usd"])
            changed = []
    model_cost.objects.bulk_update(changed, ["cut_short", "cut_short_usd"])


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0022_cached_tokens")]

    operations = [
        migrations.AddField(
            "modelcost",
            "cut_short",
            models.PositiveIntegerField(default=0, help_text="Answers that ended at their limit."),
        ),
        migrations.AddField(
            "modelcost",
            "cut_short_usd",
            MoneyField(null=True, help_text="The part of the cost that these are."),
        ),
        migrations.RunPython(add_up, migrations.RunPython.noop, elidable=True),
    ]
