"""The price table, for staff: listed, tried for a model, and downloaded as CSV."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Case, IntegerField, Value, When
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from batchapp.access import can_administer
from batchapp.forms.prices.prices import FilterForm, TryForm
from batchapp.http import Request, download_csv
from batchapp.models import Connection, Price
from batchapp.models.providers.price import PriceQuerySet
from batchapp.presenters.price_matrix import price_matrix
from batchapp.services.prices import price_calendar, price_lists, unpriced_models
from batchapp.views.portal_time import in_portal_time

PAGE_SIZE = 30
MAX_CHANGES_SHOWN = 5  # changes to come that the page names; its filter finds the others

ORDERS = {
    "model": ["model", "window"],
    "window": ["window", "model"],
    "input": ["input_usd", "model", "window"],
    "output": ["output_usd", "model", "window"],
    "since": ["effective_from", "model", "window"],
}


def require_staff(request: Request) -> None:
    if not can_administer(request.user):
        raise PermissionDenied(
            "The price table is for administrators. What a file would cost is on its own page."
        )


@in_portal_time
@require_safe
def price_list(request: Request) -> HttpResponse:
    """List prices in force first, the changes to come, and the price that a model would get."""
    require_staff(request)
    now = timezone.now()
    connections = list(Connection.objects.all())
    form = FilterForm(request.GET, connections=connections)
    connection = form.cleaned_data.get("connection") if form.is_valid() else None
    if form.is_valid() and form.cleaned_data["show"]:
        shown = _history(request, form, now)
    else:
        shown = _in_force(request, form, connections, now)
    of_connection = connection.prices.all() if connection else Price.objects.all()
    announced, ending = price_calendar.changes_ahead(
        of_connection.select_related("connection"), now
    )
    is_trial = bool(request.GET.get("try-model"))
    trial = TryForm(
        request.GET if is_trial else None,
        connections=connections,
        prefix="try",
        initial={"connection": connection.pk if connection else None},
    )
    context = {
        "form": form,
        "is_narrow": bool(request.GET.get("q") or request.GET.get("connection")),
        "announced": announced[:MAX_CHANGES_SHOWN],
        "announced_total": len(announced),
        "ending": ending[:MAX_CHANGES_SHOWN],
        "ending_total": len(ending),
        "trial": trial,
        "matches": _matches(trial, now) if is_trial and trial.is_valid() else None,
        "parameters": request.GET.urlencode(),
        "zone": timezone.get_current_timezone_name(),
        "nav": "prices",
        "section": "price_list",
    } | shown
    return render(request, "batchapp/prices/price_list.html", context)


def _in_force(
    request: Request, form: FilterForm, connections: Sequence[Connection], now: datetime
) -> dict[str, Any]:
    """Return a page of models with their prices at one connection.

    The connection is the chosen one, else the first with a match, real ones before sandboxes.
    """
    prices = form.prices(now).in_force(now)
    priced = set(prices.order_by().values_list("connection", flat=True).distinct())
    matching = [row for row in connections if row.pk in priced]
    if not matching:
        return {"matrix": []}
    connection = min(matching, key=lambda row: (row.is_sandbox, row.name))
    rows = price_matrix(
        prices.filter(connection=connection).select_related("connection"),
        price_lists.offered_windows(connection),
    )
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    windows = [window for window, _ in rows[0].cells]
    return {
        "matrix": list(page),
        "page": page,
        "windows": windows,
        "connection": connection,
        "matching": len(matching),
    }


def _history(request: Request, form: FilterForm, now: datetime) -> dict[str, Any]:
    """Return prices one by one, with when each is valid and what follows."""
    sort = _sort(request)
    page = Paginator(_sorted(form.prices(now), sort, now), PAGE_SIZE).get_page(
        request.GET.get("page")
    )
    courses = price_calendar.find_successions(list(page))
    rows = [(row, row.state(now), courses[row.pk]) for row in page]
    return {"page": page, "rows": rows, "sort": sort}


@in_portal_time
@require_safe
def price_list_csv(request: Request) -> HttpResponseBase:
    """Download the filtered prices in the form that an import reads."""
    require_staff(request)
    now = timezone.now()
    rows = (
        FilterForm(request.GET, connections=Connection.objects.all())
        .prices(now)
        .order_by("connection__name", *ORDERS["model"], "effective_from")
    )
    return download_csv(price_lists.csv_rows(rows), f"prices-{now:%Y-%m-%d}.csv")


@in_portal_time
@require_safe
def unpriced_model_list(request: Request) -> HttpResponse:
    """List the models that files and batches name and no price covers."""
    require_staff(request)
    models = unpriced_models.recent_unpriced_models(timezone.now())
    context = {
        "page": Paginator(models, PAGE_SIZE).get_page(request.GET.get("page")),
        "days": unpriced_models.LOOKBACK.days,
        "nav": "prices",
        "section": "unpriced_model_list",
    }
    return render(request, "batchapp/prices/unpriced_model_list.html", context)


def _sort(request: Request) -> str:
    sort = request.GET.get("sort", "")
    return sort if sort.removeprefix("-") in ORDERS else "model"


def _sorted(rows: PriceQuerySet, sort: str, now: datetime) -> PriceQuerySet:
    """Sort prices in force first, then announced prices, then ended prices."""
    rank = Case(
        When(effective_from__gt=now, then=Value(1)),
        When(effective_to__lte=now, then=Value(2)),
        default=Value(0),
        output_field=IntegerField(),
    )
    first, *more = ORDERS[sort.removeprefix("-")]
    first = f"-{first}" if sort.startswith("-") else first
    ordered = rows.annotate(rank=rank).order_by(
        "rank", first, *more, "connection", "-effective_from", "pk"
    )
    return ordered.select_related("connection")


Match = tuple[str, list[tuple[datetime, Price | None]]]


def _matches(trial: TryForm, now: datetime) -> list[Match]:
    """Return for each window the price of the model now and at the moment of the form."""
    cleaned = trial.cleaned_data
    connection: Connection = cleaned["connection"]
    moments = [now, cleaned["at"]] if cleaned["at"] else [now]
    windows = price_lists.offered_windows(connection)
    tables = [connection.prices.match_models([cleaned["model"]], windows, at) for at in moments]
    return [
        (
            window,
            [
                (at, table[window].get(cleaned["model"]))
                for at, table in zip(moments, tables, strict=True)
            ],
        )
        for window in windows
    ]
