"""The page on failures, lateness, waste and times of finished batches."""

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from batchapp.http import Request
from batchapp.presenters import reliability_text
from batchapp.services.reports import completion_times, reliability
from batchapp.services.reports.cost_report import portal_today
from batchapp.views.portal_time import in_portal_time
from batchapp.views.reports import addresses, report_page


@in_portal_time
@require_safe
def reliability_show(request: Request) -> HttpResponse:
    """Show by model how many requests failed, how many batches were late, and what was wasted."""
    report_page.require_costs(request)
    form = report_page.report_form(request)
    scope = form.scope(portal_today(), request.user)

    def link(model: str, only: str) -> str:
        changes = {"model": model or scope.model, "only": only, "by": "project" if model else ""}
        return reverse("cost_report") + addresses.address(request, **changes)

    lines = reliability.by_model(scope)
    times = completion_times.completion_times(scope)
    context = report_page.head(request, form, scope) | {
        "report_tab": "reliability",
        "lines": reliability_text.rows(lines, link),
        "windows": [reliability_text.times_sentence(time) for time in times if not time.model],
        "times": reliability_text.times([time for time in times if time.model]),
    }
    if lines:
        total = reliability.overall(scope, lines)
        context |= {
            "total": reliability_text.total_row(total, link),
            "stats": reliability_text.stats(total),
        }
    return render(request, "batchapp/reports/reliability.html", context)
