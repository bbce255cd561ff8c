"""Pages of stored tables beside the builder: reading one again, and deleting it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.forms.tables import ReadingForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, SourceTable, StaleRow
from batchapp.services.tables import table_import
from batchapp.views.permissions import require_editor
from batchapp.views.project_page import project_page
from batchapp.views.tables import answer_tables, table_intake

BUSY = "The table is being read or used at this moment. Try again."


def table_of(request: Request, pk: UUID) -> SourceTable:
    """Return a table that the person may change."""
    rows = SourceTable.objects.visible_to(request.user)
    related = rows.select_related(
        "project__connection", "template_version__template", "answers_of__project"
    )
    table: SourceTable = get_object_or_404(related, pk=pk)
    require_editor(request, table.project)
    return table


@require_POST
def table_read(request: Request, pk: UUID) -> HttpResponse:
    """Read a table again with another sheet, encoding, separator or header."""
    table = table_of(request, pk)
    form = ReadingForm(request.POST, table=table)
    if not form.is_valid():
        messages.error(request, "Choose one of the offered ways to read the table.")
        return redirect(table)
    try:
        table = table_import.read_again(table, request.user, form.read_options)
        if table.is_from_answers:
            answer_tables.read_answers(table, request.user)
        else:
            table_intake.read(table)
    except (StaleRow, ValueError):  # the table is being read, or its requests are being written
        messages.info(request, BUSY)
    return redirect(table)


@require_http_methods(["GET", "POST"])
def table_delete(request: Request, pk: UUID) -> HttpResponse:
    """Ask for confirmation, then delete a table; files that were made of it stay."""
    table = table_of(request, pk)
    if request.method == "POST":
        if table_import.delete_table(table, request.user):
            messages.success(request, f"{table.name} is deleted.")
            return redirect("table_add", table.project.slug)
        messages.error(request, "The table stays: a batch was made from its rows.")
        return redirect(table)
    context = project_page(request, table.project, "file_list") | {
        "table": table,
        "used": Batch.objects.filter(upload__table=table).count(),
    }
    return render_partial(request, "batchapp/tables/table_delete.html", "dialog", context)
