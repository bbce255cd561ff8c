"""The connections of the portal: listed with their health, added, changed, tested, archived."""

from typing import Any

from django.contrib import messages
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp.domain.refused import Refusal, Refused
from batchapp.forms.connections import ConnectionForm, PlatformKeyForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Connection
from batchapp.models.fields.encryption import same_address
from batchapp.pipeline import provider_access
from batchapp.presenters.connection_health_text import health_sentences, health_word
from batchapp.presenters.connection_test_text import test_message
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.health import connection_health
from batchapp.services.providers import connections
from batchapp.services.providers.connections import Use
from batchapp.templatetags.words import count
from batchapp.views.administration.console import (
    client_address,
    require_administrator,
)

METHODS = ["GET", "HEAD", "POST"]
NAV = {"nav": "connections"}


@require_safe
def connection_list(request: Request) -> HttpResponse:
    """List all connections with their health, archived ones last."""
    require_administrator(request)
    rows = Connection.objects.annotate(
        under_way=Batch.objects.unfinished().count_for("connection"),
        project_count=Count("projects", distinct=True),
        model_count=Count("offered_models", distinct=True),
    )
    listed = sorted(rows, key=lambda row: (row.archived_at is not None, row.name.lower()))
    healths = connection_health.health_of(listed)
    context = NAV | {
        "rows": [(row, healths[row.pk], health_word(healths[row.pk])) for row in listed]
    }
    return render(request, "batchapp/administration/connection_list.html", context)


@require_http_methods(METHODS)
def connection_add(request: Request) -> HttpResponse:
    require_administrator(request)
    form = _form(request, ConnectionForm.initial_of(Connection()))
    if form.is_valid():
        row = connections.add(
            Connection(**form.values()), request.user, address=client_address(request)
        )
        messages.success(request, f"{row} is ready. Test it, then give it prices and models.")
        return redirect("connection_detail", row.pk)
    context = NAV | {"form": form}
    return render(request, "batchapp/administration/connection_add.html", context)


@require_safe
def connection_detail(request: Request, connection: int) -> HttpResponse:
    """Show the health of a connection, what uses it, its limits and its platform key."""
    row = _connection(request, connection)
    health = connection_health.health_of([row])[row.pk]
    context = _page(row) | {
        "health": health,
        "word": health_word(health),
        "sentences": health_sentences(health),
        "use": connections.use_of(row),
        "projects": row.projects.order_by("name")[:20],
        "models": row.offered_models.count(),
        "prices": row.prices.count(),
        "is_platform_key_moved": bool(row.platform_ciphertext) and not row.has_platform_key,
    }
    return render(request, "batchapp/administration/connection_detail.html", context)


@require_http_methods(METHODS)
def connection_edit(request: Request, connection: int) -> HttpResponse:
    """Change a connection; a new address is written only once the loss of keys is confirmed."""
    row = _connection(request, connection)
    form = _form(request, ConnectionForm.initial_of(row), row)
    use = connections.use_of(row)
    needs_confirmation = False
    if form.is_valid():
        values = form.values()
        is_moved = not same_address(values["base_url"], row.base_url)
        needs_confirmation = (
            is_moved
            and not form.cleaned_data["confirms_address"]
            and bool(use.keys or row.platform_ciphertext or use.under_way)
        )
        if needs_confirmation:
            form.add_error("base_url", _address_warning(row, use))
        elif _change(request, form, row, values, use, is_moved=is_moved):
            return redirect("connection_detail", row.pk)
    context = _page(row) | {"form": form, "use": use, "needs_confirmation": needs_confirmation}
    return render(request, "batchapp/administration/connection_edit.html", context)


@require_POST
def connection_test(request: Request, connection: int) -> HttpResponse:
    """Ask the provider once, with the platform key if there is one, and say what came back."""
    row = _connection(request, connection)
    level, text = test_message(row, provider_access.try_connection(row))
    messages.add_message(request, level, text)
    return redirect("connection_detail", row.pk)


