"""Result lines that are no request's answer: kept, and shown."""

from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from batchapp.access import batch_of
from batchapp.forms.batches.results import StrayPageForm
from batchapp.http import Request
from batchapp.models import Stray
from batchapp.services.results import browse

PAGE_SIZE = 50


@require_safe
def batch_strays(request: Request, pk: UUID) -> HttpResponse:
    """The lines that were set aside, in the order in which they came."""
    found = batch_of(request, pk)
    form = StrayPageForm(request.GET)
    after = form.cleaned_data["after"] if form.is_valid() else None
    all_rows = Stray.objects.filter(part__batch=found)
    rows = list(
        all_rows.filter(pk__gt=after or 0)
        .select_related("segment", "part")
        .order_by("pk")[: PAGE_SIZE + 1]
    )
    shown = rows[:PAGE_SIZE]
    context = {
        "batch": found,
        "strays": browse.strays(found),
        "rows": browse.set_aside(shown),
        "after": after,
        "next": shown[-1].pk if len(rows) > PAGE_SIZE else None,
        "nav": "batches",
    }
    return render(request, "batchapp/batches/strays.html", context)


@require_safe
def strays_download(request: Request, pk: UUID) -> HttpResponseBase:
    """The same lines, byte for byte."""
    found = batch_of(request, pk)
    name = slugify(found.name) or "batch"
    disposition = content_disposition_header(
        as_attachment=True, filename=f"{name}-set-aside.jsonl"
    )
    return StreamingHttpResponse(
        browse.download_set_aside(found),
        content_type="application/octet-stream",
        headers={"Content-Disposition": disposition, "Cache-Control": "private, no-store"},
    )
