"""Estimated and actual cost of a batch, model by model."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, Self
from uuid import UUID

import msgspec
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from batchapp.domain.money import calibration
from batchapp.domain.money.cache_forecast import least_cached_tokens
from batchapp.domain.money.calibration import History, HistorySource, Run
from batchapp.domain.money.concurrency import CachedRun, Concurrency, learn_concurrency
from batchapp.domain.money.unit_prices import Usage, cost
from batchapp.domain.prompt_cache.prompt_facts import PromptFacts
from batchapp.domain.request_files.check_file import ModelFacts
from batchapp.models.batches.batch import Batch
from batchapp.models.batches.provider_batch import ProviderBatch
from batchapp.models.fields.money_field import MoneyField, rounded_or_unknown
from batchapp.models.fields.unit_price_field import UnitPriceField
from batchapp.models.people.project import Project
from batchapp.models.people.user import User

MAX_HISTORY_RUNS = 50  # newest runs per history source: prompts and models change over time
MAX_CACHED_RUNS = 20  # newest rows with cached prompts, whose reports are read
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
        by_model = self._read_measured(
            rows
            for model in models
            for rows in _of_project(newest.filter(model=model), facts[model], project)
        )
        # Only then: a project that has all batches of a model would have them all read in vain.
        by_model |= self._read_measured(
            rows
            for model in models
            if model not in by_model
            for rows in _elsewhere(newest.filter(model=model), project, user)
        )
        person = user.pk if user else None
        histories = {
            model: _history(by_model[model], facts[model].shape, project.pk, person)
            for model in models
            if model in by_model
        }
        return {model: history for model, history in histories.items() if history}

    def concurrency(self, models: Iterable[str], before: datetime) -> dict[str, Concurrency]:
        """Return, by model, the requests at once that the newest batches with caches show.

        One query. A batch counts if it ended before then, in one go and with an answer to each
        request.
        """
        rows = self.filter(
            model__in=models,
            measured_at__lt=before,
            cached_tokens__gt=0,
            answers=F("requests"),
            answers_without_usage=0,
            batch__reused=0,
        )
        again = ProviderBatch.objects.filter(
            Q(number__gt=1) | Q(retried_in_place_at__isnull=False), batch=OuterRef("batch")
        )
        rows = rows.exclude(Exists(again)).order_by("-measured_at", "-pk")
        prompts = F("batch__upload__report_fields__prompts")
        runs: defaultdict[str, list[CachedRun]] = defaultdict(list)
        for row in rows.annotate(prompts=prompts)[:MAX_CACHED_RUNS]:
            if run := _cached_run(row):
                runs[row.model].append(run)
        return {model: learn_concurrency(of_model) for model, of_model in runs.items()}

    def _read_measured(self, sources: Iterable[Self]) -> dict[str, list[_Measured]]:
        """Return, by model, the newest rows of each of ``sources``; one query."""
        columns = ("pk", "model", "shape", "batch__project_id", "batch__created_by_id")
        queries = [
            self.filter(pk__in=rows[:MAX_HISTORY_RUNS].values("pk"))
            .order_by()
            .values_list(*columns, F("answers") - F("answers_without_usage"), "output_tokens")
            for rows in sources
        ]
        by_model: defaultdict[str, list[_Measured]] = defaultdict(list)
        if queries:
            for row in queries[0].union(*queries[1:]).order_by():
                by_model[row[1]].append(_Measured(*row))
        return dict(by_model)


def _cached_run(row: Any) -> CachedRun | None:
    """Return the run of a row with the stored ``prompts`` of its file; None without its price."""
    stored = row.prompts.get(row.model) if isinstance(row.prompts, dict) else None
    if stored is None or row.unit_price is None:
        return None
    prompts = msgspec.convert(stored, PromptFacts)
    return CachedRun(prompts, row.usage, least_cached_tokens(row.unit_price))


def _of_project(
    newest: ModelCostQuerySet, facts: ModelFacts, project: Project
) -> Iterator[ModelCostQuerySet]:
    """Return one query per source of history in ``project``, all for one model."""
    own = newest.filter(batch__project=project)
    if facts.shape:
        yield own.filter(shape=facts.shape)
    yield own


def _elsewhere(
    newest: ModelCostQuerySet, project: Project, user: User | None
) -> Iterator[ModelCostQuerySet]:
    """Return one query per source of history in other projects, all for one model."""
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

    A price is null if the price table had none. A cost without a price is null, because unknown is
    not free. The estimate stays as the order page showed it.
    """

    batch = models.ForeignKey(Batch, models.CASCADE, related_name="model_costs", db_index=False)
    model = models.CharField(max_length=200)
    requests = models.PositiveIntegerField()
    unit_price = UnitPriceField(null=True)
    realtime_price = UnitPriceField(null=True)
    fallback_price = UnitPriceField(null=True, help_text="The price in the fallback window.")

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
    cached_tokens = models.PositiveBigIntegerField(
        default=0, help_text="Those of the input that were read from the provider's cache."
    )
    written_5m_tokens = models.PositiveBigIntegerField(
        default=0, help_text="Those of the input that were written to the cache for 5 minutes."
    )
    written_1h_tokens = models.PositiveBigIntegerField(default=0)
    written_24h_tokens = models.PositiveBigIntegerField(default=0)
    answers = models.PositiveIntegerField(default=0)
    answers_without_usage = models.PositiveIntegerField(
        default=0, help_text="Answers without a possible token count: the cost is higher."
    )
    cut_short = models.PositiveIntegerField(
        default=0, help_text="Answers that ended at their limit."
    )
    cut_short_usd = MoneyField(null=True, help_text="The part of the cost that these are.")
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
            models.Index(
                # The figures of reports, so that the sum over thousands of batches reads no rows.
                fields=[
                    *("batch", "cost_usd", "realtime_cost_usd"),
                    *("requests", "input_tokens", "output_tokens"),
                ],
                name="cost_sums",
            ),
            models.Index(fields=["model", "shape", "-measured_at"], name="cost_history_by_shape"),
        ]

    def __str__(self) -> str:
        return f"{self.batch}: {self.model}"

    @property
    def usage(self) -> Usage:
        """Return the tokens of all answers whose token count is known."""
        return Usage(
            self.answers,
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            self.written_5m_tokens,
            self.written_1h_tokens,
            self.written_24h_tokens,
        )

    @property
    def written_tokens(self) -> int:
        """Return the tokens that were written to the provider's cache, for any lifetime."""
        return self.written_5m_tokens + self.written_1h_tokens + self.written_24h_tokens

    @property
    def list_cost_usd(self) -> Decimal | None:
        """Return what the tokens would cost if none were cached; None if this is unknown."""
        usage = Usage(self.answers, self.input_tokens, self.output_tokens)
        return rounded_or_unknown(cost(usage, self.unit_price)) if self.unit_price else None
