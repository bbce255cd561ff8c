"""The models of connections: listed, added, changed, removed, and downloaded as CSV."""

from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models.functions import Lower
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.access import can_administer
from batchapp.domain import model_card_csv
from batchapp.domain.refused import Refused
from batchapp.forms.offered_models.offered_models import CardForm, FilterForm, ModelForm
from batchapp.http import Request, download_csv, render_partial
from batchapp.models import Connection, OfferedModel
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.offered_models import model_table

PAGE_SIZE = 30
METHODS = ["GET", "HEAD", "POST"]


def require_administrator(request: Request) -> None:
    if not can_administer(request.user):
        raise PermissionDenied(
            "The models are for administrators. What a file's models cannot do is on its own page."
        )


@require_safe
def offered_model_list(request: Request) -> HttpResponse:
    """List the models of one connection.

    The connection is the chosen one, else the first with a match, real ones before sandboxes.
    """
    require_administrator(request)
    connections = list(Connection.objects.all())
    form = FilterForm(request.GET, connections=connections)
    rows = form.models()
    matching = set(rows.order_by().values_list("connection", flat=True).distinct())
    shown = [row for row in connections if row.pk in matching]
    connection = min(shown, key=lambda row: (row.is_sandbox, row.name), default=None)
    models = rows.filter(connection=connection).order_by(Lower("model"), "pk")
    context = {
        "form": form,
        "is_narrow": bool(request.GET.get("q") or request.GET.get("connection")),
        "connection": connection,
        "matching": len(shown),
        "page": Paginator(models, PAGE_SIZE).get_page(request.GET.get("page")),
        "parameters": request.GET.urlencode(),
        "nav": "prices",
        "section": "offered_model_list",
    }
    return render(request, "batchapp/offered_models/offered_model_list.html", context)


@require_safe
def offered_model_csv(request: Request) -> HttpResponseBase:
    """Download the filtered models in the form that an import reads."""
    require_administrator(request)
    rows = FilterForm(request.GET, connections=Connection.objects.all()).models()
    cards = (row.card for row in rows.order_by("connection__name", "model"))
    return download_csv(model_card_csv.rows_of(cards), f"models-{timezone.now():%Y-%m-%d}.csv")


@require_http_methods(METHODS)
def offered_model_add(request: Request) -> HttpResponse:
    """Add a model of a connection."""
    require_administrator(request)
    initial = {name: request.GET.get(name, "") for name in ("connection", "model")}
    form = ModelForm(request.POST if request.method == "POST" else None, initial=initial)
    if form.is_valid() and (row := _save(request, form, OfferedModel())):
        messages.success(request, f"{row} is in the table.")
        return redirect(list_url(row))
    context = {"form": form, "nav": "prices"}
    return render(request, "batchapp/offered_models/offered_model_add.html", context)


@require_http_methods(METHODS)
def offered_model_edit(request: Request) -> HttpResponse:
    """Change what is known of a model."""
    row = _row(request)
    form = CardForm(
        request.POST if request.method == "POST" else None, initial=CardForm.initial_of(row.card)
    )
    if form.is_valid() and _save(request, form, row):
        messages.success(request, f"{row} is changed.")
        return redirect(list_url(row))
    context = {"row": row, "form": form, "list_url": list_url(row), "nav": "prices"}
    page = "batchapp/offered_models/offered_model_edit.html"
    return render_partial(request, page, "dialog", context)


@require_http_methods(METHODS)
def offered_model_remove(request: Request) -> HttpResponse:
    """Remove what is known of a model, after a confirmation."""
    row = _row(request)
    if request.method == "POST":
        url = list_url(row, model="")
        model_table.remove(row, request.user)
        messages.success(request, f"{row} is removed.")
        return redirect(url)
    context = {"row": row, "list_url": list_url(row), "nav": "prices"}
    page = "batchapp/offered_models/offered_model_remove.html"
    return render_partial(request, page, "dialog", context)


def list_url(row: OfferedModel, model: str | None = None) -> str:
    """Return the address of the list, filtered to ``model``, by default to that of ``row``."""
    filters = {"q": row.model if model is None else model, "connection": row.connection_id}
    return f"{reverse('offered_model_list')}?{urlencode(filters)}"


def _save(request: Request, form: CardForm, row: OfferedModel) -> OfferedModel | None:
    """Save ``row`` with the fields of the valid ``form``; None if it is refused."""
    form.fill(row)
    row.source = row.source or f"Entered by {request.user.email}"[:200]
    try:
        return model_table.save(row, request.user)
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
    return None


def _row(request: Request) -> OfferedModel:
    """Return the model that the address names."""
    require_administrator(request)
    pk = request.GET.get("model", "")
    rows = OfferedModel.objects.select_related("connection")
    row = rows.filter(pk=pk).first() if pk.isascii() and pk.isdigit() and len(pk) < 19 else None
    if row is None:
        raise Http404
    return row
