"""Keep how many requests of a large batch ended how."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0019_unit_prices"),
    ]

    operations = [
        migrations.CreateModel(
            name="OutcomeCounts",
            fields=[
                (
                    "batch",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="outcome_counts",
                        serialize=False,
                        to="batchapp.batch",
                    ),
                ),
                ("own", models.JSONField()),
                ("merged", models.JSONField()),
                ("retryable", models.JSONField(null=True)),
                ("built_from", models.CharField(max_length=200)),
            ],
            options={
                "verbose_name_plural": "outcome counts",
            },
        ),
    ]
