"""The page that writes a file of a batch's requests to retry, and the merged download."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import (
    ADVICE,
    DEFAULT_OUTCOMES,
    MAX_TOKENS_FACTORS,
    RETRYABLE_IN_PLACE,
    Advice,
    RetryScope,
    Selection,
)
from batchapp.forms.batches.batch_retry import RetryForm, RetryScopeForm
from batchapp.http import Request, download, wants_fragment
from batchapp.models import Batch
from batchapp.presenters.batches.batch_actions import allowed_controls_of
from batchapp.presenters.batches.batch_problems import problem_row
from batchapp.presenters.batches.batch_retries import retry_price
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.presenters.order_wizard import step_url
from batchapp.services.results import merge, outcome_counts, problems, retry_file
from batchapp.services.results.retry_file import RetryableCounts
from batchapp.tasks import wake
from batchapp.views.audit.note_download import note_download
from batchapp.views.batches.batch_controls import may_spend
from batchapp.views.permissions import batch_with_content, require_editor

PAGE = "batchapp/batches/batch_retry.html"
SCOPES = {"problem", "line"}  # fields that narrow a retry to a part of the requests


@dataclass(frozen=True, slots=True)
class OutcomeChoice:
    """``number`` requests ended in this way."""

    outcome: Outcome
    advice: Advice
    number: int
    is_chosen: bool


@require_http_methods(["GET", "HEAD", "POST"])
def batch_retry(request: Request, pk: UUID) -> HttpResponse:
    """Choose requests and changes, preview their number, and request the file of them."""
    batch = batch_with_content(request, pk)
    require_editor(request, batch.project)
    counts = outcome_counts.retryable_counts(batch)
    if request.method == "POST" and not counts.outcomes:
        return redirect("batch_retry", batch.pk)  # the page says that nothing can be retried
    scope = _scope(request, batch)
    if request.method == "POST" and scope is None and SCOPES.intersection(request.POST):
        return redirect("batch_problems", batch.pk)  # a retry has answered all of the scope
    make_form = partial(RetryForm, counts=counts, models=_priced_models(batch), scope=scope)
    if request.method != "POST":
        wanted = [scope.outcome] if scope else request.GET.getlist("outcome")
        data = _defaults(counts, wanted)
        context = _context(request, batch, counts, make_form(initial=data), make_form(data))
        return render(request, PAGE, context)
    form = make_form(request.POST)
    if form.is_valid() and "preview" not in request.POST:
        upload = retry_file.request_retry_file(
            batch, request.user, form.choice, submission=form.submission_id
        )
        wake(upload)
        return redirect(step_url("order_check", upload, {"window": batch.window}))
    context = _context(request, batch, counts, form, form)
    if not wants_fragment(request):
        return render(request, PAGE, context)
    errors = [text for texts in form.errors.values() for text in texts]
    return render(request, f"{PAGE}#count", context | {"errors": errors, "is_fragment": True})


@require_safe
def batch_download_merged(request: Request, pk: UUID) -> HttpResponseBase:
    """Download one line for each request: the best answer of the batch and its retries."""
    batch = batch_with_content(request, pk)
    so_far = "" if batch.is_over else "-so-far"
    filename = f"{slugify(batch.name) or 'batch'}-merged{so_far}.jsonl"
    note_download(request, "merged", batch=batch)
    return download(merge.download(batch, request.user), filename)


def _scope(request: Request, batch: Batch) -> RetryScope | None:
    """Return the problem or the line that the address or the form names; None for neither."""
    form = RetryScopeForm(request.POST if request.method == "POST" else request.GET)
    if not form.is_valid():
        return None
    key, line = form.cleaned_data["problem"], form.cleaned_data["line"]
    if key and (group := problems.list_problems(batch, request.user).find(key)):
        about = problem_row(batch, group, can_write=True).reason
        return RetryScope(group.kind.outcome, about, group.number, problem=group.kind)
    if line and (result := retry_file.retryable_results(batch).filter(line=line).first()):
        return RetryScope(Outcome(result.outcome), f"Line {line:,}: {result.custom_id}", line=line)
    return None


def _defaults(counts: RetryableCounts, wanted: Sequence[str]) -> dict[str, Any]:
    """Tick the ``wanted`` outcomes; without any that occurs, those that a retry helps."""
    chosen = [outcome.value for outcome in counts.outcomes if outcome.value in wanted]
    if not chosen:
        chosen = [outcome.value for outcome in counts.outcomes if outcome in DEFAULT_OUTCOMES]
    factor = MAX_TOKENS_FACTORS[0] if Outcome.TRUNCATED in counts.outcomes else 1
    fields = dict.fromkeys(["error_code", "model", "temperature"], "")
    return {"outcomes": chosen, "max_tokens_factor": factor, **fields}


def _priced_models(batch: Batch) -> list[str]:
    """Return the names of priced models, without patterns."""
    prices = batch.project.connection.prices.in_force(timezone.now()).exclude(model__contains="*")
    return list(prices.order_by("model").values_list("model", flat=True).distinct())


def _context(
    request: Request, batch: Batch, counts: RetryableCounts, form: RetryForm, trial: RetryForm
) -> dict[str, Any]:
    """Return the context of the page; the valid fields of ``trial`` decide on the count."""
    chosen = [str(value) for value in form["outcomes"].value() or []]
    selection = trial.choice if trial.is_valid() else None
    total = trial.total if selection else 0
    return {
        "batch": batch,
        "form": form,
        "scope": form.scope,
        "choices": [
            OutcomeChoice(outcome, ADVICE[outcome], counts.count(outcome), outcome.value in chosen)
            for outcome in form.offered_outcomes
        ],
        "has_error_codes": bool(counts.error_codes) and not form.scope,
        "has_truncated": Outcome.TRUNCATED in form.offered_outcomes,
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
    if selection.problem or selection.line:
        return ""
    controls = allowed_controls_of(summarise(batch), may_spend=may_spend(request, batch))
    if not selection.outcomes <= RETRYABLE_IN_PLACE or not controls.retry_in_place:
        return ""
    return reverse("batch_retry_in_place", args=[batch.pk])
