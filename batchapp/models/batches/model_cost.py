"""Estimated and actual cost of a batch, model by model."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Self
from uuid import UUID

from django.db import models
from django.db.models import F

from batchapp.domain.money import calibration
from batchapp.domain.money.calibration import History, HistorySource, Run
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.request_files.check_file import ModelFacts
from batchapp.models.batches.batch import Batch
from batchapp.models.fields.money_field import MoneyField
from batchapp.models.people.project import Project
from batchapp.models.people.user import User

MAX_HISTORY_RUNS = 50  # newest runs per history source: prompts and models change over time
MAX_HISTORY_MODELS = 8  # models of one file with the most requests; the others have no history


class _Measured(NamedTuple):
    """The figures of one finished model cost that estimates learn from, without any name."""

    pk: int
    model: str
    shape: str
    project: UUID
    person: int
    answers: int
    output_tokens: int


class ModelCostQuerySet(models.QuerySet["ModelCost"]):
    def measured(self, *, before: datetime, is_sandbox: bool) -> Self:
        """Return the costs to learn from; invented sandbox answers count for sandboxes only."""
        return self.filter(measured_at__lt=before, batch__connection__is_sandbox=is_sandbox)

    def histories(
        self,
        facts: Mapping[str, ModelFacts],
        project: Project,
        user: User | None,
        before: datetime,
    ) -> dict[str, History]:
        """Return, by model, how long its answers were in the most similar earlier batches.

        Source of the history, the first that has any: 1. batches of ``project`` with the same
        shape; 2. batches of ``project``; 3. batches of ``user`` in other projects; 4. all batches
        of the portal, if these are enough that no team can be recognised.
        """
        largest = sorted(facts, key=lambda model: -facts[model].requests)
        models = [model for model in largest if not facts[model].embeddings][:MAX_HISTORY_MODELS]
        measured = self.measured(before=before, is_sandbox=project.connection.is_sandbox)
        newest = measured.order_by("-measured_at", "-pk")
        columns = ("pk", "model", "shape", "batch__project_id", "batch__created_by_id")
        queries = [
            self.filter(pk__in=rows[:MAX_HISTORY_RUNS].values("pk"))
            .order_by()
            .values_list(*columns, F("answers") - F("answers_without_usage"), "output_tokens")
            for model in models
            for rows in _by_source(newest.filter(model=model), facts[model], project, user)
        ]
        if not queries:
            return {}
        by_model: defaultdict[str, list[_Measured]] = defaultdict(list)
        for row in queries[0].union(*queries[1:]).order_by():
            by_model[row[1]].append(_Measured(*row))
        person = user.pk if user else None
        histories = {
            model: _history(by_model[model], facts[model].shape, project.pk, person)
            for model in models
        }
        return {model: history for model, history in histories.items() if history}


def _by_source(
    newest: ModelCostQuerySet, facts: ModelFacts, project: Project, user: User | None
) -> Iterator[ModelCostQuerySet]:
    """Return one query per source of history, all for one model."""
    own = newest.filter(batch__project=project)
    if facts.shape:
        yield own.filter(shape=facts.shape)
    yield own
    elsewhere = newest.exclude(batch__project=project)
    if user:
        yield elsewhere.filter(batch__created_by=user)
    yield elsewhere


def _history(rows: list[_Measured], shape: str, project: UUID, user: int | None) -> History | None:
    own = [row for row in rows if row.project == project]
    elsewhere = [row for row in rows if row.project != project]
    by_source = {
        HistorySource.SHAPE: [row for row in own if shape and row.shape == shape],
        HistorySource.PROJECT: own,
        HistorySource.PERSON: [row for row in elsewhere if row.person == user],
        HistorySource.PORTAL: elsewhere if _is_anonymous(elsewhere) else [],
    }
    for source, candidates in by_source.items():
        if newest := sorted(candidates, key=lambda row: -row.pk)[:MAX_HISTORY_RUNS]:
            runs = [Run(row.answers, row.output_tokens) for row in newest]
            return calibration.learn_history(source, runs)
    return None


def _is_anonymous(rows: list[_Measured]) -> bool:
    projects = {row.project for row in rows}
    return (
        len(rows) >= calibration.MIN_PORTAL_BATCHES
        and len(projects) >= calibration.MIN_PORTAL_PROJECTS
    )


class ModelCost(models.Model):
    """One model of one batch: its prices at the time of the order, its estimated and actual cost.

    Prices are USD per million tokens, and null if the price table had none. A cost without a price
    is null, because unknown is not free. The estimate stays as the order page showed it.
    """

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="model_costs")
    model = models.CharField(max_length=200)
    requests = models.PositiveIntegerField()
    input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    realtime_input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    realtime_output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    price_row = models.PositiveBigIntegerField(
        null=True, help_text="Id of the row in the price table, which may be deleted by now."
    )
    price_since = models.DateTimeField(null=True)
    realtime_price_row = models.PositiveBigIntegerField(null=True)
    realtime_price_since = models.DateTimeField(null=True)

    fallback_input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    fallback_output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    fallback_price_row = models.PositiveBigIntegerField(null=True)
    fallback_price_since = models.DateTimeField(null=True)

    shape = models.CharField(
        max_length=16,
        blank=True,
        help_text="Fields that most of its requests have in common, as a hash.",
    )
    basis = models.CharField(
        max_length=200, blank=True, help_text="How the output was estimated, in words."
    )
    unbounded_requests = models.PositiveIntegerField(
        null=True, help_text="Requests without max_tokens: nothing limits their cost."
    )
    estimated_input_tokens = models.PositiveBigIntegerField()
    estimated_output_tokens = models.PositiveBigIntegerField()
    estimated_low_usd = MoneyField(null=True)
    estimated_cost_usd = MoneyField(null=True)
    estimated_ceiling_usd = MoneyField(null=True)

    input_tokens = models.PositiveBigIntegerField(default=0)
    output_tokens = models.PositiveBigIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    answers_without_usage = models.PositiveIntegerField(
        default=0, help_text="Answers without a token count: the actual cost is higher."
    )
    cost_usd = MoneyField(null=True)
    realtime_cost_usd = MoneyField(null=True, help_text="The same tokens at the realtime price.")

    measured_at = models.DateTimeField(
        null=True, help_text="When the batch ended, if later estimates may learn from it."
    )

    objects = ModelCostQuerySet.as_manager()

    class Meta:
        ordering = ["batch", "model"]
        constraints = [models.UniqueConstraint("batch", "model", name="one_cost_per_model")]
        indexes = [
            models.Index(fields=["model", "-measured_at"], name="cost_history"),
            models.Index(fields=["model", "shape", "-measured_at"], name="cost_history_by_shape"),
        ]

    def __str__(self) -> str:
        return f"{self.batch}: {self.model}"

    @property
    def unit_price(self) -> UnitPrice | None:
        return _unit_price(self.input_price, self.output_price)

    @property
    def fallback_price(self) -> UnitPrice | None:
        """Return the price in the fallback window at the time of the order."""
        return _unit_price(self.fallback_input_price, self.fallback_output_price)

    @property
    def realtime_price(self) -> UnitPrice | None:
        return _unit_price(self.realtime_input_price, self.realtime_output_price)


def _unit_price(input_price: Decimal | None, output_price: Decimal | None) -> UnitPrice | None:
    if input_price is None or output_price is None:
        return None
    return UnitPrice(input=input_price, output=output_price)
