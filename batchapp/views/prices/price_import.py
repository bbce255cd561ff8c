"""The import of a price list: compared first, and written after confirmation."""

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

from batchapp.domain.csv_list import UnreadableList
from batchapp.domain.refused import Refused
from batchapp.forms.prices.prices import CsvForm
from batchapp.forms.prices.tariffs import TariffForm
from batchapp.http import Request
from batchapp.models import Connection, UnreadableKey
from batchapp.presenters.key_text import unreadable_platform_key_text
from batchapp.presenters.price_comparison import kept_prices, price_changes
from batchapp.presenters.refusal_text import refusal_text
from batchapp.providers.errors import ProviderError, ProviderRejected
from batchapp.providers.kinds import connect_management
from batchapp.services.prices import price_lists, tariffs
from batchapp.templatetags.words import count
from batchapp.views.portal_time import in_portal_time
from batchapp.views.prices.price_list import require_staff
from batchapp.views.upload_doors import takes_files

SALT = "batchapp.price-list"
CONFIRM_WITHIN = timedelta(hours=1)  # a comparison that is older must be made again
TIMEOUT_SECONDS = 10  # for all pages: a person waits
MAX_LISTED = 200  # lines of one kind that the comparison shows; all are counted


@dataclass(frozen=True, slots=True)
class Proposal:
    """A price list between comparison and confirmation, kept in the page."""

    connection: Connection
    text: str
    since: datetime | None
    ends_missing: bool
    source: str

    def sign(self, request: Request, table: str) -> str:
        """Sign the list for one person, so that the page can carry it."""
        since = self.since.isoformat() if self.since else ""
        value = [self.connection.pk, self.text, since, self.ends_missing, self.source, table]
        return signing.dumps([str(request.user.pk), *value], salt=SALT, compress=True)


@in_portal_time
@takes_files(require_staff)
@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def price_import(request: Request) -> HttpResponse:
    """Compare a CSV or the tariffs of the provider with the price table, then apply them."""
    require_staff(request)
    action = request.POST.get("action", "") if request.method == "POST" else ""
    if action == "apply":
        return _apply(request)
    initial = {"connection": request.GET.get("connection", "")}
    data, files = (request.POST, request.FILES) if action == "compare" else (None, None)
    csv_form = CsvForm(data, files, initial=initial)
    tariff_form = TariffForm(
        request.POST if action == "fetch" else None, initial=initial, prefix="live"
    )
    form = {"compare": csv_form, "fetch": tariff_form}.get(action)
    if form is not None and form.is_valid():
        cleaned = form.cleaned_data
        try:
            text, source = _read_list(request, cleaned)
            proposal = Proposal(
                cleaned["connection"],
                text,
                cleaned["since"],
                cleaned["ends_missing"],
                source,
            )
            return _comparison(request, proposal)
        except UnreadableList as exc:
            form.add_error(None, str(exc))
    context = {"csv_form": csv_form, "tariff_form": tariff_form, "nav": "prices"}
    return render(
        request, "batchapp/prices/price_import.html", context | {"section": "price_import"}
    )


def _read_list(request: Request, cleaned: dict[str, Any]) -> tuple[str, str]:
    """Return the list as CSV, and its source."""
    today = timezone.localdate()
    if "csv" in cleaned:
        return cleaned["csv"], f"CSV of {today:%-d %B %Y}, by {request.user.email}"[:200]
    connection: Connection = cleaned["connection"]
    try:
        secret = cleaned["secret"] or connection.platform_key()
        platform = connect_management(
            connection.provider_kind,
            connection.base_url,
            secret,
            timeout_seconds=TIMEOUT_SECONDS,
            session_seconds=TIMEOUT_SECONDS,
        )
        if platform is None:
            raise UnreadableList(
                f"{connection} tells no prices: providers of its kind have no list. Import a CSV."
            )
        with platform:
            return tariffs.fetch(connection, platform, timezone.localtime()), ""
    except UnreadableKey as exc:
        raise UnreadableList(unreadable_platform_key_text(exc)) from exc
    except ProviderRejected as exc:
        raise UnreadableList(_refusal(exc, connection)) from exc
    except (ProviderError, ValueError) as exc:
        raise UnreadableList(
            f"{connection} gave no prices. Try again in a minute, or import a CSV. ({exc})"
        ) from exc


def _refusal(exc: ProviderRejected, connection: Connection) -> str:
    if exc.status in {401, 403}:
        return (
            f"{connection} does not show its prices to this key: only a platform key is "
            "accepted, and batches run on other keys. Use a platform key, or import a CSV."
        )
    return f"{connection} does not offer its prices this way. Import a CSV. (HTTP {exc.status})"


def _comparison(request: Request, proposal: Proposal, refusal: str = "") -> HttpResponse:
    """Show the changes of the list, with a button to confirm them."""
    now = timezone.now()
    comparison = price_lists.compare(proposal.connection, proposal.text, proposal.since or now)
    writes = comparison.writes + (len(comparison.missing) if proposal.ends_missing else 0)
    changes, has_more = price_changes(
        comparison, ends_missing=proposal.ends_missing, most=MAX_LISTED
    )
    kept, kept_total = kept_prices(comparison, ends_missing=proposal.ends_missing, most=MAX_LISTED)
    context = {
        "proposal": proposal,
        "kept": kept,
        "kept_total": kept_total,
        "comparison": comparison,
        "changes": changes,
        "bad": comparison.bad[:MAX_LISTED],
        "has_more": has_more,
        "listed": MAX_LISTED,
        "refusal": refusal,
        "writes": writes,
        "signed_proposal": proposal.sign(request, comparison.fingerprint),
        "nav": "prices",
    }
    status = 409 if refusal else 200
    return render(request, "batchapp/prices/price_import_compare.html", context, status=status)


def _apply(request: Request) -> HttpResponse:
    signed = _read_proposal(request)
    if signed is None:
        messages.error(
            request,
            "This comparison is too old, or not yours. Nothing was written: compare again.",
        )
        return redirect("price_import")
    proposal, table = signed
    try:
        applied = price_lists.apply(
            proposal.connection,
            request.user,
            proposal.text,
            fingerprint=table,
            since=proposal.since,
            ends_missing=proposal.ends_missing,
            source=proposal.source,
        )
    except Refused as exc:
        return _comparison(request, proposal, refusal_text(exc))
    ended = len(applied.missing) if proposal.ends_missing else 0
    messages.success(
        request,
        f"{count(len(applied.new), 'price')} added, "
        f"{count(len(applied.changed), 'price')} changed, {count(ended, 'price')} ended.",
    )
    return redirect(f"{reverse('price_list')}?connection={proposal.connection.pk}")


def _read_proposal(request: Request) -> tuple[Proposal, str] | None:
    """Return the list that was signed for this person less than an hour ago, and its table."""
    try:
        person, connection, text, since, ends_missing, source, table = signing.loads(
            request.POST.get("proposal", ""), salt=SALT, max_age=CONFIRM_WITHIN
        )
    except (signing.BadSignature, ValueError):
        return None
    row = Connection.objects.filter(pk=connection).first()
    if person != str(request.user.pk) or row is None:
        return None
    moment = datetime.fromisoformat(since) if since else None
    return Proposal(row, text, moment, ends_missing, source), table
