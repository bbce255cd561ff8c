"""A whole price list: compared first, and written once a person has agreed."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from batchapp.domain.money.price_list_csv import UnreadableList
from batchapp.forms.prices.prices import CsvForm
from batchapp.forms.prices.tariffs import TariffForm
from batchapp.http import Request
from batchapp.models import Connection, UnreadableKey
from batchapp.providers.client import connect
from batchapp.providers.errors import ProviderError, ProviderRejected
from batchapp.providers.tariffs import management_url
from batchapp.services.prices import price_lists, tariffs
from batchapp.services.prices.price_lists import NotImported
from batchapp.templatetags.words import count
from batchapp.views.prices.price_list import require_staff

SALT = "batchapp.price-list"
AGREED_WITHIN = timedelta(hours=1)
SILENCE_SECONDS = 10
LISTED = 200
"""Lines of one kind that the comparison shows; all are counted."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A list on its way through the confirm step, in the page and signed for one person."""

    connection: Connection
    text: str
    since: datetime | None
    ends_missing: bool
    source: str

    def sealed(self, request: Request, table: str) -> str:
        since = self.since.isoformat() if self.since else ""
        value = [self.connection.pk, self.text, since, self.ends_missing, self.source, table]
        return signing.dumps([str(request.user.pk), *value], salt=SALT, compress=True)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def price_import(request: Request) -> HttpResponse:
    """A CSV, or the provider's own tariffs: what they would change, then the change."""
    require_staff(request)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    if action == "apply":
        return _apply(request)
    known = {"connection": request.GET.get("connection", "")}
    csv_form = CsvForm(
        *((request.POST, request.FILES) if action == "compare" else ()), initial=known
    )
    tariff_form = TariffForm(
        request.POST if action == "fetch" else None, initial=known, prefix="live"
    )
    asked = {"compare": csv_form, "fetch": tariff_form}.get(action)
    if asked is not None and asked.is_valid():
        try:
            text, source = _list(request, asked.cleaned_data)
            proposal = Proposal(
                asked.cleaned_data["connection"],
                text,
                asked.cleaned_data["since"],
                asked.cleaned_data["ends_missing"],
                source,
            )
            return _compared(request, proposal)
        except UnreadableList as exc:
            asked.add_error(None, str(exc))
    context = {"csv_form": csv_form, "tariff_form": tariff_form, "nav": "prices"}
    return render(
        request, "batchapp/prices/price_import.html", context | {"section": "price_import"}
    )


def _list(request: Request, asked: dict[str, Any]) -> tuple[str, str]:
    """The list as CSV, and where it is from."""
    today = timezone.localdate()
    if "csv" in asked:
        return asked["csv"], f"CSV of {today:%-d %B %Y}, by {request.user.email}"[:200]
    connection: Connection = asked["connection"]
    try:
        address = management_url(connection.base_url)
        secret = asked["secret"] or connection.platform_key()
        with connect(address, secret, timeout_seconds=SILENCE_SECONDS) as provider:
            return tariffs.fetch(connection, provider, timezone.localtime()), ""
    except UnreadableKey as exc:
        raise UnreadableList("The stored platform key cannot be read any more. Paste it.") from exc
    except ProviderRejected as exc:
        raise UnreadableList(_refusal(exc, connection)) from exc
    except (ProviderError, ValueError) as exc:
        raise UnreadableList(
            f"{connection} gave no prices. Try again in a minute, or import a CSV. ({exc})"
        ) from exc


def _refusal(exc: ProviderRejected, connection: Connection) -> str:
    if exc.status in {401, 403}:
        return (
            f"{connection} does not tell its prices to this key: that takes a platform key, and "
            "the keys that batches run on are none. Use another key, or import a CSV."
        )
    return f"{connection} does not offer its prices this way. Import a CSV. (HTTP {exc.status})"


def _compared(request: Request, proposal: Proposal, refusal: str = "") -> HttpResponse:
    """What the list would change, with the way to agree."""
    now = timezone.now()
    found = price_lists.compare(proposal.connection, proposal.text, proposal.since or now)
    writes = found.writes + (len(found.missing) if proposal.ends_missing else 0)
    context = {
        "proposal": proposal,
        "found": found,
        "groups": {
            name: getattr(found, name)[:LISTED] for name in ("new", "changed", "missing", "bad")
        },
        "listed": LISTED,
        "refusal": refusal,
        "writes": writes,
        "sealed": proposal.sealed(request, found.table),
        "nav": "prices",
    }
    status = 409 if refusal else 200
    return render(request, "batchapp/prices/price_import_compare.html", context, status=status)


def _apply(request: Request) -> HttpResponse:
    opened = _opened(request)
    if opened is None:
        messages.error(
            request,
            "This comparison is too old, or not yours. Nothing was written: compare again.",
        )
        return redirect("price_import")
    proposal, table = opened
    try:
        done = price_lists.apply(
            proposal.connection,
            proposal.text,
            table=table,
            since=proposal.since,
            ends_missing=proposal.ends_missing,
            source=proposal.source,
        )
    except NotImported as exc:
        return _compared(request, proposal, str(exc))
    ended = len(done.missing) if proposal.ends_missing else 0
    messages.success(
        request,
        f"{count(len(done.new), 'price')} added, {count(len(done.changed), 'price')} changed, "
        f"{count(ended, 'price')} ended.",
    )
    return redirect(f"{reverse('price_list')}?connection={proposal.connection.pk}")


def _opened(request: Request) -> tuple[Proposal, str] | None:
    """What ``sealed`` closed for this person, less than an hour ago."""
    try:
        person, connection, text, since, ends_missing, source, table = signing.loads(
            request.POST.get("proposal", ""), salt=SALT, max_age=AGREED_WITHIN
        )
    except (signing.BadSignature, ValueError):
        return None
    found = Connection.objects.filter(pk=connection).first()
    if person != str(request.user.pk) or found is None:
        return None
    moment = datetime.fromisoformat(since) if since else None
    return Proposal(found, text, moment, ends_missing, source), table
