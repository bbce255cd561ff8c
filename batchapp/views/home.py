"""The home page."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from batchapp.http import Request, render_partial
from batchapp.models import Batch, Membership, Project, ProviderBatch
from batchapp.pipeline.states import ATTENTION
from batchapp.presenters.approval_card import ApprovalCard, approval_card
from batchapp.presenters.batches.batch_summary import Summary, summarise
from batchapp.presenters.budget_meter import Meter, meter_of
from batchapp.presenters.charts.spending import spending_sparkline
from batchapp.presenters.direct_text import direct_text
from batchapp.presenters.first_steps import first_steps, sandbox_url
from batchapp.presenters.guide import articles
from batchapp.presenters.home_text import home_headline, missed_text
from batchapp.presenters.spending_change import change_since_before
from batchapp.services.approvals import inbox
from batchapp.services.budgets import budget_use
from batchapp.services.people import sessions
from batchapp.services.people.invitations import invitations_of
from batchapp.services.reports import cost_report
from batchapp.services.reports.direct_sums import direct_sum
from batchapp.services.reports.scope import Scope
from batchapp.views.batches.batch_controls import can_try_again, may_spend
from batchapp.views.permissions import can_write, memberships_of

MAX_OPEN_BATCHES = 50
MAX_FINISHED_BATCHES = 8
MAX_APPROVALS = 5
MAX_BUDGETS = 3
SPARKLINE_DAYS = 30


@dataclass(frozen=True, slots=True)
class WaitingBatch:
    """A batch that waits for a person; ``may_try_again`` if a new try by this person may help."""

    summary: Summary
    may_try_again: bool


@dataclass(frozen=True, slots=True)
class ProjectMeter:
    """A project with the meter of its budget of this month."""

    project: Project
    meter: Meter


@require_safe
def home(request: Request) -> HttpResponse:
    """Show the batches that wait for a person, run, or ended lately, and the first steps."""
    batches = Batch.objects.visible_to(request.user).select_related(
        "project", "connection", "created_by", "key", "portal_key"
    )
    stuck = ProviderBatch.objects.needing_attention().filter(batch=OuterRef("pk"))
    open_batches = batches.unfinished().order_by(Exists(stuck).desc(), "-created_at")
    unfinished = list(open_batches[:MAX_OPEN_BATCHES])
    over = batches.filter(status__in=Batch.OVER).order_by("-finished_at")
    away = sessions.time_away(request)
    missed = over.none()
    if away:
        missed = over.filter(finished_at__gt=away[0], finished_at__lte=away[1])
    recent = list(over[:MAX_FINISHED_BATCHES])
    new = list(missed[:MAX_FINISHED_BATCHES]) if away else []
    recent = [batch for batch in recent if batch not in new]
    prefetch_related_objects(
        [*unfinished, *new, *recent], "provider_batches", "model_costs", "tags"
    )
    summaries = [summarise(batch) for batch in unfinished]
    waiting = [
        WaitingBatch(row, _may_try_again(request, row))
        for row in summaries
        if row.status is ATTENTION
    ]
    running = [row for row in summaries if row.status is not ATTENTION]
    approvals = _approvals(request)
    steps = first_steps(request.user)
    context = {
        "invitations": invitations_of(request.user),
        "headline": home_headline(waiting, running, is_new=bool(steps)),
        "steps": steps,
        "sandbox_url": sandbox_url(request.user) if steps else "",
        "articles": list(articles().values()) if steps else [],
        "approvals": approvals[:MAX_APPROVALS],
        "has_more_approvals": len(approvals) > MAX_APPROVALS,
        "waiting": waiting,
        "running": running,
        "new": [summarise(batch) for batch in new],
        "missed": missed_text(missed, away[0]) if away and new else "",
        "finished": [summarise(batch) for batch in recent],
        "budgets": (budgets := _budgets(request))[:MAX_BUDGETS],
        "has_more_budgets": len(budgets) > MAX_BUDGETS,
        "month": _month(request) if unfinished or new or recent else None,
        "is_moving": any(summary.is_moving for summary in summaries),
        "nav": "home",
    }
    return render_partial(request, "batchapp/home/home.html", "live", context)


@require_POST
def home_seen(request: Request) -> HttpResponse:
    """Count what finished while the person was away as seen."""
    sessions.forget_time_away(request)
    return redirect("home")


def _approvals(request: Request) -> list[ApprovalCard]:
    """Return the batches that wait for this person's approval, and one more than are shown."""
    if not any(row.role == Membership.Role.OWNER for row in memberships_of(request)):
        return []
    rows = inbox.waiting_for(request.user)
    rows = rows.select_related("batch__project", "batch__created_by", "decided_by")
    rows = rows.prefetch_related("batch__model_costs")
    return [approval_card(row) for row in rows[: MAX_APPROVALS + 1]]


def _budgets(request: Request) -> list[ProjectMeter]:
    """Return the meters of the budgets of all of the person's projects, the fullest first."""
    rows = [row.project for row in memberships_of(request) if not row.project.archived_at]
    limits = budget_use.month_uses(rows, request.user)
    meters = [ProjectMeter(row, meter_of(limits[row.pk])) for row in rows if row.pk in limits]
    meters.sort(key=lambda row: -row.meter.percent)
    return meters


def _may_try_again(request: Request, summary: Summary) -> bool:
    batch = summary.batch
    if not can_write(request, batch.project) or summary.refused_models:
        return False
    return can_try_again(summary.provider_batches, can_spend=may_spend(request, batch))


def _month(request: Request) -> dict[str, Any]:
    """Add up what the person's projects cost this month, and draw the cost of the latest days."""
    today = cost_report.portal_today()
    month = Scope(today.replace(day=1), today, request.user, own_projects=True)
    latest = replace(month, first=today - timedelta(days=SPARKLINE_DAYS - 1))
    unit, days = cost_report.sum_over_time(latest)
    total = cost_report.sum_all(month)
    return {
        "name": f"{today:%B}",
        "sum": total,
        "direct": direct_text(direct_sum(month)),
        "change": change_since_before(month, total, today),
        "sparkline": spending_sparkline(days, unit),
    }
