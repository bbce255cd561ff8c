"""What a file would cost with the other models that the team has used."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F, Q

from batchapp.domain.money.calibration import HistorySource, Run, learn_history
from batchapp.domain.money.concurrency import Concurrency
from batchapp.domain.money.estimate import estimate
from batchapp.domain.request_files.check_file import ModelFacts, Report
from batchapp.models import Batch, ModelCost, Project
from batchapp.models.people.user import AnyUser

MAX_RUNS = 200  # the newest, of all other models together
MAX_MODELS = 3  # that are told, those with the most runs


@dataclass(frozen=True, slots=True)
class OtherModel:
    """The cost of the whole file with ``model``, by the answers of its past ``runs``."""

    model: str
    runs: int
    cost_usd: Decimal


def other_models(
    report: Report,
    project: Project,
    user: AnyUser,
    window: str,
    at: datetime,
    *,
    sends_first: bool = False,
) -> list[OtherModel]:
    """Return what the file would cost in ``window``, by batches that ``user`` may see.

    Batches with the same instructions count; without any, those of ``project`` with other prompts,
    unless the requests say how long their answers are. A file for several models, or for
    embeddings, has no such costs, and neither has a model without a price. Markers of cached
    prompts count for a model with prices of cached tokens; ``sends_first`` is as in an order.
    """
    if len(report.models) != 1:
        return []
    [(own, facts)] = report.models.items()
    if facts.embeddings:
        return []
    runs = _runs(own, facts, project, user, at)
    rows = project.connection.prices.match_models(runs, [window], at)[window] if runs else {}
    most = sorted(rows, key=lambda model: (-len(runs[model]), model))[:MAX_MODELS]
    prices = {model: rows[model].unit_price.at(at) for model in most}
    histories = {
        model: history
        for model in most
        if (history := learn_history(HistorySource.SHAPE, runs[model]))
    }
    cached = [model for model in most if prices[model].has_cache_prices]
    prompts = report.prompts.get(own)
    if not prompts or not prompts.marked or not cached:
        prompts, concurrency = None, dict[str, Concurrency]()
    else:
        costs = ModelCost.objects.filter(
            batch__project=project, batch__connection=project.connection
        )
        concurrency = costs.concurrency(cached, at)
    quote = estimate(
        dict.fromkeys(most, facts),
        prices,
        window,
        histories,
        prompts=dict.fromkeys(cached, prompts) if prompts else None,
        concurrency=concurrency,
    )
    amounts = {
        line.model: line.sent_first_usd if sends_first and line.sent_first else line.expected_usd
        for line in quote.models
    }
    return [
        OtherModel(model, len(runs[model]), amount)
        for model, amount in amounts.items()
        if amount is not None
    ]


def _runs(
    own: str, facts: ModelFacts, project: Project, user: AnyUser, at: datetime
) -> Mapping[str, list[Run]]:
    """Return the runs of each other model, those with the same instructions if it has any."""
    is_similar = Q(shape=facts.shape) if facts.shape else Q(pk__in=[])
    if not facts.says_length:
        is_similar |= Q(batch__project=project)
    rows = (
        ModelCost.objects.measured(before=at, is_sandbox=project.connection.is_sandbox)
        .filter(
            is_similar,
            batch__in=Batch.objects.visible_to(user),
            batch__connection=project.connection,
            output_tokens__gt=0,
        )
        .exclude(model=own)
        .order_by("-measured_at", "-pk")
        .values_list("model", "shape", F("answers") - F("answers_without_usage"), "output_tokens")
    )
    same: defaultdict[str, list[Run]] = defaultdict(list)
    others: defaultdict[str, list[Run]] = defaultdict(list)
    for model, shape, answers, output_tokens in rows[:MAX_RUNS]:
        runs = same if facts.shape and shape == facts.shape else others
        runs[model].append(Run(answers, output_tokens))
    return {**others, **same}
