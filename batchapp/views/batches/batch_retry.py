"""The page that writes a file of a batch's requests to retry, and the merged download."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.domain.results.retry_selection import (
    ADVICE,
    DEFAULT_ENDINGS,
    MAX_TOKENS_FACTORS,
    RETRYABLE_IN_PLACE,
    Advice,
    Ending,
    Selection,
)
from batchapp.forms.batches.batch_retry import RetryForm
from batchapp.http import Request, download, wants_fragment
from batchapp.models import Batch
from batchapp.presenters.batches.batch_actions import allowed_controls_of
from batchapp.presenters.batches.batch_retries import retry_price
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.presenters.order_wizard import step_url
from batchapp.services.results import merge, retry_file
from batchapp.services.results.retry_file import RetryableCounts
from batchapp.tasks import wake
from batchapp.views.batches.batch_controls import may_spend
from batchapp.views.permissions import batch_of, require_member

PAGE = "batchapp/batches/batch_retry.html"


@dataclass(frozen=True, slots=True)
class EndingChoice:
    """``number`` requests ended in this way."""

    ending: Ending
    advice: Advice
    number: int
    is_chosen: bool


@require_http_methods(["GET", "HEAD", "POST"])
def batch_retry(request: Request, pk: UUID) -> HttpResponse:
    """Choose requests and changes, preview their number, and request the file of them."""
    batch = batch_of(request, pk)
    require_member(request, batch.project)
    counts = retry_file.retryable_counts(batch)
    if request.method == "POST" and not counts.endings:
        return redirect("batch_retry", batch.pk)  # the page says that nothing can be retried
    models = _priced_models(batch)
    if request.method != "POST":
        data = _defaults(counts, request.GET.getlist("ending"))
        form = RetryForm(initial=data, counts=counts, models=models)
        trial = RetryForm(data, counts=counts, models=models)
        return render(request, PAGE, _context(request, batch, counts, form, trial))
    form = RetryForm(request.POST, counts=counts, models=models)
    if form.is_valid() and "preview" not in request.POST:
        upload = retry_file.request_retry_file(
            batch, request.user, form.choice, submission=form.submission_id
        )
        wake(upload)
        return redirect(step_url("order_check", upload, {"window": batch.window}))
    context = _context(request, batch, counts, form, form)
    if not wants_fragment(request):
        return render(request, PAGE, context)
    problems = [text for texts in form.errors.values() for text in texts]
    return render(request, f"{PAGE}#count", context | {"problems": problems, "is_fragment": True})


@require_safe
def batch_download_merged(request: Request, pk: UUID) -> HttpResponseBase:
    """Download one line for each request: the best answer of the batch and its retries."""
    batch = batch_of(request, pk)
    so_far = "" if batch.is_over else "-so-far"
    filename = f"{slugify(batch.name) or 'batch'}-merged{so_far}.jsonl"
    return download(merge.download(batch, request.user), filename)


def _defaults(counts: RetryableCounts, wanted: Sequence[str]) -> dict[str, Any]:
    """Tick the ``wanted`` endings; without any that occurs, those that a retry helps."""
    chosen = [ending.value for ending in counts.endings if ending.value in wanted]
    if not chosen:
        chosen = [ending.value for ending in counts.endings if ending in DEFAULT_ENDINGS]
    factor = MAX_TOKENS_FACTORS[0] if Ending.TRUNCATED in counts.endings else 1
    fields = dict.fromkeys(["error_code", "model", "temperature"], "")
    return {"endings": chosen, "max_tokens_factor": factor, **fields}


def _priced_models(batch: Batch) -> list[str]:
    """Return the names of priced models, without patterns."""
    prices = batch.project.connection.prices.in_force(timezone.now()).exclude(model__contains="*")
    return list(prices.order_by("model").values_list("model", flat=True).distinct())


def _context(
    request: Request, batch: Batch, counts: RetryableCounts, form: RetryForm, trial: RetryForm
) -> dict[str, Any]:
    """Return the context of the page; the valid fields of ``trial`` decide on the count."""
    chosen = [str(value) for value in form["endings"].value() or []]
    selection = trial.choice if trial.is_valid() else None
    total = counts.total(selection) if selection else 0
    return {
        "batch": batch,
        "form": form,
        "choices": [
            EndingChoice(ending, ADVICE[ending], counts.count(ending), ending.value in chosen)
            for ending in counts.endings
        ],
        "has_error_codes": bool(counts.error_codes),
        "has_truncated": Ending.TRUNCATED in counts.endings,
        "total": total,
        "price": retry_price(batch, selection, total) if selection and total else None,
        "running": [row for row in batch.retries.all() if not row.is_over],
        "in_place_url": _in_place_url(request, batch, selection),
        "nav": "batches",
    }


def _in_place_url(request: Request, batch: Batch, selection: Selection | None) -> str:
    """Return the address of a retry in place of the same requests; "" if there is none."""
    if selection is None or selection.changes or selection.error_code:
        return ""
    controls = allowed_controls_of(summarise(batch), may_spend=may_spend(request, batch))
    if not selection.endings <= RETRYABLE_IN_PLACE or not controls.retry_in_place:
        return ""
    return reverse("batch_retry_in_place", args=[batch.pk])
