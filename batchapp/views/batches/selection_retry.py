"""The retries of several batches: their files, their price in total, and their submission."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from django.contrib import messages
from django.db.models import F
from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp import access, tasks
from batchapp.access import NotAllowed
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.refused import Refused
from batchapp.forms.batches.selection import RetriesForm, ids_text
from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderKey, Upload
from batchapp.presenters.batches.batch_cost import NO_PRICE
from batchapp.presenters.batches.selection_plan import RETRIED
from batchapp.presenters.file_report import quotes_for
from batchapp.presenters.order_wizard import report_of_ready
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.results import retry_file
from batchapp.templatetags.words import count, usd
from batchapp.views.permissions import can_write

PAGE = "batchapp/batches/selection_retry.html"
NO_KEY = "There is no key that you may use for it. Open its file, and order it on another key."
NOT_READY = "Its file has errors: open it to see them."


@dataclass(frozen=True, slots=True)
class Retry:
    """One of several retries; ``order`` is its batch once it is submitted.

    ``submission`` is the id of its order. ``why_not`` says why it cannot be submitted.
    """

    batch: Batch
    upload: Upload
    submission: UUID
    order: Batch | None
    key: ProviderKey | None = None
    estimate: Estimate | None = None
    price_tag: str = ""
    why_not: str = ""

    @property
    def is_being_written(self) -> bool:
        return self.upload.status == Upload.Status.CHECKING

    @property
    def can_be_submitted(self) -> bool:
        return self.order is None and self.estimate is not None and not self.why_not

    @property
    def expected_usd(self) -> Decimal | None:
        """Return what the retry is expected to cost, or None without a price of each model."""
        if self.estimate is None or self.estimate.unpriced:
            return None
        return self.estimate.expected_usd

    @property
    def cost(self) -> str:
        """Return the cost for the page; a model without a price is said, never zero."""
        if self.estimate is None:
            return ""
        return NO_PRICE if self.expected_usd is None else f"~{usd(self.expected_usd)}"


@require_http_methods(["GET", "HEAD", "POST"])
def selection_retry(request: Request) -> HttpResponse:
    """Show the retry files with their price in total, and submit them once that is confirmed."""
    form = RetriesForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        raise Http404
    submission = form.cleaned_data["submission"]
    retries = _retries(request, form.batches, submission)
    if not retries:
        raise Http404
    address = f"{reverse('selection_retry')}?submission={submission}&ids=" + ids_text(
        retry.batch.pk for retry in retries
    ).replace(" ", "+")
    if request.method == "POST":
        _submit(request, retries, form.cleaned_data["seen"])
        return redirect(address)
    is_moving = any(retry.is_being_written for retry in retries)
    ready = [] if is_moving else [retry for retry in retries if retry.can_be_submitted]
    context = {
        "retries": retries,
        "ready": ready,
        "requests": sum(retry.upload.requests or 0 for retry in ready),
        "cost": _total_text(ready),
        "submission": submission,
        "ids": ids_text(retry.batch.pk for retry in retries),
        "seen": timezone.now().isoformat(),
        "is_moving": is_moving,
        "address": address,
        "nav": "batches",
    }
    return render_partial(request, PAGE, "live", context)


def _retries(request: Request, ids: list[UUID], submission: UUID) -> list[Retry]:
    """Return the retries of the batches that this form had files written for."""
    rows = Batch.objects.visible_to(request.user).filter(pk__in=ids)
    rows = rows.select_related("project__connection", "connection", "key")
    batches = [
        row for row in rows.order_by("-created_at", "pk") if can_write(request, row.project)
    ]
    file_ids = {
        batch.pk: retry_file.retry_file_id(batch, request.user, RETRIED, submission=submission)
        for batch in batches
    }
    uploads = Upload.objects.select_related("project__connection", "table").in_bulk(
        list(file_ids.values())
    )
    found = [(row, uploads[file_ids[row.pk]]) for row in batches if file_ids[row.pk] in uploads]
    submissions = {upload.pk: uuid5(submission, str(upload.pk)) for _, upload in found}
    orders = {
        order.submission: order
        for order in Batch.objects.filter(
            submission__in=submissions.values(), project__in=[row.project_id for row in batches]
        )
    }
    is_moving = any(upload.status == Upload.Status.CHECKING for _, upload in found)
    return [
        _retry(
            request,
            batch,
            upload,
            submissions[upload.pk],
            orders.get(submissions[upload.pk]),
            with_price=not is_moving,
        )
        for batch, upload in found
    ]


def _retry(
    request: Request,
    batch: Batch,
    upload: Upload,
    submission: UUID,
    order: Batch | None,
    *,
    with_price: bool,
) -> Retry:
    if order or upload.status == Upload.Status.CHECKING:
        return Retry(batch, upload, submission, order)
    report = report_of_ready(upload)
    if report is None:
        why_not = problem_text(upload.problem) or NOT_READY
        return Retry(batch, upload, submission, order, why_not=why_not)
    if not with_price:
        return Retry(batch, upload, submission, order)
    key = _key(request, batch)
    quotes = quotes_for(
        report,
        batch.project.connection,
        timezone.now(),
        project=batch.project,
        user=request.user,
    )
    return Retry(
        batch,
        upload,
        submission,
        order,
        key=key,
        estimate=quotes.get(batch.window),
        price_tag=price_quotes.price_tag(quotes),
        why_not="" if key else NO_KEY,
    )


def _key(request: Request, batch: Batch) -> ProviderKey | None:
    """Return the key of the batch if the person may choose it, else another that is possible."""
    if access.can_choose_key(request.user, batch.key, batch.project) and batch.key.is_readable:
        return batch.key
    keys = ProviderKey.objects.usable_by(request.user, batch.project)
    ordered = keys.order_by(F("project").asc(nulls_last=True), "created_at")
    return next((key for key in ordered if key.is_readable), None)


def _submit(request: Request, retries: list[Retry], seen: Any) -> None:
    """Order each retry that can be; a form that is sent twice orders each once."""
    submitted = waiting = 0
    for retry in retries:
        shown = request.POST.get(f"shown-{retry.upload.pk}", "")
        if not retry.can_be_submitted or retry.key is None or not shown:
            continue
        try:
            order = place_order.place_order(
                retry.batch.project,
                request.user,
                retry.upload,
                retry.key,
                window=retry.batch.window,
                fallback=retry.batch.fallback_window,
                submission=retry.submission,
                shown_prices=shown,
                shown_at=seen,
            )
        except Refused as exc:
            messages.error(request, f"{retry.batch}: {refusal_text(exc)}")
            continue
        except NotAllowed:
            messages.error(request, f"{retry.batch}: {NO_KEY}")
            continue
        submitted += 1
        waiting += order.status == Batch.Status.AWAITING_APPROVAL
        for provider_batch in order.provider_batches.all():
            tasks.wake(provider_batch)
    if submitted:
        messages.success(request, f"{count(submitted, 'retry,retries')} submitted.")
    if waiting:
        verb = "waits" if waiting == 1 else "wait"
        messages.info(
            request,
            f"{count(waiting, 'retry,retries')} {verb} for approval: the page of each says why.",
        )


def _total_text(retries: list[Retry]) -> str:
    """Return the expected cost of all; what has no price is counted, and never zero."""
    known = [retry.expected_usd for retry in retries if retry.expected_usd is not None]
    unknown = len(retries) - len(known)
    text = f"~{usd(sum(known, Decimal(0)))}" if known else ""
    if unknown:
        missing = f"{count(unknown, 'retry,retries')} without a price"
        text = f"{text} and {missing}" if text else missing
    return text
