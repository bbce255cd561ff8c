"""Add statements, their lines, and the closing of months."""

import uuid
from decimal import Decimal

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import batchapp.models.fields.money_field
import batchapp.models.fields.unit_price_field


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0042_inbox"),
    ]

    operations = [
        migrations.CreateModel(
            name="MonthClosing",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "next_check_at",
                    models.DateTimeField(
                        db_index=True,
                        editable=False,
                        help_text="Empty: only a person moves it.",
                        null=True,
                    ),
                ),
                ("leased_until", models.DateTimeField(editable=False, null=True)),
                (
                    "claims",
                    models.PositiveIntegerField(
                        default=0,
                        editable=False,
                        help_text="Claims since the lease was last returned: counts crashes.",
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.", unique=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("open", "Open"),
                            ("closing", "Being closed"),
                            ("closed", "Closed"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "closed_by",
                    models.ForeignKey(
                        help_text="Empty: the portal itself.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "ordering": ["-month"],
            },
        ),
        migrations.CreateModel(
            name="Statement",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("month", models.DateField(help_text="Its first day.")),
                (
                    "version",
                    models.PositiveSmallIntegerField(
                        default=1, help_text="Of the rules by which it was made."
                    ),
                ),
                ("project_name", models.CharField(max_length=100)),
                (
                    "closed_at",
                    models.DateTimeField(
                        help_text="Empty while the lines are being written.", null=True
                    ),
                ),
                ("lines_number", models.PositiveIntegerField(default=0)),
                (
                    "batches",
                    models.PositiveIntegerField(
                        default=0, help_text="That completed in the month."
                    ),
                ),
                ("requests", models.BigIntegerField(default=0)),
                ("answers", models.BigIntegerField(default=0)),
                ("input_tokens", models.BigIntegerField(default=0)),
                ("output_tokens", models.BigIntegerField(default=0)),
                ("cached_tokens", models.BigIntegerField(default=0)),
                (
                    "cost_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        default=Decimal("0"), help_text="The sum of the known costs."
                    ),
                ),
                (
                    "adjustments_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        default=Decimal("0"),
                        help_text="The part of the sum that is of earlier statements.",
                    ),
                ),
                (
                    "unpriced",
                    models.PositiveIntegerField(
                        default=0, help_text="Lines with an unknown cost."
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statements",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["-month", "project_name", "pk"],
            },
        ),
        migrations.CreateModel(
            name="StatementLine",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "number",
                    models.PositiveIntegerField(help_text="Its place on the statement, from 1."),
                ),
                ("kind", models.CharField(help_text="A ``LineKind``.", max_length=10)),
                ("batch_name", models.CharField(max_length=200)),
                (
                    "person",
                    models.CharField(
                        help_text="Who ordered the batch, by e-mail.", max_length=254
                    ),
                ),
                ("cost_centre", models.CharField(blank=True, max_length=80)),
                ("tags", models.JSONField(default=list)),
                ("finished_at", models.DateTimeField()),
                ("window", models.CharField(max_length=20, verbose_name="completion window")),
                ("model", models.CharField(max_length=200)),
                ("unit_price", batchapp.models.fields.unit_price_field.UnitPriceField(null=True)),
                ("requests", models.IntegerField()),
                ("answers", models.IntegerField()),
                ("input_tokens", models.BigIntegerField()),
                ("output_tokens", models.BigIntegerField()),
                ("cached_tokens", models.BigIntegerField()),
                ("written_5m_tokens", models.BigIntegerField()),
                ("written_1h_tokens", models.BigIntegerField()),
                ("written_24h_tokens", models.BigIntegerField()),
                ("cost_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                (
                    "total_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        help_text="The whole cost of the model in the batch, this line included.",
                        null=True,
                    ),
                ),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="statement_lines",
                        to="batchapp.batch",
                    ),
                ),
                (
                    "earlier",
                    models.ForeignKey(
                        help_text="The newest line before that an adjustment is about.",
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="batchapp.statementline",
                    ),
                ),
                (
                    "statement",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="lines",
                        to="batchapp.statement",
                    ),
                ),
            ],
            options={
                "ordering": ["statement", "number"],
            },
        ),
        migrations.AddIndex(
            model_name="statement",
            index=models.Index(fields=["month", "project"], name="statements_of_month"),
        ),
        migrations.AddConstraint(
            model_name="statement",
            constraint=models.UniqueConstraint(
                models.F("project"), models.F("month"), name="one_statement_per_month"
            ),
        ),
        migrations.AddIndex(
            model_name="statementline",
            index=models.Index(fields=["batch", "model", "id"], name="statement_lines_of_batch"),
        ),
        migrations.AddConstraint(
            model_name="statementline",
            constraint=models.UniqueConstraint(
                models.F("statement"), models.F("number"), name="one_line_per_number"
            ),
        ),
    ]
