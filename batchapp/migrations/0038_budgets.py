"""Keep budgets, and what each batch reserves and has spent; also of the batches that exist."""

import uuid
from decimal import Decimal
from itertools import groupby
from typing import Any

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import batchapp.models.budgets.budget
import batchapp.models.fields.money_field
from batchapp.domain.money.budgets import divide
from batchapp.models.budgets.month import month_of

BLOCK = 1_000
OVER = {"completed", "failed", "cancelled"}  # the states of batches that have ended
NOTHING = Decimal(0)


def fill(apps: Any, schema_editor: Any) -> None:
    """Reserve the estimates of batches under way, and book the costs of those that are over."""
    model_cost = apps.get_model("batchapp", "ModelCost")
    reservation = apps.get_model("batchapp", "Reservation")
    rows = model_cost.objects.select_related("batch").order_by("batch_id", "model")
    new = []
    for _, of_batch in groupby(rows.iterator(chunk_size=BLOCK), key=lambda row: row.batch_id):
        new += _reservations(reservation, list(of_batch))
        if len(new) >= BLOCK:
            reservation.objects.bulk_create(new)
            new = []
    reservation.objects.bulk_create(new)


def _reservations(reservation: Any, costs: list[Any]) -> list[Any]:
    batch = costs[0].batch
    is_open = batch.status not in OVER or batch.finished_at is None
    spent = {row.model: row.cost_usd if row.answers else NOTHING for row in costs}
    if not is_open and batch.billed_cost_usd is not None:
        spent = dict(divide(batch.billed_cost_usd, spent))
    at = batch.created_at if is_open else batch.finished_at
    return [
        reservation(
            batch_id=batch.pk,
            project_id=batch.project_id,
            person_id=batch.created_by_id,
            model=row.model,
            month=month_of(at),
            is_open=is_open,
            reserved_usd=row.estimated_cost_usd,
            spent_usd=None if is_open else spent[row.model],
        )
        for row in costs
    ]


class Migration(migrations.Migration):
    dependencies = [
        ("batchapp", "0037_notices"),
    ]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="portal_key",
            field=models.ForeignKey(
                db_index=False,
                help_text="By which it was ordered; empty for an order on a page or by a command.",
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="batches",
                to="batchapp.portalkey",
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="reserve_percent",
            field=models.PositiveSmallIntegerField(
                default=120, help_text="Of the expected cost, unless it is the most."
            ),
        ),
        migrations.AddField(
            model_name="project",
            name="reserves_most",
            field=models.BooleanField(
                default=False,
                help_text="An order reserves the most that it may cost, if it is known.",
            ),
        ),
        migrations.CreateModel(
            name="Budget",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("project", "The whole project"),
                            ("person", "One person"),
                            ("portal_key", "One portal key"),
                            ("model", "One model"),
                        ],
                        default="project",
                        max_length=12,
                    ),
                ),
                ("model", models.CharField(blank=True, max_length=200)),
                (
                    "name",
                    models.CharField(
                        blank=True, help_text="Of the person, portal key or model.", max_length=254
                    ),
                ),
                (
                    "amount_usd",
                    batchapp.models.fields.money_field.MoneyField(
                        help_text="For each calendar month of the portal's time zone."
                    ),
                ),
                (
                    "when_over",
                    models.CharField(
                        choices=[
                            ("stop", "Refuse it"),
                            ("approval", "Ask for approval"),
                            ("tell", "Only tell the owners"),
                        ],
                        default="stop",
                        max_length=10,
                    ),
                ),
                (
                    "alert_levels",
                    models.JSONField(
                        default=batchapp.models.budgets.budget.all_levels,
                        help_text="Per cent of the amount.",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="budgets",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "portal_key",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="budgets",
                        to="batchapp.portalkey",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="budgets",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["created_at"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "project")),
                        fields=("project",),
                        name="one_budget_of_a_project",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("person__isnull", False)),
                        fields=("project", "person"),
                        name="one_budget_of_a_person",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("portal_key__isnull", False)),
                        fields=("project", "portal_key"),
                        name="one_budget_of_a_portal_key",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("kind", "model")),
                        fields=("project", "model"),
                        name="one_budget_of_a_model",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Reservation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("model", models.CharField(max_length=200)),
                ("month", models.DateField(help_text="Its first day.")),
                ("is_open", models.BooleanField(default=True, help_text="The batch is not over.")),
                ("reserved_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                ("spent_usd", batchapp.models.fields.money_field.MoneyField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reservations",
                        to="batchapp.batch",
                    ),
                ),
                (
                    "person",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "portal_key",
                    models.ForeignKey(
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="batchapp.portalkey",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="reservations",
                        to="batchapp.project",
                    ),
                ),
            ],
            options={
                "ordering": ["batch", "model"],
                "indexes": [
                    models.Index(
                        fields=["project", "is_open", "month"], name="reservation_by_month"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("batch"), models.F("model"), name="one_reservation_per_model"
                    )
                ],
            },
        ),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
