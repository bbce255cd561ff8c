"""Store each price of a batch as one value, and the prices of cached tokens with a price."""

from typing import Any

from django.db import migrations, models

from batchapp.models.fields.unit_price_field import UnitPriceField

BLOCK = 500
# Prefix of the columns -> field.
FIELDS = {"": "unit_price", "realtime_": "realtime_price", "fallback_": "fallback_price"}
HELP = {"fallback_price": "The price in the fallback window."}


def join_columns(apps: Any, schema_editor: Any) -> None:
    """Write each price as one value, with all digits."""
    model_cost = apps.get_model("batchapp", "ModelCost")
    rows = []
    for row in model_cost.objects.order_by("pk").iterator(chunk_size=BLOCK):
        for prefix, field in FIELDS.items():
            setattr(row, field, _joined(row, prefix))
        rows.append(row)
        if len(rows) == BLOCK:
            model_cost.objects.bulk_update(rows, list(FIELDS.values()))
            rows = []
    model_cost.objects.bulk_update(rows, list(FIELDS.values()))


def _joined(row: Any, prefix: str) -> dict[str, object] | None:
    amounts = {side: getattr(row, f"{prefix}{side}_price") for side in ("input", "output")}
    if None in amounts.values():
        return None
    price: dict[str, object] = {side: f"{amount:f}" for side, amount in amounts.items()}
    if row_id := getattr(row, f"{prefix}price_row"):
        price["row"] = row_id
    if since := getattr(row, f"{prefix}price_since"):
        price["since"] = since.isoformat()
    return price


def split_columns(apps: Any, schema_editor: Any) -> None:
    """Write input and output prices to columns again; prices of cached tokens have none."""
    model_cost = apps.get_model("batchapp", "ModelCost")
    columns = ["input_price", "output_price", "price_row", "price_since"]
    names = [f"{prefix}{column}" for prefix in FIELDS for column in columns]
    rows = []
    for row in model_cost.objects.order_by("pk").iterator(chunk_size=BLOCK):
        for prefix, field in FIELDS.items():
            if price := getattr(row, field):
                values = (price.input, price.output, price.row, price.since)
                for column, value in zip(columns, values, strict=True):
                    setattr(row, f"{prefix}{column}", value)
        rows.append(row)
        if len(rows) == BLOCK:
            model_cost.objects.bulk_update(rows, names)
            rows = []
    model_cost.objects.bulk_update(rows, names)


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0018_batch_problems")]

    operations = [
        *(
            migrations.AddField(
                "modelcost", field, UnitPriceField(null=True, help_text=HELP.get(field, ""))
            )
            for field in FIELDS.values()
        ),
        migrations.RunPython(join_columns, split_columns),
        *(
            migrations.RemoveField("modelcost", f"{prefix}{column}")
            for prefix in FIELDS
            for column in ("input_price", "output_price", "price_row", "price_since")
        ),
        migrations.AddField(
            "price",
            "components",
            models.JSONField(
                blank=True,
                default=dict,
                help_text="Other parts of the price, such as those of cached tokens, by name.",
            ),
        ),
    ]
