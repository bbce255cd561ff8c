"""The page on how close estimates were to costs."""

from datetime import datetime, time

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.http import Request
from batchapp.presenters import accuracy_text
from batchapp.services.reports import estimate_accuracy
from batchapp.views.portal_time import in_portal_time
from batchapp.views.reports.report_page import require_costs

PAGE_SIZE = 50


@in_portal_time
@require_safe
def estimate_accuracy_show(request: Request) -> HttpResponse:
    """Compare estimates with costs, of the projects that the person may read the costs of."""
    require_costs(request)
    first = estimate_accuracy.first_day(timezone.localdate())
    since = timezone.make_aware(datetime.combine(first, time.min))
    model_costs = estimate_accuracy.comparable_model_costs(request.user, since)
    lines = estimate_accuracy.by_project_and_model(model_costs)
    inside = estimate_accuracy.count_inside(model_costs, lines)
    context = {
        "first": first,
        "summary": accuracy_text.summary(lines, *inside),
        "models": accuracy_text.rails(estimate_accuracy.by_model(lines)),
        "chart": accuracy_text.distribution(estimate_accuracy.percentages(model_costs)),
        "page": Paginator(accuracy_text.by_difference(lines), PAGE_SIZE).get_page(
            request.GET.get("page")
        ),
        "report_tab": "accuracy",
        "nav": "report",
    }
    return render(request, "batchapp/reports/estimate_accuracy.html", context)
