"""One batch: how it is, and what to do about it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import prefetch_related_objects
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.forms.orders import TryAgainForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Part, Segment, StaleRow
from batchapp.services import browsing, steering
from batchapp.tasks import wake
from batchapp.views.access import batch_of, can_write, require_member
from batchapp.views.sentences import headline, proof_of, tiles
from batchapp.views.summary import summarise


@require_safe
def batch(request: Request, pk: UUID) -> HttpResponse:
    """How far it got, what became of every request, what it costs."""
    found = batch_of(request, pk)
    prefetch_related_objects([found], "parts", "charges")
    summary = summarise(found)
    lines = browsing.lines(found)
    context = {
        "batch": found,
        "summary": summary,
        "headline": headline(summary),
        "proof": proof_of(found) if found.is_over else "",
        "charges": list(found.charges.all()),
        "tiles": tiles(summary),
        "events": list(found.events.select_related("actor")),
        "took": summary.took,
        "can_write": can_write(request, found.project),
        "needs_person": any(p.status == Part.Status.NEEDS_ATTENTION for p in summary.parts),
        "has_output": lines.get(Segment.Kind.OUTPUT, 0) > 0,
        "has_errors": lines.get(Segment.Kind.ERROR, 0) > 0,
        "nav": "batches",
    }
    return render_partial(request, "batchapp/batches/batch.html", "live", context)


@require_http_methods(["GET", "POST"])
def batch_cancel(request: Request, pk: UUID) -> HttpResponse:
    """Say what cancelling means, and do it when that is confirmed."""
    found = batch_of(request, pk)
    require_member(request, found.project)
    if request.method != "POST":
        context = {"batch": found, "summary": summarise(found)}
        return render_partial(request, "batchapp/batches/batch_cancel.html", "dialog", context)
    try:
        is_asked = steering.request_cancel(found, request.user)
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
def batch_try_again(request: Request, pk: UUID) -> HttpResponse:
    """Ask which key to go on with, then send what stopped on its way again."""
    found = batch_of(request, pk)
    require_member(request, found.project)
    data = request.POST if request.method == "POST" else None
    form = TryAgainForm(data, user=request.user, batch=found)
    if request.method == "POST" and form.is_valid():
        return _try_again(request, found, form)
    context: dict[str, Any] = {"batch": found, "form": form, "summary": summarise(found)}
    context["is_at_provider"] = any(part.may_be_at_provider for part in context["summary"].parts)
    return render_partial(request, "batchapp/batches/batch_try_again.html", "dialog", context)


@require_safe
def batch_download(request: Request, pk: UUID, kind: Segment.Kind) -> HttpResponseBase:
    """The result lines that are here, as they came; of a running batch those so far."""
    found = batch_of(request, pk)
    name = slugify(found.name) or "batch"
    so_far = "" if found.is_over else "-so-far"
    disposition = content_disposition_header(
        as_attachment=True, filename=f"{name}-{kind.value}{so_far}.jsonl"
    )
    return StreamingHttpResponse(
        browsing.download(found, kind),
        content_type="application/jsonl",
        headers={"Content-Disposition": disposition, "Cache-Control": "private, no-store"},
    )


def _try_again(request: Request, found: Batch, form: TryAgainForm) -> HttpResponse:
    try:
        moved = steering.try_again(found, request.user, form.cleaned_data["key"])
    except StaleRow:
        moved = 0
    if moved:
        _wake(found)
        messages.success(request, "It is on its way again.")
    else:
        messages.info(request, "Nothing waits for attention any more.")
    return redirect(found)


def _wake(found: Batch) -> None:
    """Have its parts looked at at once rather than within a tick."""
    for part in found.parts.all():
        wake(part)
