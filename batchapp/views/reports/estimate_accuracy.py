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
from batchapp.presenters import accuracy_text
from batchapp.services.reports import estimate_accuracy

PAGE_SIZE = 50


@require_safe
def estimate_accuracy_show(request: Request) -> HttpResponse:
    if not can_operate(request.user):
        raise PermissionDenied(
            "This is for operators. What your batches were estimated at, and cost, is on their "
            "own pages."
        )
    first = estimate_accuracy.first_day(timezone.localdate())
    since = timezone.make_aware(datetime.combine(first, time.min))
    model_costs = estimate_accuracy.comparable_model_costs(request.user, since)
    lines = estimate_accuracy.by_project_and_model(model_costs)
    context = {
        "first": first,
        "summary": accuracy_text.summary(lines, *estimate_accuracy.count_inside(model_costs)),
        "models": accuracy_text.rails(estimate_accuracy.by_model(lines)),
        "chart": accuracy_text.distribution(estimate_accuracy.percentages(model_costs)),
        "page": Paginator(accuracy_text.by_difference(lines), PAGE_SIZE).get_page(
            request.GET.get("page")
        ),
        "nav": "report",
    }
    return render(request, "batchapp/reports/estimate_accuracy.html", context)
