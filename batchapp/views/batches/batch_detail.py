"""One batch: how it is, and its results to download."""

from uuid import UUID

from django.db.models import prefetch_related_objects
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from batchapp.access import batch_of, can_write
from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderBatch, ResultChunk
from batchapp.presenters.batch_actions import Means, actions_of, allowed_controls_of
from batchapp.presenters.batch_headline import headline, proof_of, tiles
from batchapp.presenters.batch_summary import Summary, summarise
from batchapp.presenters.retry_family import family_of
from batchapp.services.results import browse, retry_file
from batchapp.views.batches.batch_controls import key_of_another, may_spend


@require_safe
def batch_detail(request: Request, pk: UUID) -> HttpResponse:
    """How far it got, what became of every request, what it costs."""
    found = batch_of(request, pk)
    prefetch_related_objects([found], "provider_batches", "model_costs")
    summary = summarise(found)
    lines, unmatched_lines = browse.count_stored(found)
    may_write = can_write(request, found.project)
    means = Means(
        can_write=may_write,
        can_retry=may_write and retry_file.is_possible(found),
        has_output=lines.get(ResultChunk.Kind.OUTPUT, 0) > 0,
        has_errors=lines.get(ResultChunk.Kind.ERROR, 0) > 0,
    )
    can_spend = may_spend(request, found)
    is_held = bool(found.pause_requested_at) and not found.is_over
    context = {
        "batch": found,
        "summary": summary,
        "headline": headline(summary),
        "proof": proof_of(found) if found.is_over else "",
        "model_costs": list(found.model_costs.all()),
        "tiles": tiles(summary),
        "events": list(found.events.select_related("actor")),
        "took": summary.took,
        "can_write": may_write,
        "actions": actions_of(summary, allowed_controls_of(summary, may_spend=can_spend), means),
        "unspendable": key_of_another(found) if is_held and not can_spend else "",
        "reason": _reason(found, summary),
        "family": family_of(found),
        "needs_person": any(
            p.status == ProviderBatch.Status.NEEDS_ATTENTION for p in summary.provider_batches
        ),
        "past_errors": lines.get(ResultChunk.Kind.PAST, 0),
        "unmatched_lines": unmatched_lines,
        "nav": "batches",
    }
    return render_partial(request, "batchapp/batches/batch_detail.html", "live", context)


def _reason(found: Batch, summary: Summary) -> str:
    """What most failures say, if somebody is told that there are many."""
    is_asked = any(alert.wants_reason for alert in summary.alerts)
    return browse.common_failure(found) if is_asked else ""


@require_safe
def batch_download(request: Request, pk: UUID, kind: ResultChunk.Kind) -> HttpResponseBase:
    """The result lines that are here, as they came; of a running batch those so far."""
    found = batch_of(request, pk)
    name = slugify(found.name) or "batch"
    so_far = "" if found.is_over else "-so-far"
    disposition = content_disposition_header(
        as_attachment=True, filename=f"{name}-{kind.value}{so_far}.jsonl"
    )
    return StreamingHttpResponse(
        browse.download(found, kind),
        content_type="application/jsonl",
        headers={"Content-Disposition": disposition, "Cache-Control": "private, no-store"},
    )
