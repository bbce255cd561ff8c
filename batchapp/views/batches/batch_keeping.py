"""The dialogs that put a batch on hold, and that delete its requests and answers."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from batchapp.forms.retention import PurgeForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch
from batchapp.presenters.keeping_text import kept_text, outdated_text, reused_text
from batchapp.services.archive import purge, retention
from batchapp.services.archive.retention import Outdated
from batchapp.views.permissions import batch_with_content, require_owner


@require_http_methods(["GET", "POST"])
def batch_hold(request: Request, pk: UUID) -> HttpResponse:
    """Put a batch on hold, or end the hold that it is on."""
    batch = _managed_batch(request, pk)
    if request.method != "POST":
        context = {"batch": batch, "kept": kept_text(retention.days_kept(batch.project))}
        return render_partial(request, "batchapp/batches/batch_hold.html", "dialog", context)
    if request.POST.get("action") == "end":
        if purge.end_hold(batch, request.user):
            messages.success(request, "The batch is no longer on hold.")
    elif purge.hold(batch, request.user):
        messages.success(request, "The batch is on hold: its requests and answers are kept.")
    return redirect(batch)


@require_http_methods(["GET", "POST"])
def batch_purge(request: Request, pk: UUID) -> HttpResponse:
    """Show what would be deleted, and delete it once that is agreed to."""
    batch = _managed_batch(request, pk)
    form = PurgeForm(request.POST if request.method == "POST" else None)
    family = purge.purgeable_family(batch)
    reused = retention.reused_elsewhere(family)
    if request.method == "POST" and form.is_valid() and form.agrees_to(reused.answers):
        if purge.purge_now(batch, request.user, reused=reused.answers):
            messages.success(request, "The requests and answers are being deleted.")
        else:
            messages.error(
                request,
                "Nothing was deleted: the batch or a retry of it is under way, or on hold.",
            )
        return redirect(batch)
    outdated = Outdated([family] if family else [])
    context = {
        "batch": batch,
        "form": form,
        "reused": reused,
        "reused_text": reused_text(reused),
        "retries": max(0, len(family) - 1),
        "deleted": outdated_text(outdated, retention.size_of(outdated)) if family else "",
    }
    return render_partial(request, "batchapp/batches/batch_purge.html", "dialog", context)


def _managed_batch(request: Request, pk: UUID) -> Batch:
    batch = batch_with_content(request, pk)
    require_owner(request, batch.project)
    return batch
