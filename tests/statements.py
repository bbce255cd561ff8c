"""Paid batches of chosen times and costs, and months that are closed as workers do it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import time_machine
from django.utils import timezone

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Batch, ModelCost, MonthClosing, Project, StatementLine
from batchapp.services.statements import closing
from tests.make import MODEL, make_batch
from tests.steps import advance

PRICE = UnitPrice(input=Decimal(1), output=Decimal(2))
STEPS = 1000  # more than any test needs


def utc(year: int, month: int, *parts: int) -> datetime:
    return datetime(year, month, *parts, tzinfo=UTC)  # type: ignore[arg-type]  # ints


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    """Let the clock stand at ``moment``."""
    with time_machine.travel(moment, tick=False):
        yield


class PaidBatches:
    """Batches of ``project`` that are over; made by copies, which takes no worker."""

    def __init__(self, project: Project, **fields: Any) -> None:
        self.first = make_batch(project, **fields)
        self.first.model_costs.all().delete()
        names = [field.attname for field in Batch._meta.concrete_fields]
        self._same = {name: getattr(self.first, name) for name in names}
        Batch.objects.filter(pk=self.first.pk).update(status=Batch.Status.CANCELLED)

    def make(
        self, finished_at: datetime, cost: object = "1", *, model: str = MODEL, **fields: Any
    ) -> ModelCost:
        """Store a batch of one model that has cost so many dollars, None for unknown."""
        new = {"id": uuid.uuid4(), "submission": uuid.uuid4(), "finished_at": finished_at}
        status = {"status": Batch.Status.COMPLETED, "next_check_at": None}
        batch = Batch(**self._same | new | status | fields)
        batch.save(force_insert=True)
        return self.add_model(batch, cost, model=model)

    def add_model(self, batch: Batch, cost: object, *, model: str = MODEL) -> ModelCost:
        return ModelCost.objects.create(
            batch=batch,
            model=model,
            requests=3,
            answers=3,
            unit_price=PRICE if cost is not None else None,
            estimated_input_tokens=0,
            estimated_output_tokens=0,
            input_tokens=100,
            output_tokens=50,
            cost_usd=money(cost),
        )


def settle_again(cost: ModelCost, finished_at: datetime, usd: object, **counts: int) -> None:
    """Let the batch of ``cost`` finish once more, as after a retry in place."""
    Batch.objects.filter(pk=cost.batch_id).update(finished_at=finished_at)
    ModelCost.objects.filter(pk=cost.pk).update(cost_usd=money(usd), **counts)


def money(amount: object) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))


def open_first_month() -> None:
    """Open the month of the oldest paid batch, as the end of a batch does."""
    closing.begin(Batch.objects.latest("created_at"))


def close_due_months() -> None:
    """Do as workers do until no month is due any more."""
    if not MonthClosing.objects.exists():
        open_first_month()
    for _ in range(STEPS):
        row = MonthClosing.objects.due(timezone.now()).order_by("month").first()
        if row is None:
            return
        advance(row)
    raise AssertionError("a month is always due")


def stated_usd(project: Project) -> Decimal:
    lines = StatementLine.objects.filter(statement__project=project)
    return sum((line.cost_usd or Decimal(0) for line in lines), Decimal(0))


def actual_usd(project: Project) -> Decimal:
    costs = ModelCost.objects.filter(batch__project=project)
    return sum((cost.cost_usd or Decimal(0) for cost in costs), Decimal(0))