@sensitive_post_parameters("secret")
@require_http_methods(METHODS)
def connection_set_platform_key(request: Request, connection: int) -> HttpResponse:
    row = _connection(request, connection)
    is_removal = request.POST.get("action") == "remove"
    form = PlatformKeyForm(request.POST if request.method == "POST" and not is_removal else None)
    if is_removal or form.is_valid():
        secret = "" if is_removal else form.cleaned_data["secret"]
        connections.set_platform_key(row, request.user, secret, address=client_address(request))
        done = "removed" if is_removal else "stored, encrypted"
        messages.success(request, f"The platform key of {row} is {done}.")
        return redirect("connection_detail", row.pk)
    page = "batchapp/administration/connection_set_platform_key.html"
    return render_partial(request, page, "dialog", _page(row) | {"form": form})


@require_http_methods(METHODS)
def connection_archive(request: Request, connection: int) -> HttpResponse:
    """Archive a connection after a confirmation, or use it again."""
    row = _connection(request, connection)
    if request.method == "POST":
        at = None if request.POST.get("action") == "restore" else timezone.now()
        connections.archive(row, request.user, at, address=client_address(request))
        done = "archived: nothing new begins there" if at else "in use again"
        messages.success(request, f"{row} is {done}.")
        return redirect("connection_detail", row.pk)
    page = "batchapp/administration/connection_archive.html"
    context = _page(row) | {"use": connections.use_of(row)}
    return render_partial(request, page, "dialog", context)


@require_http_methods(METHODS)
def connection_remove(request: Request, connection: int) -> HttpResponse:
    """Remove a connection that nothing uses, after a confirmation."""
    row = _connection(request, connection)
    if request.method == "POST":
        try:
            connections.remove(row, request.user, address=client_address(request))
        except Refused as exc:
            messages.error(request, refusal_text(exc))
            return redirect("connection_detail", row.pk)
        messages.success(request, f"{row.name} is removed.")
        return redirect("connection_list")
    page = "batchapp/administration/connection_remove.html"
    context = _page(row) | {"use": connections.use_of(row)}
    return render_partial(request, page, "dialog", context)


def _connection(request: Request, pk: int) -> Connection:
    require_administrator(request)
    return get_object_or_404(Connection, pk=pk)


def _page(row: Connection) -> dict[str, Any]:
    return NAV | {
        "connection": row,
        "detail_url": reverse("connection_detail", args=[row.pk]),
    }


def _form(
    request: Request, initial: dict[str, Any], row: Connection | None = None
) -> ConnectionForm:
    """Return the form as sent; unbound after a button that only adds or removes a window."""
    if request.method != "POST":
        return ConnectionForm(initial=initial, connection=row)
    if "add_window" in request.POST or "remove_window" in request.POST:
        typed = ConnectionForm.initial_of_post(request.POST)
        return ConnectionForm(initial=typed, connection=row)
    return ConnectionForm(request.POST, connection=row)


def _change(
    request: Request,
    form: ConnectionForm,
    row: Connection,
    values: dict[str, Any],
    use: Use,
    *,
    is_moved: bool,
) -> bool:
    """Write the change and say what it means; return False, with errors, if it is refused."""
    try:
        changed = connections.change(row, request.user, address=client_address(request), **values)
    except Refused as exc:
        field = "windows" if exc.code == Refusal.WINDOWS_IN_USE else "has_retry"
        form.add_error(field, refusal_text(exc))
        return False
    if not changed:
        messages.info(request, "Nothing was changed.")
    elif is_moved and (use.keys or row.platform_ciphertext):
        messages.warning(
            request,
            f"{row} has another address now. Its keys are not sent there until they are entered "
            "again: project keys on the pages of the projects, own keys in the profiles, and the "
            "platform key here.",
        )
    else:
        messages.success(request, f"{row} is changed.")
    return True


def _address_warning(row: Connection, use: Use) -> str:
    keys = [count(use.keys, "provider key")] if use.keys else []
    keys += ["the platform key"] if row.platform_ciphertext else []
    text = f"The new address gets no key that was entered for {row.base_url}"
    text += f": {' and '.join(keys)} must be entered again." if keys else "."
    if use.under_way:
        text += (
            f" {count(use.under_way, 'batch,batches')} under way stop then, and ask for their "
            "keys. A provider that does not know these batches cannot finish them."
        )
    return f"{text} Tick the box below if this is right."
