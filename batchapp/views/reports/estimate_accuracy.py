"""How good the estimates were, for those who answer for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.http import Request
from batchapp.presenters.charts import GAP, HEIGHT, SHORTEST, WIDTH
from batchapp.services.reports import estimate_accuracy
from batchapp.services.reports.estimate_accuracy import Line
from batchapp.templatetags.words import count

PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class Bar:
    """One month. Numbers are in units of the drawing, ``y`` from above."""

    name: str
    text: str
    slot_x: str
    slot_width: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Chart:
    bars: list[Bar]
    label: str
    width: int = WIDTH
    height: int = HEIGHT


@require_safe
def estimate_accuracy_detail(request: Request) -> HttpResponse:
    """Estimates against costs by project and model, and month by month."""
    if not request.user.is_staff:
        raise PermissionDenied(
            "This is for operators. What your batches were estimated at, and cost, is on their "
            "own pages."
        )
    today = timezone.localdate()
    first = next(estimate_accuracy.months(today))
    since = timezone.make_aware(datetime.combine(first, time.min))
    model_costs = estimate_accuracy.comparable(since)
    lines = estimate_accuracy.by_project_and_model(model_costs)
    context = {
        "first": first,
        "total": estimate_accuracy.overall(lines),
        "page": Paginator(lines, PAGE_SIZE).get_page(request.GET.get("page")),
        "chart": _chart(estimate_accuracy.by_month(model_costs, today)) if lines else None,
        "nav": "report",
    }
    return render(request, "batchapp/reports/estimate_accuracy.html", context)


def _chart(months: Sequence[tuple[date, Line]]) -> Chart:
    """A bar for every month, the one furthest off as high as the drawing."""
    worst = max((line.error or 0 for _, line in months), default=0)
    first, last = months[0][0], months[-1][0]
    return Chart(
        bars=[_bar(*each, number, len(months), worst) for number, each in enumerate(months)],
        label=f"How far estimates were off per month, {first:%B %Y} to {last:%B %Y}: "
        f"{worst} % at most.",
    )


def _bar(month: date, line: Line, number: int, bars: int, highest: int) -> Bar:
    slot = Decimal(WIDTH) / bars
    height = Decimal(HEIGHT) * (line.error or 0) / highest if highest else Decimal(0)
    if line.error:
        height = max(height, SHORTEST)
    batches = count(line.batches, "estimate")
    return Bar(
        name=f"{month:%B %Y}",
        text="nothing finished" if line.error is None else f"{line.error} % off, {batches}",
        slot_x=f"{number * slot:.2f}",
        slot_width=f"{slot:.2f}",
        x=f"{(number + GAP / 2) * slot:.2f}",
        y=f"{HEIGHT - height:.2f}",
        width=f"{slot * (1 - GAP):.2f}",
        height=f"{height:.2f}",
    )
