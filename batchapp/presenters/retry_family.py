"""A batch and its retries: who came of whom, what they cost and answered together."""

from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db.models import prefetch_related_objects

from batchapp.domain.results.best_attempt import ANSWERS
from batchapp.models import Batch
from batchapp.models.batches import lineage
from batchapp.presenters.batch_summary import NO_PRICE, Cost, Summary, summarise
from batchapp.services.results import merge
from batchapp.templatetags.words import count, usd


@dataclass(frozen=True, slots=True)
class Member:
    """``label`` is "Original", "Retry 1" and so on."""

    summary: Summary
    label: str
    is_here: bool


@dataclass(frozen=True, slots=True)
class Family:
    """``words`` say what this batch and its own retries answered; "" while it has none."""

    parent: Batch | None
    members: list[Member]
    cost: Cost
    words: str

    @property
    def is_moving(self) -> bool:
        return any(each.summary.is_moving for each in self.members)


def family_of(batch: Batch) -> Family | None:
    """None for a batch that is no retry and has none."""
    found = [batch if each.pk == batch.pk else each for each in lineage.family(batch)]
    if len(found) == 1:
        return None
    prefetch_related_objects(found, "provider_batches", "model_costs")
    labels = labels_of(found)
    members = [Member(summarise(each), labels[each.pk], each.pk == batch.pk) for each in found]
    return Family(
        parent=next(iter(lineage.ancestors(batch, found)), None),
        members=members,
        cost=cost_of(found),
        words=_words(batch, len(lineage.descendants(batch, found))),
    )


def labels_of(family: list[Batch]) -> dict[UUID, str]:
    """Batch -> what it is called among its family, the oldest of which comes first."""
    return {
        each.pk: f"Retry {number}" if number else "Original" for number, each in enumerate(family)
    }


def retries_of(batch: Batch) -> dict[UUID, str]:
    """Its retries, and theirs -> what they are called within a sentence."""
    family = lineage.family(batch)
    labels = labels_of(family)
    return {each.pk: labels[each.pk].lower() for each in lineage.descendants(batch, family)}


def cost_of(family: list[Batch]) -> Cost:
    """What all of them cost; ~ while part of it is estimated, ≥ while part of it is unknown."""
    known: list[Decimal] = []
    is_partial = False
    for batch in family:
        for model_cost in batch.model_costs.all():
            cost = model_cost.cost_usd if batch.is_over else model_cost.estimated_cost_usd
            is_partial = is_partial or cost is None
            is_partial = is_partial or (batch.is_over and model_cost.answers_without_usage > 0)
            known += [] if cost is None else [cost]
    is_actual = all(batch.is_over for batch in family)
    if not known:
        return Cost(NO_PRICE, is_actual=is_actual, is_partial=True)
    marks = f"{'≥ ' if is_partial else ''}{'' if is_actual else '~'}"
    return Cost(
        f"{marks}{usd(sum(known, Decimal(0)))}", is_actual=is_actual, is_partial=is_partial
    )


def _words(batch: Batch, retries: int) -> str:
    if not retries:
        return ""
    own = batch.succeeded
    if not batch.is_over:
        own = batch.results.filter(outcome__in=ANSWERS).count()
    answered = own + merge.recovered(batch)
    with_them = f"its {count(retries, 'retry,retries')}" if retries > 1 else "its retry"
    return f"{answered:,} of {batch.requests:,} answered with {with_them}."
