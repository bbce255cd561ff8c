"""Statements: what a project is charged for one month, kept as it was at the close."""

import uuid
from decimal import Decimal
from typing import Self

from django.db import models
from django.urls import reverse

from batchapp.domain.batch_labels import MAX_COST_CENTRE_LENGTH
from batchapp.domain.money.statement_changes import COUNTS, Figures
from batchapp.models.batches.batch import Batch
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.fields.unit_price_field import UnitPriceField
from batchapp.models.people.project import Project

# The rules by which new statements are made. Raise the number when a rule changes, such as what a
# statement contains, so that each statement can be read by the rules of its time.
VERSION = 1


class StatementQuerySet(models.QuerySet["Statement"]):
    def closed(self) -> Self:
        """Leave out the statements whose lines are still being written."""
        return self.filter(closed_at__isnull=False)


class Statement(models.Model):
    """What one project is charged for one month, by batch and model.

    Nothing of a closed statement changes afterwards: names, prices and figures are copies. What
    changes later is an adjustment on the next statement of the project.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.PROTECT, related_name="statements", db_index=False)
    month = models.DateField(help_text="Its first day.")
    version = models.PositiveSmallIntegerField(
        default=VERSION, help_text="Of the rules by which it was made."
    )
    project_name = models.CharField(max_length=100)
    closed_at = models.DateTimeField(
        null=True, help_text="Empty while the lines are being written."
    )

    lines_number = models.PositiveIntegerField(default=0)
    batches = models.PositiveIntegerField(default=0, help_text="That completed in the month.")
    requests = models.BigIntegerField(default=0)
    answers = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    cost_usd = MoneyField(default=Decimal(0), help_text="The sum of the known costs.")
    adjustments_usd = MoneyField(
        default=Decimal(0), help_text="The part of the sum that is of earlier statements."
    )
    unpriced = models.PositiveIntegerField(default=0, help_text="Lines with an unknown cost.")

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering = ["-month", "project_name", "pk"]
        constraints = [models.UniqueConstraint("project", "month", name="one_statement_per_month")]
        indexes = [models.Index(fields=["month", "project"], name="statements_of_month")]

    def __str__(self) -> str:
        return f"{self.project_name}, {self.month:%B %Y}"

    def get_absolute_url(self) -> str:
        return reverse("statement_detail", args=[self.project.slug, self.month])


class StatementLine(models.Model):
    """One model of one batch on a statement, as the batch was at the close.

    The figures of an adjustment are differences, so that the lines of all statements add up to
    the actual figures. A cost that is null is unknown. ``batch`` stays when the batch is deleted,
    so it may name no row.
    """

    statement = models.ForeignKey(Statement, models.CASCADE, related_name="lines", db_index=False)
    number = models.PositiveIntegerField(help_text="Its place on the statement, from 1.")
    kind = models.CharField(max_length=10, help_text="A ``LineKind``.")
    earlier = models.ForeignKey(
        "self",
        models.RESTRICT,
        null=True,
        related_name="+",
        help_text="The newest line before that an adjustment is about.",
    )
    batch = models.ForeignKey(
        Batch,
        models.DO_NOTHING,
        related_name="statement_lines",
        db_constraint=False,
        db_index=False,
    )
    batch_name = models.CharField(max_length=200)
    person = models.CharField(max_length=254, help_text="Who ordered the batch, by e-mail.")
    cost_centre = models.CharField(max_length=MAX_COST_CENTRE_LENGTH, blank=True)
    tags = models.JSONField(default=list)
    finished_at = models.DateTimeField()
    window = models.CharField("completion window", max_length=20)
    model = models.CharField(max_length=200)
    unit_price = UnitPriceField(null=True)

    requests = models.IntegerField()
    answers = models.IntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cached_tokens = models.BigIntegerField()
    written_5m_tokens = models.BigIntegerField()
    written_1h_tokens = models.BigIntegerField()
    written_24h_tokens = models.BigIntegerField()
    cost_usd = MoneyField(null=True)
    total_usd = MoneyField(
        null=True, help_text="The whole cost of the model in the batch, this line included."
    )

    class Meta:
        ordering = ["statement", "number"]
        constraints = [models.UniqueConstraint("statement", "number", name="one_line_per_number")]
        indexes = [models.Index(fields=["batch", "model", "id"], name="statement_lines_of_batch")]

    def __str__(self) -> str:
        return f"{self.batch_name}: {self.model}"

    @property
    def figures(self) -> Figures:
        return Figures(tuple(getattr(self, name) for name in COUNTS), self.cost_usd)
