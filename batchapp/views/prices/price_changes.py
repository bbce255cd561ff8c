"""One price: added, corrected, ended, withdrawn. What was paid never changes."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.forms.prices.prices import CorrectForm, EndForm, PriceForm
from batchapp.http import Request, render_partial
from batchapp.models import Price
from batchapp.services.prices import price_table
from batchapp.services.prices.price_table import NotPossible
from batchapp.views.prices.price_list import require_staff

ASKED = ["GET", "HEAD", "POST"]


@require_http_methods(ASKED)
def price_add(request: Request) -> HttpResponse:
    """A price for a model and window that has none then."""
    require_staff(request)
    known = {name: request.GET.get(name, "") for name in ("connection", "model", "window")}
    form = PriceForm(request.POST if request.method == "POST" else None, initial=known)
    if request.method == "POST" and form.is_valid():
        price = form.price()
        price.source = price.source or _by(request)
        try:
            added = price_table.add(price, form.cleaned_data["since"])
        except NotPossible as exc:
            form.add_error(None, str(exc))
        else:
            messages.success(request, f"{added} has a price.")
            return redirect(_home(added))
    return render(request, "batchapp/prices/price_add.html", {"form": form, "nav": "prices"})


@require_http_methods(ASKED)
def price_correct(request: Request) -> HttpResponse:
    """Other amounts from now or from a date on; batches keep those they were ordered at."""
    price = _price(request)
    form = CorrectForm(request.POST if request.method == "POST" else None, price=price)
    if request.method == "POST" and form.is_valid():
        try:
            new = price_table.correct(
                price,
                form.unit_price(),
                since=form.cleaned_data.get("since"),
                source=form.cleaned_data["source"] or _by(request),
            )
        except NotPossible as exc:
            form.add_error(None, str(exc))
        else:
            messages.success(request, f"{new} has another price.")
            return redirect(_home(new))
    context = _context(price) | {"form": form}
    return render_partial(request, "batchapp/prices/price_correct.html", "dialog", context)


@require_http_methods(ASKED)
def price_end(request: Request) -> HttpResponse:
    """No price of this row any more from now or from a date on."""
    price = _price(request)
    form = EndForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            ended = price_table.end(price, form.cleaned_data["until"])
        except NotPossible as exc:
            form.add_error(None, str(exc))
        else:
            messages.success(request, f"The price of {ended} ends.")
            return redirect(_home(ended))
    context = _context(price) | {"form": form, "instead": _instead(price)}
    return render_partial(request, "batchapp/prices/price_end.html", "dialog", context)


@require_http_methods(ASKED)
def price_withdraw(request: Request) -> HttpResponse:
    """Forget a price that was announced and is not in force yet."""
    price = _price(request)
    if request.method == "POST":
        try:
            price_table.withdraw(price)
            messages.success(request, f"The announced price of {price} is withdrawn.")
        except NotPossible as exc:
            messages.error(request, str(exc))
        return redirect(_home(price))
    context = _context(price) | {"before": price_table.predecessor(price)}
    return render_partial(request, "batchapp/prices/price_withdraw.html", "dialog", context)


def _price(request: Request) -> Price:
    """The row that the address names, as it was when the person saw it if the form says so."""
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
        "home": _home(price),
        "address": f"price={price.pk}",
        "nav": "prices",
    }


def _instead(price: Price) -> Price | None:
    """What would price the model without this row; None also for a pattern, that means many."""
    if price.is_pattern:
        return None
    others = price.connection.prices.exclude(pk=price.pk)
    found = others.matched([price.model], [price.window], timezone.now())
    return found[price.window].get(price.model)


def _home(price: Price) -> str:
    """The table, at what the row is about."""
    asked = {"q": price.model, "connection": price.connection_id}
    return f"{reverse('price_list')}?{urlencode(asked)}"


def _by(request: Request) -> str:
    return f"Entered by {request.user.email}"[:200]
