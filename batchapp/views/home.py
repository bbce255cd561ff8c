"""The home page."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, prefetch_related_objects
from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderBatch
from batchapp.pipeline.states import ATTENTION
from batchapp.presenters.batches.batch_summary import Summary, summarise
from batchapp.presenters.charts.spending import spending_sparkline
from batchapp.presenters.first_steps import first_steps, sandbox_url
from batchapp.presenters.guide import articles
from batchapp.presenters.home_text import home_headline
from batchapp.presenters.spending_change import change_since_month_before
from batchapp.services.reports import cost_report
from batchapp.views.batches.batch_controls import can_try_again, may_spend
from batchapp.views.permissions import can_write

MAX_OPEN_BATCHES = 50
MAX_FINISHED_BATCHES = 8
SPARKLINE_DAYS = 30


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A batch that waits for a person; ``may_try_again`` if this person can make it go on."""

    summary: Summary
    may_try_again: bool


@require_safe
def home(request: Request) -> HttpResponse:
    """Show the batches that wait for a person, run, or ended lately, and the first steps."""
    batches = Batch.objects.visible_to(request.user).select_related(
        "project", "connection", "created_by", "key"
    )
    stuck = ProviderBatch.objects.needing_attention().filter(batch=OuterRef("pk"))
    open_batches = batches.exclude(status__in=Batch.OVER).order_by(
        Exists(stuck).desc(), "-created_at"
    )
    unfinished = list(open_batches[:MAX_OPEN_BATCHES])
    recent = list(
        batches.filter(status__in=Batch.OVER).order_by("-finished_at")[:MAX_FINISHED_BATCHES]
    )
    prefetch_related_objects([*unfinished, *recent], "provider_batches", "model_costs")
    summaries = [summarise(batch) for batch in unfinished]
    waiting = [
        WaitingBatch(row, _may_try_again(request, row))
        for row in summaries
        if row.status is ATTENTION
    ]
    running = [row for row in summaries if row.status is not ATTENTION]
    steps = first_steps(request.user)
    context = {
        "headline": home_headline(waiting, running, is_new=bool(steps)),
        "steps": steps,
        "sandbox_url": sandbox_url(request.user) if steps else "",
        "articles": list(articles().values()) if steps else [],
        "waiting": waiting,
        "running": running,
        "finished": [summarise(batch) for batch in recent],
        "month": _month(request) if unfinished or recent else None,
        "is_moving": any(summary.is_moving for summary in summaries),
        "nav": "home",
    }
    return render_partial(request, "batchapp/home/home.html", "live", context)


def _may_try_again(request: Request, summary: Summary) -> bool:
    batch = summary.batch
    if not can_write(request, batch.project):
        return False
    return can_try_again(summary.provider_batches, can_spend=may_spend(request, batch))


def _month(request: Request) -> dict[str, Any]:
    """Add up what the person's projects cost this month, and draw the cost of the latest days."""
    today = timezone.localdate()
    month = cost_report.Scope(today.replace(day=1), today, request.user, own_projects=True)
    latest = replace(month, first=today - timedelta(days=SPARKLINE_DAYS - 1))
    unit, days = cost_report.sum_over_time(latest)
    total = cost_report.sum_all(month.model_costs())
    return {
        "sum": total,
        "change": change_since_month_before(month, total),
        "sparkline": spending_sparkline(days, unit),
    }
