"""The page that exports the results of a batch, the lists of exports, and links to files."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp import tasks
from batchapp.domain.results.export_settings import ExportSettings
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.forms.batches.exports import ExportForm
from batchapp.forms.batches.results import ResultFilterForm
from batchapp.http import Request, download, render_partial, wants_fragment
from batchapp.models import Batch, Export, StaleRow
from batchapp.presenters.batches.batch_retries import retry_labels
from batchapp.presenters.export_text import (
    FORMAT_TEXTS,
    chosen_text,
    column_groups,
    file_name,
    rows_text,
)
from batchapp.services.results.columns.open_columns import open_columns
from batchapp.services.results.exports import export_files, export_links
from batchapp.services.results.exports.export_columns import (
    available_columns,
    count_table_rows,
    usual_keys,
)
from batchapp.services.results.exports.formats import FORMATS
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import batch_with_content, can_write, project_of
from batchapp.views.project_page import project_page
from batchapp.views.results.columns_file import current_columns
from batchapp.views.results.head import head_of

PAGE = "batchapp/results/export_list.html"
PAGE_SIZE = 20
USUAL = {"format": "csv", "has_all_rows": True, "has_bom": True, "has_guard": True}


@require_http_methods(["GET", "HEAD", "POST"])
def export_list(request: Request, pk: UUID) -> HttpResponse:
    """Choose a format and columns of the results that the address filters, and list exports."""
    batch = batch_with_content(request, pk)
    if wants_fragment(request) and request.method != "POST":
        return render_partial(request, PAGE, "exports", _list_context(request, batch))
    filter_form = ResultFilterForm(request.GET, has_retries=bool(retry_labels(batch)))
    view = filter_form.view
    if view is None:
        return redirect("export_list", batch.pk)  # an address that somebody wrote by hand
    chosen = view.chosen
    facts = _facts(request, batch, chosen)
    columns = facts["columns"]
    if request.method == "POST":
        form = ExportForm(request.POST, columns=columns)
        if form.is_valid():
            export = export_files.request_export(
                batch,
                request.user,
                form.cleaned_data["format"],
                form.settings_of(chosen),
                submission=form.submission_id,
            )
            tasks.wake(export)
            return redirect(f"{reverse('export_list', args=[batch.pk])}#export-{export.pk}")
    else:
        form = ExportForm(
            initial=USUAL | {"columns": view.columns or usual_keys(columns)}, columns=columns
        )
    context = (
        _list_context(request, batch)
        | facts
        | {
            "form": form,
            "formats": [(code, FORMAT_TEXTS[code]) for code in FORMATS],
            "groups": column_groups(columns),
            "ticked": set(form["columns"].value() or ()),
            "chosen_format": form["format"].value(),
            "filter_text": chosen_text(chosen),
            "is_filtered": not chosen.is_empty,
        }
    )
    head = head_of(request, batch, has_retries=bool(retry_labels(batch)))
    return render(request, PAGE, head | context)


@require_safe
def project_export_list(request: Request, slug: str) -> HttpResponse:
    """List the exports of all batches of a project, the newest first."""
    project = project_of(request, slug)
    exports = Export.objects.filter(batch__project=project).select_related("batch")
    context = project_page(request, project, "project_export_list") | _page(request, exports)
    return render_partial(request, "batchapp/results/project_export_list.html", "exports", context)


@require_safe
def export_download(request: Request, pk: UUID) -> HttpResponseBase:
    """Send the file; with a ``link``, only if that is the file it was made for."""
    export = _export_of(request, pk)
    if link := request.GET.get("link"):
        try:
            export_links.require_linked_file(export, link)
        except export_links.UnknownLink as exc:
            raise Http404 from exc
    export_links.require_file(export)
    if not export.blob:
        raise Http404
    content_type = FORMATS[export.format].content_type
    note_download(request, "export", batch=export.batch, name=file_name(export))
    response = download(
        export_files.download(export, request.user), file_name(export), content_type
    )
    response["Content-Length"] = str(export.size)
    return response


@require_safe
def export_link(request: Request, pk: UUID) -> HttpResponse:
    """Show a link to the file that can be given on, and say until when it works."""
    export = _export_of(request, pk)
    export_links.require_file(export)
    if not export.blob:
        raise Http404
    path = reverse("export_download", args=[export.pk])
    address = f"{settings.PUBLIC_URL}{path}?link={export_links.make_link(export)}"
    context = {"export": export, "batch": export.batch, "address": address}
    return render_partial(request, "batchapp/results/export_link.html", "dialog", context)


@require_POST
def export_again(request: Request, pk: UUID) -> HttpResponse:
    """Write the file again, with the results that the batch has now."""
    export = _export_of(request, pk)
    try:
        export_files.export_again(export, request.user)
    except (StaleRow, ValueError):  # a second click, or a worker has it
        export.refresh_from_db()
    tasks.wake(export)
    return redirect(f"{_list_url(request, export)}#export-{export.pk}")


@require_POST
def export_delete(request: Request, pk: UUID) -> HttpResponse:
    export = _export_of(request, pk)
    export_files.delete_export(export, request.user)
    return redirect(_list_url(request, export))


def _export_of(request: Request, pk: UUID) -> Export:
    rows = Export.objects.visible_to(request.user)
    return get_object_or_404(rows.select_related("batch__project", "requested_by"), pk=pk)


def _facts(request: Request, batch: Batch, chosen: ResultFilter) -> dict[str, Any]:
    """Return the columns on offer, and how much the export will have, as far as that is known."""
    columns_file = current_columns(batch, request.user)
    with open_columns(columns_file, request.user, own=chosen.own) as reader:
        if reader is None:
            return {"columns": [], "rows_text": "", "has_unasked_rows": False}
        if not all(map(reader.has_column, chosen.column_names)):
            raise Http404
        total, rows = reader.count(ResultFilter(own=chosen.own)), count_table_rows(reader)
        return {
            "columns": available_columns(reader),
            "rows_text": rows_text(
                ExportSettings(chosen), chosen=reader.count(chosen), total=total, rows=rows
            ),
            "has_unasked_rows": rows is not None and rows > total and chosen.is_empty,
        }


def _list_context(request: Request, batch: Batch) -> dict[str, Any]:
    return _page(request, batch.exports.all()) | {
        "batch": batch,
        "can_write": can_write(request, batch.project),
    }


def _page(request: Request, exports: "QuerySet[Export]") -> dict[str, Any]:
    rows = exports.select_related("requested_by")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    is_moving = any(export.status == Export.Status.WRITING for export in page)
    return {"page": page, "is_moving": is_moving}


def _list_url(request: Request, export: Export) -> str:
    """Return the address of the list of exports that a form was sent from."""
    if request.POST.get("list") == "project":
        return reverse("project_export_list", args=[export.batch.project.slug])
    return reverse("export_list", args=[export.batch_id])
