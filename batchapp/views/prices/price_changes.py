"""Add, correct, end or withdraw one price. Costs of earlier batches never change."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.domain.refused import Refused
from batchapp.forms.prices.prices import CorrectForm, EndForm, PriceForm
from batchapp.http import Request, render_partial
from batchapp.models import Price
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.prices import price_table
from batchapp.views.portal_time import in_portal_time
from batchapp.views.prices.price_list import require_staff

METHODS = ["GET", "HEAD", "POST"]


@in_portal_time
@require_http_methods(METHODS)
def price_add(request: Request) -> HttpResponse:
    """Add a price for a model and window without one at that time."""
    require_staff(request)
    initial = {name: request.GET.get(name, "") for name in ("connection", "model", "window")}
    form = PriceForm(request.POST if request.method == "POST" else None, initial=initial)
    if request.method == "POST" and form.is_valid():
        price = form.unsaved_price()
        price.source = price.source or _entered_by(request)
        try:
            added = price_table.add(price, request.user, form.cleaned_data["since"])
        except Refused as exc:
            form.add_error(None, refusal_text(exc))
        else:
            messages.success(request, f"{added} has a price.")
            return redirect(_list_url(added))
    return render(request, "batchapp/prices/price_add.html", {"form": form, "nav": "prices"})


@in_portal_time
@require_http_methods(METHODS)
def price_correct(request: Request) -> HttpResponse:
    """Change the amounts from now or from a date on; placed orders keep their amounts."""
    price = _price(request)
    form = CorrectForm(request.POST if request.method == "POST" else None, price=price)
    if request.method == "POST" and form.is_valid():
        try:
            new = price_table.correct(
                price,
                request.user,
                form.unit_price(),
                since=form.cleaned_data.get("since"),
                source=form.cleaned_data["source"] or _entered_by(request),
            )
        except Refused as exc:
            form.add_error(None, refusal_text(exc))
        else:
            messages.success(request, f"{new} has a new price.")
            return redirect(_list_url(new))
    context = _context(price) | {"form": form}
    return render_partial(request, "batchapp/prices/price_correct.html", "dialog", context)


@in_portal_time
@require_http_methods(METHODS)
def price_end(request: Request) -> HttpResponse:
    """End a price now or at a date."""
    price = _price(request)
    form = EndForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            ended = price_table.end(price, request.user, form.cleaned_data["until"])
        except Refused as exc:
            form.add_error(None, refusal_text(exc))
        else:
            messages.success(request, f"The price of {ended} ends.")
            return redirect(_list_url(ended))
    context = _context(price) | {"form": form, "replacement": _replacement(price)}
    return render_partial(request, "batchapp/prices/price_end.html", "dialog", context)


@in_portal_time
@require_http_methods(METHODS)
def price_withdraw(request: Request) -> HttpResponse:
    """Delete a price that is announced and not in force yet."""
    price = _price(request)
    if request.method == "POST":
        try:
            price_table.withdraw(price, request.user)
            messages.success(request, f"The announced price of {price} is withdrawn.")
        except Refused as exc:
            messages.error(request, refusal_text(exc))
        return redirect(_list_url(price))
    context = _context(price) | {"predecessor": price_table.predecessor(price)}
    return render_partial(request, "batchapp/prices/price_withdraw.html", "dialog", context)


def _price(request: Request) -> Price:
    """Return the price that the address names."""
    require_staff(request)
    pk = request.GET.get("price", "")
    rows = Price.objects.select_related("connection")
    price = rows.filter(pk=pk).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None
    if price is None:
        raise Http404
    return price


def _context(price: Price) -> dict[str, object]:
    return {
        "price": price,
        "state": price.state(timezone.now()),
        "batches": price_table.batches_with(price),
        "list_url": _list_url(price),
        "address": f"price={price.pk}",
        "nav": "prices",
    }


def _replacement(price: Price) -> Price | None:
    """Return the price that would replace ``price``; None for a pattern, which has many."""
    if price.is_pattern:
        return None
    others = price.connection.prices.exclude(pk=price.pk)
    prices = others.match_models([price.model], [price.window], timezone.now())
    return prices[price.window].get(price.model)


def _list_url(price: Price) -> str:
    """Return the address of the table, filtered to the model of ``price``."""
    filters = {"q": price.model, "connection": price.connection_id}
    return f"{reverse('price_list')}?{urlencode(filters)}"


def _entered_by(request: Request) -> str:
    return f"Entered by {request.user.email}"[:200]
