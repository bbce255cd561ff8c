"""The result lines that match no request: listed, and downloaded."""

from uuid import UUID

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from batchapp.forms.batches.results import UnmatchedLinePageForm
from batchapp.http import Request, download
from batchapp.presenters.batches.batch_retries import retry_labels
from batchapp.services.results import browse
from batchapp.templatetags.words import count
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import batch_with_content
from batchapp.views.results.head import head_of

PAGE_SIZE = 50


@require_safe
def unmatched_line_list(request: Request, pk: UUID) -> HttpResponse:
    """List the unmatched lines in the order in which they arrived."""
    batch = batch_with_content(request, pk)
    form = UnmatchedLinePageForm(request.GET)
    after = form.cleaned_data["after"] if form.is_valid() else None
    rows = browse.read_unmatched_excerpts(
        batch, request.user, after=after or 0, limit=PAGE_SIZE + 1
    )
    shown = rows[:PAGE_SIZE]
    head = head_of(request, batch, has_retries=bool(retry_labels(batch)))
    context = head | {
        "page_text": f"{count(head['unmatched_lines'], 'line')} in all",
        "rows": shown,
        "after": after,
        "next": shown[-1].unmatched_line.pk if len(rows) > PAGE_SIZE else None,
    }
    return render(request, "batchapp/results/unmatched_line_list.html", context)


@require_safe
def unmatched_line_download(request: Request, pk: UUID) -> HttpResponseBase:
    batch = batch_with_content(request, pk)
    filename = f"{slugify(batch.name) or 'batch'}-unmatched.jsonl"
    note_download(request, "unmatched", batch=batch)
    return download(
        browse.download_unmatched(batch, request.user), filename, "application/octet-stream"
    )
