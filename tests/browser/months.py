"""A closed month, one that is over and not closed, and the one that runs, with an adjustment."""

from datetime import date, timedelta
from decimal import Decimal

from django.db.models import F
from django.utils import timezone

from batchapp.models import (
    Batch,
    ModelCost,
    MonthClosing,
    Reservation,
    StatementLine,
    StatementRecipient,
)
from batchapp.pipeline.runner import run_step
from batchapp.pipeline.states import step_of
from batchapp.services.statements import calendar, closing, recipients


def seed(batch: Batch) -> dict[str, str]:
    """Close the months before the last one; return the months as they stand in addresses."""
    MonthClosing.objects.all().delete()  # it began with a batch of today, before the history was
    closing.begin(batch)
    this_month = calendar.this_month()
    last = _month_before(this_month)
    ModelCost.objects.filter(batch__finished_at__lt=calendar.ends_at(_month_before(last))).update(
        cost_usd=F("cost_usd") + Decimal("0.00123457")
    )
    Batch.objects.filter(name__contains="Survey").update(cost_centre="4711 Market research")
    Batch.objects.filter(name__contains="Product").update(cost_centre="0815 Translation")
    # The history has few batches that are old enough.
    closed = Batch.objects.filter(project__slug="support", **calendar.finished_in(last))
    closed.update(finished_at=F("finished_at") - timedelta(days=31))
    while (row := MonthClosing.objects.open().get()).month < last:
        step = step_of(row)
        assert step
        run_step(row, step)
    _adjust()
    return {
        "closed_month": f"{_month_before(last):%Y-%m}",
        "over_month": f"{last:%Y-%m}",
        "this_month": f"{this_month:%Y-%m}",
        **_recipients(batch, _month_before(last)),
    }


def _month_before(month: date) -> date:
    return (month - timedelta(days=1)).replace(day=1)


def _recipients(batch: Batch, mailed: date) -> dict[str, str]:
    """Add addresses to which statements are mailed; return what their links end with."""
    fields = {"added_by": batch.created_by, "added_by_name": str(batch.created_by)}
    asked, confirmed, _ = (
        StatementRecipient.objects.create(
            project=batch.project, email=email, status=status, mailed_until=mailed, **fields
        )
        for email, status in (
            ("accounts@example.com", StatementRecipient.Status.ASKED),
            ("controlling@example.com", StatementRecipient.Status.CONFIRMED),
            (f"{'long.name.' * 6}@example.com", StatementRecipient.Status.STOPPED),
        )
    )
    StatementRecipient.objects.create(
        cost_centre="4711 Market research", email="research@example.com", **fields
    )
    return {
        "mail_confirm": recipients.confirm_token(asked),
        "mail_stop": recipients.stop_token(confirmed),
    }


def _adjust() -> None:
    """Let two batches of a closed month have ended once more today, with other costs."""
    for line, usd in zip(StatementLine.objects.order_by("pk")[:2], ("0.5", "-0.25"), strict=False):
        costs = ModelCost.objects.filter(batch=line.batch_id, model=line.model)
        costs.update(cost_usd=F("cost_usd") + Decimal(usd))
        Batch.objects.filter(pk=line.batch_id).update(finished_at=timezone.now())
        Reservation.objects.settle(Batch.objects.get(pk=line.batch_id), costs)
