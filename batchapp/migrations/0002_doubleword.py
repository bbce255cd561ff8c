"""Doubleword as the first connection, with its list prices: a fresh portal can quote at once."""

import csv
from datetime import UTC, datetime
from importlib.resources import files

from django.db import migrations


def add(apps, schema_editor):
    connection, created = apps.get_model("batchapp", "Connection").objects.get_or_create(
        name="Doubleword", defaults={"base_url": "https://api.doubleword.ai"}
    )
    if not created:
        return
    text = files("batchapp").joinpath("data/doubleword_prices.csv").read_text()
    Price = apps.get_model("batchapp", "Price")
    Price.objects.bulk_create(
        Price(connection=connection, effective_from=datetime(2026, 4, 13, tzinfo=UTC), **row)
        for row in csv.DictReader(text.splitlines())
    )


class Migration(migrations.Migration):
    dependencies = [("batchapp", "0001_initial")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
