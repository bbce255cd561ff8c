"""Find the costs that no statement has yet, or has differently, and draft lines of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from batchapp.domain.money.statement_changes import COUNTS, Figures, add_up, new_lines
from batchapp.models import ModelCost, Project, StatementLine
from batchapp.services.statements import calendar

BLOCK = 500  # costs that are read and compared at once

_COST_COLUMNS = ("batch", "model", "unit_price", "cost_usd", *COUNTS)
_BATCH_COLUMNS = (
    *("batch__name", "batch__cost_centre", "batch__finished_at", "batch__window"),
    *("batch__created_by__email", "batch__project__name"),
)

Key = tuple[UUID, str]  # a batch and a model


def paid_costs() -> QuerySet[ModelCost]:
    """Return the costs of finished batches; those of a sandbox were not paid."""
    return ModelCost.objects.filter(
        batch__finished_at__isnull=False, batch__connection__is_sandbox=False
    )


def stated() -> Exists:
    """Match the costs of which a statement has a line."""
    return Exists(StatementLine.objects.filter(batch=OuterRef("batch"), model=OuterRef("model")))


def unstated_costs(project: Project, before: datetime) -> QuerySet[ModelCost]:
    """Return the costs of batches that finished before then and may need a line, oldest first.

    These are the costs without a line, those that differ from their lines, and those of batches
    that finished once more since their last line.
    """
    lines = StatementLine.objects.filter(batch=OuterRef("batch"), model=OuterRef("model"))
    newest = lines.order_by("-pk")
    rows = paid_costs().filter(batch__project=project, batch__finished_at__lt=before)
    return (
        rows.annotate(
            stated_at=Subquery(newest.values("finished_at")[:1]),
            stated_usd=Subquery(newest.values("total_usd")[:1]),
        )
        .filter(Q(stated_at=None) | _differs("stated_at", "batch__finished_at") | _COST_DIFFERS)
        .order_by("batch__finished_at", "batch_id", "pk")
    )


def _differs(name: str, other: str) -> Q:
    return Q(**{f"{name}__lt": F(other)}) | Q(**{f"{name}__gt": F(other)})


_COST_DIFFERS = (
    _differs("stated_usd", "cost_usd")
    | Q(stated_usd=None, cost_usd__isnull=False)
    | Q(stated_usd__isnull=False, cost_usd=None)
)


def in_blocks(costs: QuerySet[ModelCost]) -> Iterator[list[ModelCost]]:
    """Yield the rows of ``unstated_costs`` in blocks, so that lines can be written in between.

    A batch that finishes meanwhile is in a later block, or in none.
    """
    costs = with_batches(costs)
    after: Q = Q()
    while block := list(costs.filter(after)[:BLOCK]):
        yield block
        last = block[-1]
        finished_at = last.batch.finished_at
        same_time = Q(batch__finished_at=finished_at)
        same_batch = same_time & Q(batch_id=last.batch_id, pk__gt=last.pk)
        after = Q(batch__finished_at__gt=finished_at)
        after |= (same_time & Q(batch_id__gt=last.batch_id)) | same_batch


def with_batches(costs: QuerySet[ModelCost]) -> QuerySet[ModelCost]:
    """Read of each cost and its batch only what ``draft_lines`` copies, and the project's name.

    To make objects of all columns takes most of the time of a CSV of thousands of lines.
    """
    rows = costs.select_related("batch__created_by", "batch__project")
    return rows.only(*_COST_COLUMNS, *_BATCH_COLUMNS).prefetch_related("batch__tags")


def draft_lines(costs: Sequence[ModelCost], month: date) -> list[StatementLine]:
    """Return the unsaved lines that a statement of ``month`` gets for ``costs``; one query.

    They have no statement and no number. There is none for a cost that statements have already.
    """
    earlier = earlier_lines(cost.batch_id for cost in costs)
    drafts: list[StatementLine] = []
    for cost in costs:
        finished_at = cost.batch.finished_at
        if finished_at is None:  # it runs again since the costs were read
            continue
        lines = earlier[cost.batch_id, cost.model]
        changes = new_lines(
            _figures(cost),
            add_up(line.figures for line in lines),
            is_of_month=calendar.month_of(finished_at) == month,
        )
        newest = lines[-1] if lines else None
        drafts += [_draft(cost, finished_at, newest, kind, figures) for kind, figures in changes]
    return drafts


def earlier_lines(batches: Iterable[UUID]) -> defaultdict[Key, list[StatementLine]]:
    """Return the lines of these batches by batch and model, the oldest first."""
    lines: defaultdict[Key, list[StatementLine]] = defaultdict(list)
    rows = StatementLine.objects.filter(batch__in=set(batches)).order_by("pk")
    for line in rows.select_related("statement"):
        lines[line.batch_id, line.model].append(line)
    return lines


def _figures(cost: ModelCost) -> Figures:
    return Figures(tuple(getattr(cost, name) for name in COUNTS), cost.cost_usd)


def _draft(
    cost: ModelCost,
    finished_at: datetime,
    earlier: StatementLine | None,
    kind: str,
    figures: Figures,
) -> StatementLine:
    batch = cost.batch
    # What is charged to a cost centre is also adjusted there, whatever the batch says by now.
    cost_centre = earlier.cost_centre if earlier else batch.cost_centre
    counts: dict[str, Any] = dict(zip(COUNTS, figures.counts, strict=True))
    return StatementLine(
        kind=kind,
        earlier=earlier,
        batch_id=batch.pk,
        batch_name=batch.name,
        person=batch.created_by.email,
        cost_centre=cost_centre,
        tags=sorted(tag.name for tag in batch.tags.all()),
        finished_at=finished_at,
        window=batch.window,
        model=cost.model,
        unit_price=cost.unit_price,
        cost_usd=figures.cost_usd,
        total_usd=cost.cost_usd,
        **counts,
    )


def known_usd(lines: Iterable[StatementLine]) -> Decimal:
    """Return the sum of the costs that are known."""
    return sum((line.cost_usd for line in lines if line.cost_usd is not None), Decimal(0))
