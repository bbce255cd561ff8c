"""What each model of a batch was expected to cost, and did."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Self
from uuid import UUID

from django.db import models
from django.db.models import F

from batchapp.domain.money import calibration
from batchapp.domain.money.calibration import History, Kin, Run
from batchapp.domain.money.pricing import UnitPrice
from batchapp.domain.preflight.jsonl import ModelFacts
from batchapp.models.batch import Batch
from batchapp.models.money import MoneyField
from batchapp.models.project import Project
from batchapp.models.user import User

RUNS_LEARNT_FROM = 50
"""The newest of each kind: prompts and models change, and older ones say less."""

MODELS_LEARNT = 8
"""Of one file, those with the most requests; more are priced without history."""


class _Measured(NamedTuple):
    """Of one finished charge, what there is to learn; no name of anybody or anything."""

    pk: int
    model: str
    shape: str
    project: UUID
    person: int
    answers: int
    output_tokens: int


class ChargeQuerySet(models.QuerySet["Charge"]):
    def measured(self, *, before: datetime, is_sandbox: bool) -> Self:
        """Those to learn from: a sandbox teaches about itself alone, its answers are made up."""
        return self.filter(measured_at__lt=before, batch__connection__is_sandbox=is_sandbox)

    def histories(
        self,
        asked: Mapping[str, ModelFacts],
        project: Project,
        user: User | None,
        before: datetime,
    ) -> dict[str, History]:
        """Model -> how long its answers were, in the nearest of the batches that ended in time.

        The nearest are those of ``project`` with the same shape; then of ``project``; then what
        ``user``, if there is one, ran elsewhere; then all of the portal, if no team's figures show
        in theirs.
        """
        largest = sorted(asked, key=lambda name: -asked[name].requests)
        wanted = [name for name in largest if not asked[name].embeddings][:MODELS_LEARNT]
        fit = self.measured(before=before, is_sandbox=project.connection.is_sandbox)
        newest = fit.order_by("-measured_at", "-pk")
        slices = [
            self.filter(pk__in=rows[:RUNS_LEARNT_FROM].values("pk")).order_by()
            for name in wanted
            for rows in _kinds(newest.filter(model=name), asked[name], project, user)
        ]
        if not slices:
            return {}
        columns = ("pk", "model", "shape", "batch__project_id", "batch__created_by_id")
        rows = [
            each.values_list(*columns, F("answers") - F("answers_without_usage"), "output_tokens")
            for each in slices
        ]
        by_model: defaultdict[str, list[_Measured]] = defaultdict(list)
        for row in rows[0].union(*rows[1:]).order_by():
            by_model[row[1]].append(_Measured(*row))
        found = {
            name: _history(
                by_model[name], asked[name].shape, project.pk, user.pk if user else None
            )
            for name in wanted
        }
        return {name: history for name, history in found.items() if history}


def _kinds(
    newest: ChargeQuerySet, facts: ModelFacts, project: Project, user: User | None
) -> Iterator[ChargeQuerySet]:
    """A query for each kind of kin, all of one model."""
    mine = newest.filter(batch__project=project)
    if facts.shape:
        yield mine.filter(shape=facts.shape)
    yield mine
    elsewhere = newest.exclude(batch__project=project)
    if user:
        yield elsewhere.filter(batch__created_by=user)
    yield elsewhere


def _history(rows: list[_Measured], shape: str, project: UUID, user: int | None) -> History | None:
    mine = [row for row in rows if row.project == project]
    elsewhere = [row for row in rows if row.project != project]
    alike = {
        Kin.SHAPE: [row for row in mine if shape and row.shape == shape],
        Kin.PROJECT: mine,
        Kin.PERSON: [row for row in elsewhere if row.person == user],
        Kin.PORTAL: elsewhere if _is_anonymous(elsewhere) else [],
    }
    for kin, found in alike.items():
        newest = sorted(found, key=lambda row: -row.pk)[:RUNS_LEARNT_FROM]
        if newest:
            return calibration.learn(kin, [Run(row.answers, row.output_tokens) for row in newest])
    return None


def _is_anonymous(rows: list[_Measured]) -> bool:
    projects = {row.project for row in rows}
    return len(rows) >= calibration.PORTAL_BATCHES and len(projects) >= calibration.PORTAL_PROJECTS


class Charge(models.Model):
    """One model of one batch: the prices it was shown, frozen, the estimate and the settlement.

    Prices are USD per million tokens and empty where the price table had none. Costs stay empty
    where there was no price: unknown is not free. The estimate is kept as it was shown.
    """

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="charges")
    model = models.CharField(max_length=200)
    requests = models.PositiveIntegerField()
    input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    realtime_input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    realtime_output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    price_row = models.PositiveBigIntegerField(
        null=True, help_text="Which row of the price table it was. A record: it may be gone."
    )
    price_since = models.DateTimeField(null=True)
    realtime_price_row = models.PositiveBigIntegerField(null=True)
    realtime_price_since = models.DateTimeField(null=True)

    fallback_input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    fallback_output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    fallback_price_row = models.PositiveBigIntegerField(null=True)
    fallback_price_since = models.DateTimeField(null=True)

    shape = models.CharField(
        max_length=16, blank=True, help_text="What most of its requests have in common."
    )
    basis = models.CharField(
        max_length=200, blank=True, help_text="What the output was estimated by, in words."
    )
    unbounded_requests = models.PositiveIntegerField(
        null=True, help_text="That set no max_tokens; nothing bounds their cost."
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
        default=0, help_text="Answers whose tokens the provider did not say: the cost is a floor."
    )
    cost_usd = MoneyField(null=True)
    realtime_cost_usd = MoneyField(null=True, help_text="The same tokens at the realtime price.")

    measured_at = models.DateTimeField(
        null=True, help_text="When it ended, if later estimates may learn from it."
    )

    objects = ChargeQuerySet.as_manager()

    class Meta:
        ordering = ["batch", "model"]
        constraints = [models.UniqueConstraint("batch", "model", name="one_charge_per_model")]
        indexes = [
            models.Index(fields=["model", "-measured_at"], name="charge_to_learn_from"),
            models.Index(fields=["model", "shape", "-measured_at"], name="charge_of_one_shape"),
        ]

    def __str__(self) -> str:
        return f"{self.batch}: {self.model}"

    @property
    def unit_price(self) -> UnitPrice | None:
        return _unit_price(self.input_price, self.output_price)

    @property
    def fallback_price(self) -> UnitPrice | None:
        """Of the batch's fall-back window, as frozen with the order."""
        return _unit_price(self.fallback_input_price, self.fallback_output_price)

    @property
    def realtime_price(self) -> UnitPrice | None:
        return _unit_price(self.realtime_input_price, self.realtime_output_price)


def _unit_price(input_price: Decimal | None, output_price: Decimal | None) -> UnitPrice | None:
    if input_price is None or output_price is None:
        return None
    return UnitPrice(input=input_price, output=output_price)
