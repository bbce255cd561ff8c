"""Requests of a batch run again: chosen, changed, and made into a file for a new batch."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.access import batch_of, require_member
from batchapp.domain.results.retry_selection import (
    ADVICE,
    FACTORS,
    UNTRIED,
    USUAL,
    Advice,
    Ending,
    Selection,
)
from batchapp.forms.batches.batch_retry import RetryForm
from batchapp.http import Request, wants_fragment
from batchapp.models import Batch
from batchapp.presenters.batch_actions import allowed_controls_of
from batchapp.presenters.batch_summary import summarise
from batchapp.presenters.order_wizard import step_url
from batchapp.services.results import merge, retry_file
from batchapp.services.results.retry_file import RetryableCounts
from batchapp.tasks import wake
from batchapp.views.batches.batch_controls import may_spend

PAGE = "batchapp/batches/batch_retry.html"


@dataclass(frozen=True, slots=True)
class Offered:
    """One kind of ending with how many requests ended so."""

    ending: Ending
    advice: Advice
    number: int
    is_chosen: bool


@require_http_methods(["GET", "HEAD", "POST"])
def batch_retry(request: Request, pk: UUID) -> HttpResponse:
    """Choose requests and changes, see how many they are, and have a file made of them."""
    found = batch_of(request, pk)
    require_member(request, found.project)
    reach = retry_file.retryable_counts(found)
    if request.method == "POST" and not reach.endings:
        return redirect("batch_retry", found.pk)  # which says so
    models = _priced_models(found)
    if request.method != "POST":
        data = _usual(reach)
        form = RetryForm(initial=data, reach=reach, models=models)
        trial = RetryForm(data, reach=reach, models=models)
        return render(request, PAGE, _context(request, found, reach, form, trial))
    form = RetryForm(request.POST, reach=reach, models=models)
    if form.is_valid() and "preview" not in request.POST:
        fresh = retry_file.request_retry_file(
            found, request.user, form.choice, submission=form.sender
        )
        wake(fresh)
        return redirect(step_url("order_check", fresh, {"window": found.window}))
    context = _context(request, found, reach, form, form)
    if not wants_fragment(request):
        return render(request, PAGE, context)
    complaints = [text for texts in form.errors.values() for text in texts]
    return render(request, f"{PAGE}#count", context | {"complaints": complaints})


@require_safe
def batch_download_merged(request: Request, pk: UUID) -> HttpResponseBase:
    """One line for each request: the best answer of the batch and its retries."""
    found = batch_of(request, pk)
    so_far = "" if found.is_over else "-so-far"
    disposition = content_disposition_header(
        as_attachment=True, filename=f"{slugify(found.name) or 'batch'}-merged{so_far}.jsonl"
    )
    return StreamingHttpResponse(
        merge.download(found),
        content_type="application/jsonl",
        headers={"Content-Disposition": disposition, "Cache-Control": "private, no-store"},
    )


def _usual(reach: RetryableCounts) -> dict[str, Any]:
    chosen = [each.value for each in reach.endings if each in USUAL]
    factor = FACTORS[0] if Ending.TRUNCATED in reach.endings else 1
    fields = dict.fromkeys(["error_code", "model", "temperature"], "")
    return {"endings": chosen, "max_tokens_factor": factor, **fields}


def _priced_models(found: Batch) -> list[str]:
    """By name; a pattern is no model."""
    prices = found.project.connection.prices.in_force(timezone.now()).exclude(model__contains="*")
    return list(prices.order_by("model").values_list("model", flat=True).distinct())


def _context(
    request: Request, found: Batch, reach: RetryableCounts, form: RetryForm, asked: RetryForm
) -> dict[str, Any]:
    """The page; ``asked`` is what the count is of, as far as it makes sense."""
    chosen = [str(each) for each in form["endings"].value() or []]
    selection = asked.choice if asked.is_valid() else None
    return {
        "batch": found,
        "form": form,
        "offered": [
            Offered(each, ADVICE[each], reach.count(each), each.value in chosen)
            for each in reach.endings
        ],
        "has_error_codes": bool(reach.error_codes),
        "has_truncated": Ending.TRUNCATED in reach.endings,
        "total": reach.total(selection) if selection else 0,
        "running": [each for each in found.retries.all() if not each.is_over],
        "in_place": _in_place(request, found, selection),
        "nav": "batches",
    }


def _in_place(request: Request, found: Batch, selection: Selection | None) -> str:
    """Where the provider runs just these again in the same batch; "" if it cannot."""
    if selection is None or selection.changes or selection.error_code:
        return ""
    offers = allowed_controls_of(summarise(found), may_spend=may_spend(request, found))
    if not selection.endings <= UNTRIED or not offers.retry_in_place:
        return ""
    return reverse("batch_retry_in_place", args=[found.pk])
