"""Add what is known of the models of a connection, and fill it in for Doubleword."""

import csv
from importlib.resources import files

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

LISTS = ("inputs", "windows")
NUMBERS = ("context_tokens", "max_new_tokens")


def add_models_of_doubleword(apps, schema_editor):
    """Add the models that the portal ships to each connection to Doubleword."""
    text = files("batchapp").joinpath("data/doubleword_models.csv").read_text()
    OfferedModel = apps.get_model("batchapp", "OfferedModel")
    connections = apps.get_model("batchapp", "Connection").objects.filter(
        base_url__in=["https://api.doubleword.ai", "https://api.doubleword.ai/"]
    )
    OfferedModel.objects.bulk_create(
        OfferedModel(connection=connection, **_facts(row))
        for connection in connections
        for row in csv.DictReader(text.splitlines())
    )


def _facts(row):
    facts = dict(row)
    facts.update({name: facts[name].split() for name in LISTS})
    facts.update({name: int(facts[name]) if facts[name] else None for name in NUMBERS})
    return facts


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0005_table_of_file"),
    ]

    operations = [
        migrations.CreateModel(
            name="OfferedModel",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "model",
                    models.CharField(
                        help_text="The provider's exact name for it.", max_length=200
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("chat", "Chat"),
                            ("completions", "Completions"),
                            ("embeddings", "Embeddings"),
                            ("reranker", "Reranker"),
                        ],
                        help_text="Empty if not known.",
                        max_length=20,
                        verbose_name="endpoint",
                    ),
                ),
                (
                    "inputs",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Of text, image, audio, video; empty if not known.",
                    ),
                ),
                (
                    "context_tokens",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Tokens of the prompt and the answer together.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="context",
                    ),
                ),
                (
                    "max_new_tokens",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Tokens of the answer alone.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="most new tokens",
                    ),
                ),
                (
                    "thinking",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("never", "Never thinks"),
                            ("always", "Always thinks"),
                            ("switch", "Can be switched on and off"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "windows",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text="Empty for all windows of the connection.",
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="Where the facts are from.", max_length=200
                    ),
                ),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="offered_models",
                        to="batchapp.connection",
                    ),
                ),
            ],
            options={
                "ordering": ["connection", "model"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("connection", "model"), name="one_row_per_offered_model"
                    )
                ],
            },
        ),
        migrations.RunPython(add_models_of_doubleword, migrations.RunPython.noop),
    ]
