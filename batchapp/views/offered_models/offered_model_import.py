"""The import of models: from a CSV, from the provider, or from the list of the portal."""

from contextlib import nullcontext
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from batchapp.domain.csv_list import UnreadableList
from batchapp.domain.model_cards import ModelCard
from batchapp.domain.refused import Refused
from batchapp.forms.offered_models.offered_models import CsvForm, ShippedForm, ToldForm
from batchapp.http import Request
from batchapp.models import Connection, UnreadableKey
from batchapp.presenters.key_text import unreadable_platform_key_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.providers.errors import ProviderError, ProviderRejected
from batchapp.providers.kinds import connect, connect_management
from batchapp.services.offered_models import model_table, told_models
from batchapp.services.offered_models.model_table import Written
from batchapp.templatetags.words import count
from batchapp.views.offered_models.offered_model_list import require_administrator
from batchapp.views.portal_time import in_portal_time
from batchapp.views.upload_doors import takes_files

TIMEOUT_SECONDS = 10  # for all pages of the lists: a person waits
MAX_LISTED = 20  # bad lines that the page shows; all are counted


@in_portal_time
@takes_files(require_administrator)
@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def offered_model_import(request: Request) -> HttpResponse:
    """Write the models of a list into the table of a connection."""
    require_administrator(request)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    initial = {"connection": request.GET.get("connection", "")}
    data, files = (request.POST, request.FILES) if action == "csv" else (None, None)
    forms = {
        "csv": CsvForm(data, files, initial=initial),
        "ask": ToldForm(request.POST if action == "ask" else None, initial=initial, prefix="live"),
        "load": ShippedForm(
            request.POST if action == "load" else None, initial=initial, prefix="shipped"
        ),
    }
    form = forms.get(action)
    if form is not None and form.is_valid():
        connection: Connection = form.cleaned_data["connection"]
        try:
            written = _write(request, action, connection, form.cleaned_data)
        except Refused as exc:
            form.add_error(None, refusal_text(exc))
        except UnreadableList as exc:
            form.add_error(None, str(exc))
        else:
            if not written.bad:
                messages.success(request, _said(written))
                return redirect(f"{reverse('offered_model_list')}?connection={connection.pk}")
            form.add_error(None, _said_of_bad_lines(written))
    context = {
        "csv_form": forms["csv"],
        "told_form": forms["ask"],
        "shipped_form": forms["load"],
        "nav": "prices",
    }
    return render(request, "batchapp/offered_models/offered_model_import.html", context)


def _write(
    request: Request, action: str, connection: Connection, cleaned: dict[str, Any]
) -> Written:
    if action == "csv":
        return model_table.import_csv(connection, request.user, cleaned["csv"])
    if action == "ask":
        return model_table.fill(connection, request.user, _ask(connection, cleaned["secret"]))
    return model_table.load_doubleword_models(connection, request.user)


def _ask(connection: Connection, secret: str) -> list[ModelCard]:
    """Return what the provider tells of its models.

    Raises:
        UnreadableList: it tells nothing; the message says what to do.
    """
    try:
        key = secret or connection.platform_key()
        kind, address, seconds = connection.provider_kind, connection.base_url, TIMEOUT_SECONDS
        platform_client = connect_management(kind, address, key, session_seconds=seconds)
        with (
            platform_client or nullcontext() as platform,
            connect(kind, address, key, session_seconds=seconds) as provider,
        ):
            return told_models.fetch(connection, platform, provider, timezone.localtime())
    except UnreadableKey as exc:
        raise UnreadableList(unreadable_platform_key_text(exc)) from exc
    except ProviderRejected as exc:
        raise UnreadableList(
            f"{connection} does not list its models for this key. Use another key, or import a "
            f"CSV. (HTTP {exc.status})"
        ) from exc
    except (ProviderError, ValueError) as exc:
        raise UnreadableList(
            f"{connection} gave no list of models. Try again in a minute, or import a CSV. ({exc})"
        ) from exc


def _said(written: Written) -> str:
    if not written.added and not written.changed:
        return "Nothing changed: the table has all that the list says."
    return f"{count(written.added, 'model')} added, {count(written.changed, 'model')} changed."


def _said_of_bad_lines(written: Written) -> list[str]:
    shown = [f"Line {line.number}: {line.reason}" for line in written.bad[:MAX_LISTED]]
    more = len(written.bad) - len(shown)
    shown += [f"{count(more, 'more bad line')} not listed."] if more else []
    return [*shown, "Nothing was written: correct these lines first."]
