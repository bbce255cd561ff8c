"""The operators' page on how close estimates were to costs."""

from datetime import datetime, time

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.access import can_operate
from batchapp.http import Request
from batchapp.presenters.charts import accuracy_chart
from batchapp.services.reports import estimate_accuracy

PAGE_SIZE = 50


@require_safe
def estimate_accuracy_show(request: Request) -> HttpResponse:
    if not can_operate(request.user):
        raise PermissionDenied(
            "This is for operators. What your batches were estimated at, and cost, is on their "
            "own pages."
        )
    today = timezone.localdate()
    first = next(estimate_accuracy.recent_months(today))
    since = timezone.make_aware(datetime.combine(first, time.min))
    model_costs = estimate_accuracy.comparable_model_costs(request.user, since)
    lines = estimate_accuracy.by_project_and_model(model_costs)
    context = {
        "first": first,
        "total": estimate_accuracy.overall(lines),
        "page": Paginator(lines, PAGE_SIZE).get_page(request.GET.get("page")),
        "chart": accuracy_chart(estimate_accuracy.by_month(model_costs, today)) if lines else None,
        "nav": "report",
    }
    return render(request, "batchapp/reports/estimate_accuracy.html", context)
