"""What a person wants of a batch: cancel, pause, resume, try again, run what failed in place."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.access import batch_of, require_member
from batchapp.forms.orders import TryAgainForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderBatch, StaleRow
from batchapp.presenters.batch_actions import allowed_controls_of
from batchapp.presenters.batch_summary import summarise
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.tasks import wake

MOVED_ON = "It moved on at this very moment, so nothing was changed. Do it once more."


@require_http_methods(["GET", "POST"])
def batch_cancel(request: Request, pk: UUID) -> HttpResponse:
    """Say what cancelling means, and do it when that is confirmed."""
    found = _batch_to_steer(request, pk)
    if request.method != "POST":
        return _dialog(request, found, "cancel")
    try:
        is_asked = controls.request_cancel(found, request.user)
    except StaleRow:
        messages.error(request, "It moved on at this very moment and goes on. Cancel once more.")
        return redirect(found)
    if is_asked:
        _wake(found)
        messages.success(request, "The batch is being cancelled.")
    else:
        messages.info(
            request, "There is nothing to cancel: it is over, or being cancelled already."
        )
    return redirect(found)


@require_http_methods(["GET", "POST"])
def batch_pause(request: Request, pk: UUID) -> HttpResponse:
    """Say what a pause means, or why there is none here, and do it when that is confirmed."""
    found = _batch_to_steer(request, pk)
    if request.method != "POST":
        return _dialog(request, found, "pause")
    if controls.request_pause(found, request.user):
        _wake(found)
        messages.success(request, "The batch is being paused.")
    else:
        messages.info(request, _why_no_pause(found))
    return redirect(found)


def _why_no_pause(found: Batch) -> str:
    found.refresh_from_db()
    if found.cancel_requested_at and not found.is_over:
        return "It is being cancelled, so it cannot be paused."
    if found.status != Batch.Status.RUNNING:
        return "There is nothing to pause: it is over."
    if found.pause_requested_at:
        return "It is paused already, or about to be."
    return (
        f"{found.connection} cannot take up a batch again that was stopped. Cancel it instead, "
        "then retry the cancelled requests as a new batch."
    )


@require_http_methods(["GET", "POST"])
def batch_resume(request: Request, pk: UUID) -> HttpResponse:
    """Say what goes on, and let it when that is confirmed."""
    found = _batch_to_steer(request, pk)
    if request.method != "POST":
        return _dialog(request, found, "resume")
    try:
        is_asked = controls.resume(found, request.user)
    except StaleRow:
        messages.error(request, MOVED_ON)
        return redirect(found)
    if is_asked:
        _wake(found)
        messages.success(request, "The batch goes on.")
    else:
        messages.info(request, _why_no_resume(found, request))
    return redirect(found)


def _why_no_resume(found: Batch, request: Request) -> str:
    if found.pause_requested_at and not may_spend(request, found):
        return key_of_another(found)
    return "There is nothing to resume: it is not paused."


@require_http_methods(["GET", "POST"])
def batch_retry_in_place(request: Request, pk: UUID) -> HttpResponse:
    """Say what a retry in the same batch does, and ask for it when that is confirmed."""
    found = _batch_to_steer(request, pk)
    if request.method != "POST":
        number = retry_in_place.count_retryable(found, request.user)
        return _dialog(request, found, "retry_in_place", number=number)
    try:
        number = retry_in_place.request_retry_in_place(found, request.user)
    except StaleRow:
        messages.error(request, MOVED_ON)
        return redirect(found)
    if number:
        _wake(found)
        messages.success(request, "What has no answer is being run again.")
    elif not may_spend(request, found):
        messages.error(request, key_of_another(found))
    else:
        messages.info(request, "There is nothing to run again here, or it is under way already.")
    return redirect(found)


@require_http_methods(["GET", "POST"])
def batch_try_again(request: Request, pk: UUID) -> HttpResponse:
    """Ask which key to go on with, then send what stopped on its way again."""
    found = _batch_to_steer(request, pk)
    data = request.POST if request.method == "POST" else None
    provider_batches = found.provider_batches.all()
    is_at_provider = any(provider_batch.may_be_at_provider for provider_batch in provider_batches)
    keeps_key = is_at_provider or may_spend(request, found)
    form = TryAgainForm(data, user=request.user, batch=found, keeps_key=keeps_key)
    if request.method == "POST" and form.is_valid():
        return _try_again(request, found, form)
    is_paid = any(
        provider_batch.stopped_in_status in controls.PAID for provider_batch in provider_batches
    )
    return _dialog(
        request, found, "try_again", form=form, is_at_provider=is_at_provider, is_paid=is_paid
    )


def _try_again(request: Request, found: Batch, form: TryAgainForm) -> HttpResponse:
    try:
        moved = controls.try_again(found, request.user, form.cleaned_data["key"])
    except StaleRow:
        moved = 0
    if moved:
        _wake(found)
        messages.success(request, "It is on its way again.")
    elif found.provider_batches.needing_attention().exists() and not may_spend(request, found):
        messages.error(request, key_of_another(found))
    else:
        messages.info(request, "Nothing waits for attention any more.")
    return redirect(found)


def may_spend(request: Request, found: Batch) -> bool:
    return found.key.may_be_spent_by(request.user, found.project)


def key_of_another(found: Batch) -> str:
    """Why nothing more of it runs on its key, and what to do."""
    first = "Retry its" if found.is_over else "Cancel it, then retry its"
    return (
        f"It is on a key of {found.key.user}, who is no longer a member of {found.project}, so "
        f"nothing that stopped runs on it again. {first} requests as a new batch on another key."
    )


def _batch_to_steer(request: Request, pk: UUID) -> Batch:
    found = batch_of(request, pk)
    require_member(request, found.project)
    return found


def _dialog(request: Request, found: Batch, wish: str, **more: Any) -> HttpResponse:
    summary = summarise(found)
    due = _due(summary.provider_batches)
    can_spend = may_spend(request, found)
    context = {
        "batch": found,
        "summary": summary,
        "offers": allowed_controls_of(summary, may_spend=can_spend),
        "unspendable": "" if can_spend else key_of_another(found),
        "retries": [each for each in found.retries.all() if each.succeeded or not each.is_over],
        "due": due,
        "is_past_due": bool(due and due < timezone.now()),
        **more,
    }
    return render_partial(request, f"batchapp/batches/batch_{wish}.html", "dialog", context)


def _due(provider_batches: list[ProviderBatch]) -> datetime | None:
    return min(
        (
            provider_batch.expires_at
            for provider_batch in provider_batches
            if provider_batch.expires_at
        ),
        default=None,
    )


def _wake(found: Batch) -> None:
    """Have its parts looked at at once rather than within a tick."""
    for provider_batch in found.provider_batches.all():
        wake(provider_batch)
