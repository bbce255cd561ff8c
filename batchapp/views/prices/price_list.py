"""The price table, for staff: looked at, tried, handed out as CSV."""

import csv
from collections.abc import Iterator
from datetime import datetime

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.forms.prices.prices import FilterForm, TryForm
from batchapp.http import Request
from batchapp.models import Connection, Price
from batchapp.models.providers.price import PriceQuerySet
from batchapp.services.prices import price_calendar, price_lists, unpriced_models

PAGE_SIZE = 30
TOLD = 5
"""Changes to come that the page itself names; its filter has the rest."""

ORDERS = {
    "model": ["model", "window"],
    "window": ["window", "model"],
    "input": ["input_usd", "model", "window"],
    "output": ["output_usd", "model", "window"],
    "since": ["effective_from", "model", "window"],
}


def require_staff(request: Request) -> None:
    if not request.user.is_staff:
        raise PermissionDenied(
            "The price table is for operators. What a file would cost is on its own page."
        )


@require_safe
def price_list(request: Request) -> HttpResponse:
    """Every price, those in force first; what changes soon; and which one a model would get."""
    require_staff(request)
    now = timezone.now()
    connections = list(Connection.objects.all())
    form = FilterForm(request.GET, connections=connections)
    sort = _sort(request)
    page = Paginator(_sorted(form.prices(now), sort, now), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    courses = price_calendar.courses(list(page))
    connection = form.cleaned_data.get("connection") if form.is_valid() else None
    of_connection = connection.prices.all() if connection else Price.objects.all()
    announced, ending = price_calendar.changes_ahead(
        of_connection.select_related("connection"), now
    )
    asked = bool(request.GET.get("try-model"))
    trial = TryForm(
        request.GET if asked else None,
        connections=connections,
        prefix="try",
        initial={"connection": connection.pk if connection else None},
    )
    context = {
        "form": form,
        "is_narrow": bool(request.GET.get("q") or request.GET.get("connection")),
        "page": page,
        "rows": [(row, row.state(now), courses[row.pk]) for row in page],
        "sort": sort,
        "announced": announced[:TOLD],
        "announced_more": len(announced) - TOLD,
        "ending": ending[:TOLD],
        "ending_more": len(ending) - TOLD,
        "trial": trial,
        "matches": _matches(trial, now) if asked and trial.is_valid() else None,
        "parameters": request.GET.urlencode(),
        "zone": timezone.get_current_timezone_name(),
        "nav": "prices",
        "section": "price_list",
    }
    return render(request, "batchapp/prices/price_list.html", context)


@require_safe
def price_list_csv(request: Request) -> HttpResponseBase:
    """The rows that the page's filters leave, as an import reads them."""
    require_staff(request)
    now = timezone.now()
    rows = (
        FilterForm(request.GET, connections=Connection.objects.all())
        .prices(now)
        .order_by("connection__name", *ORDERS["model"], "effective_from")
    )
    return StreamingHttpResponse(
        _csv(rows),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="prices-{now:%Y-%m-%d}.csv"',
            "Cache-Control": "private, no-store",
        },
    )


@require_safe
def unpriced_model_list(request: Request) -> HttpResponse:
    """Models that files and batches name, and no price covers."""
    require_staff(request)
    found = unpriced_models.recent_unpriced_models(timezone.now())
    context = {
        "page": Paginator(found, PAGE_SIZE).get_page(request.GET.get("page")),
        "days": unpriced_models.LOOKED_BACK.days,
        "nav": "prices",
        "section": "unpriced_model_list",
    }
    return render(request, "batchapp/prices/unpriced_model_list.html", context)


class _Echo:
    """A file that hands back what is written to it, so that rows leave one at a time."""

    def write(self, text: str) -> str:
        return text


def _csv(rows: PriceQuerySet) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for row in price_lists.csv_rows(rows):
        yield writer.writerow(row)


def _sort(request: Request) -> str:
    asked = request.GET.get("sort", "")
    return asked if asked.removeprefix("-") in ORDERS else "model"


def _sorted(rows: PriceQuerySet, sort: str, now: datetime) -> PriceQuerySet:
    """Prices in force first, then those announced, then those that are over."""
    rank = Case(
        When(effective_from__gt=now, then=Value(1)),
        When(effective_to__lte=now, then=Value(2)),
        default=Value(0),
        output_field=IntegerField(),
    )
    first, *others = ORDERS[sort.removeprefix("-")]
    first = f"-{first}" if sort.startswith("-") else first
    ordered = rows.annotate(rank=rank).order_by(
        "rank", first, *others, "connection", "-effective_from", "pk"
    )
    return ordered.select_related("connection")


Match = tuple[str, list[tuple[datetime, Price | None]]]


def _matches(trial: TryForm, now: datetime) -> list[Match]:
    """Window -> for each moment asked about, the row that would price the model."""
    asked = trial.cleaned_data
    connection: Connection = asked["connection"]
    moments = [now, asked["at"]] if asked["at"] else [now]
    windows = price_lists.offered(connection)
    books = [connection.prices.matched([asked["model"]], windows, at) for at in moments]
    return [
        (
            window,
            [
                (at, book[window].get(asked["model"]))
                for at, book in zip(moments, books, strict=True)
            ],
        )
        for window in windows
    ]
