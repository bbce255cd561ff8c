"""The dialogs that cancel, pause, resume, try again or retry a batch in place."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp import access
from batchapp.access import NotAllowed, Right
from batchapp.forms.orders import TryAgainForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderBatch, StaleRow
from batchapp.presenters.batches.batch_actions import allowed_controls_of
from batchapp.presenters.batches.batch_headline import kept_text
from batchapp.presenters.batches.batch_summary import summarise
from batchapp.presenters.problem_text import problem_text
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.providers import rejections
from batchapp.tasks import wake
from batchapp.views.permissions import batch_of, require_editor

CHANGED_MEANWHILE = "The batch changed at this very moment, so nothing was done. Try it again."


@require_http_methods(["GET", "POST"])
def batch_cancel(request: Request, pk: UUID) -> HttpResponse:
    batch = batch_of(request, pk)
    access.require_stop(request.user, batch.project)
    if request.method != "POST":
        return _dialog(request, batch, "cancel", kept=kept_text(summarise(batch)))
    try:
        is_requested = controls.request_cancel(batch, request.user)
    except StaleRow:
        messages.error(
            request, "The batch changed at this very moment and goes on. Cancel it again."
        )
        return redirect(batch)
    if is_requested:
        _wake(batch)
        messages.success(request, "The batch is being cancelled.")
    else:
        messages.info(
            request, "There is nothing to cancel: it is over, or being cancelled already."
        )
    return redirect(batch)


@require_http_methods(["GET", "POST"])
def batch_pause(request: Request, pk: UUID) -> HttpResponse:
    """Explain a pause, or why there is none here, and pause once that is confirmed."""
    batch = _writable_batch(request, pk)
    if request.method != "POST":
        return _dialog(request, batch, "pause")
    if controls.request_pause(batch, request.user):
        _wake(batch)
        messages.success(request, "The batch is being paused.")
    else:
        messages.info(request, _why_no_pause(batch))
    return redirect(batch)


def _why_no_pause(batch: Batch) -> str:
    batch.refresh_from_db()
    if batch.cancel_requested_at and not batch.is_over:
        return "It is being cancelled, so it cannot be paused."
    if batch.status == Batch.Status.AWAITING_APPROVAL:
        return "It is not approved yet, so there is nothing to pause."
    if batch.status != Batch.Status.RUNNING:
        return "There is nothing to pause: it is over."
    if batch.pause_requested_at:
        return "It is paused already, or about to be."
    return (
        f"{batch.connection} cannot continue a stopped batch. Cancel it instead, then "
        " retry the cancelled requests as a new batch."
    )


@require_http_methods(["GET", "POST"])
def batch_resume(request: Request, pk: UUID) -> HttpResponse:
    batch = _writable_batch(request, pk)
    if request.method != "POST":
        return _dialog(request, batch, "resume")
    try:
        is_requested = controls.resume(batch, request.user)
    except StaleRow:
        messages.error(request, CHANGED_MEANWHILE)
        return redirect(batch)
    except NotAllowed as exc:
        return _refuse_key(request, batch, exc)
    if is_requested:
        _wake(batch)
        messages.success(request, "The batch goes on.")
    else:
        messages.info(request, "There is nothing to resume: it is not paused.")
    return redirect(batch)


@require_http_methods(["GET", "POST"])
def batch_retry_in_place(request: Request, pk: UUID) -> HttpResponse:
    batch = _writable_batch(request, pk)
    if request.method != "POST":
        number = retry_in_place.count_retryable(batch, request.user)
        return _dialog(request, batch, "retry_in_place", number=number)
    try:
        number = retry_in_place.request_retry_in_place(batch, request.user)
    except StaleRow:
        messages.error(request, CHANGED_MEANWHILE)
        return redirect(batch)
    except NotAllowed as exc:
        return _refuse_key(request, batch, exc)
    if number:
        _wake(batch)
        messages.success(request, "The requests without an answer are being run again.")
    else:
        messages.info(request, "There is nothing to run again here, or it runs already.")
    return redirect(batch)


@require_http_methods(["GET", "POST"])
def batch_try_again(request: Request, pk: UUID) -> HttpResponse:
    """Ask for the key to go on with, then let the stopped provider batches go on."""
    batch = _writable_batch(request, pk)
    data = request.POST if request.method == "POST" else None
    provider_batches = list(batch.provider_batches.all())
    is_at_provider = any(row.was_sent for row in provider_batches)
    keeps_key = is_at_provider or may_spend(request, batch)
    form = TryAgainForm(data, user=request.user, batch=batch, keeps_key=keeps_key)
    if request.method == "POST" and form.is_valid():
        return _try_again(request, batch, form)
    facts = {
        "form": form,
        "is_at_provider": is_at_provider,
        "is_paid": has_paid_rest(provider_batches),
        "can_try_again": can_try_again(provider_batches, can_spend=may_spend(request, batch)),
        "key_advice": "" if keeps_key else _key_advice(batch),
    }
    return _dialog(request, batch, "try_again", **facts)


def _try_again(request: Request, batch: Batch, form: TryAgainForm) -> HttpResponse:
    try:
        resumed = controls.try_again(batch, request.user, form.cleaned_data["key"])
    except StaleRow:
        resumed = 0
    if resumed:
        _wake(batch)
        messages.success(request, "The batch goes on.")
    elif batch.provider_batches.needing_attention().exists() and not may_spend(request, batch):
        messages.error(request, foreign_key_text(batch))
    else:
        messages.info(request, "Nothing waits for attention any more.")
    return redirect(batch)


def may_spend(request: Request, batch: Batch) -> bool:
    return access.can_spend(request.user, batch.key, batch.project)


def has_paid_rest(provider_batches: Iterable[ProviderBatch]) -> bool:
    """Return True if one of the parked ``provider_batches`` has results that are paid already."""
    return any(
        row.parked_reason and row.status in ProviderBatch.AT_PROVIDER for row in provider_batches
    )


def can_try_again(provider_batches: Sequence[ProviderBatch], *, can_spend: bool) -> bool:
    """Return False if only another key would help, and the batch cannot go on with another.

    ``can_spend`` says that more of the batch may run on its present key.
    """
    may_change_key = not any(row.was_sent for row in provider_batches)
    return can_spend or may_change_key or has_paid_rest(provider_batches)


def foreign_key_text(batch: Batch) -> str:
    """Explain why ``batch`` cannot go on with its key, and what to do."""
    if batch.project.archived_at:
        return "The project is archived. Restore it to let the batch go on, or cancel the batch."
    problem = rejections.owner_problem(
        batch.key, batch.project, is_sent=True, is_over=batch.is_over
    )
    return problem_text(problem)


def _key_advice(batch: Batch) -> str:
    """Say why another key is needed, unless the worker that stopped the batch said so."""
    problem = rejections.owner_problem(batch.key, batch.project, is_sent=False)
    told = batch.provider_batches.filter(problem__code=problem.code, problem__data__is_sent=False)
    return "" if told.exists() else problem_text(problem)


def _refuse_key(request: Request, batch: Batch, refusal: NotAllowed) -> HttpResponse:
    """Say on the page of the batch that its key pays for nothing more."""
    if refusal.right is not Right.SPEND:
        raise refusal
    messages.error(request, foreign_key_text(batch))
    return redirect(batch)


def _writable_batch(request: Request, pk: UUID) -> Batch:
    batch = batch_of(request, pk)
    require_editor(request, batch.project)
    return batch


def _dialog(request: Request, batch: Batch, verb: str, **facts: Any) -> HttpResponse:
    prefetch_related_objects([batch], "provider_batches", "model_costs")
    summary = summarise(batch)
    rows = summary.provider_batches
    due = min((row.expires_at for row in rows if row.expires_at), default=None)
    can_spend = may_spend(request, batch)
    context = {
        "batch": batch,
        "summary": summary,
        "controls": allowed_controls_of(summary, may_spend=can_spend),
        "unspendable": "" if can_spend else foreign_key_text(batch),
        "retries": [row for row in batch.retries.all() if row.succeeded or not row.is_over],
        "due": due,
        "is_past_due": bool(due and due < timezone.now()),
        **facts,
    }
    return render_partial(request, f"batchapp/batches/batch_{verb}.html", "dialog", context)


def _wake(batch: Batch) -> None:
    """Have the provider batches polled now rather than with the next tick."""
    for provider_batch in batch.provider_batches.all():
        wake(provider_batch)
