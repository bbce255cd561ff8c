"""Result lines that are no request's answer: kept, and shown."""

from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from batchapp.access import batch_of
from batchapp.forms.batches.results import UnmatchedLinePageForm
from batchapp.http import Request
from batchapp.models import UnmatchedLine
from batchapp.services.results import browse

PAGE_SIZE = 50


@require_safe
def unmatched_line_list(request: Request, pk: UUID) -> HttpResponse:
    """The lines that were set aside, in the order in which they came."""
    found = batch_of(request, pk)
    form = UnmatchedLinePageForm(request.GET)
    after = form.cleaned_data["after"] if form.is_valid() else None
    all_rows = UnmatchedLine.objects.filter(provider_batch__batch=found)
    rows = list(
        all_rows.filter(pk__gt=after or 0)
        .select_related("result_chunk", "provider_batch")
        .order_by("pk")[: PAGE_SIZE + 1]
    )
    shown = rows[:PAGE_SIZE]
    context = {
        "batch": found,
        "unmatched_lines": browse.unmatched_lines(found),
        "rows": browse.unmatched_excerpts(shown),
        "after": after,
        "next": shown[-1].pk if len(rows) > PAGE_SIZE else None,
        "nav": "batches",
    }
    return render(request, "batchapp/results/unmatched_line_list.html", context)


@require_safe
def unmatched_line_download(request: Request, pk: UUID) -> HttpResponseBase:
    """The same lines, byte for byte."""
    found = batch_of(request, pk)
    name = slugify(found.name) or "batch"
    disposition = content_disposition_header(
        as_attachment=True, filename=f"{name}-set-aside.jsonl"
    )
    return StreamingHttpResponse(
        browse.download_unmatched(found),
        content_type="application/octet-stream",
        headers={"Content-Disposition": disposition, "Cache-Control": "private, no-store"},
    )
