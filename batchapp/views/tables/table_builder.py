"""Steps 1 and 2 from a table to a file of requests: the table, and the prompt."""

from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.domain.refused import Refused
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.encodings import ENCODING_NAMES
from batchapp.domain.tables.read_options import SEPARATORS
from batchapp.forms.files.uploads import PasteForm, UploadForm
from batchapp.forms.tables import PromptSettingsForm, ReadingForm, TableForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Batch, Project, SourceTable, StaleRow
from batchapp.presenters import order_wizard
from batchapp.presenters.order_wizard import Step
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.table_estimate import table_estimate
from batchapp.presenters.table_notices import notice_texts
from batchapp.presenters.upload_targets import upload_target
from batchapp.services.tables import requests_from_table, table_import
from batchapp.views.files.file_upload import is_script, receive, refuse
from batchapp.views.orders.order_page import order_page
from batchapp.views.permissions import project_of, require_member
from batchapp.views.project_page import project_page
from batchapp.views.tables import table_intake

TABLES_SHOWN = 10
COLUMNS_SHOWN = 30  # with their first values; a page shows only the names of the others
VALUES_SHOWN = 3
VALUE_LENGTH = 60
NAMES_SHOWN = 500

BUSY = "The table is being read or used at this moment. Try again."


@dataclass(frozen=True, slots=True)
class Column:
    """``placeholder`` is the column as a prompt names it; ``values`` are its first cells."""

    placeholder: str
    values: list[str]


def table_of(request: Request, pk: UUID) -> SourceTable:
    """Return a table that the person may change."""
    rows = SourceTable.objects.visible_to(request.user)
    related = rows.select_related("project__connection", "template_version__template")
    table: SourceTable = get_object_or_404(related, pk=pk)
    require_member(request, table.project)
    return table


@require_http_methods(["GET", "HEAD", "POST"])
def table_add(request: Request, slug: str) -> HttpResponse:
    """Step 1: upload or paste a table, or choose one of the stored tables."""
    project = project_of(request, slug)
    require_member(request, project)
    if request.method == "POST":
        form = TableForm(request.POST, request.FILES, project=project)
        if form.is_valid() and (answer := _receive(request, project, form)):
            return answer
        if is_script(request):
            return refuse(form)
    else:
        form = TableForm(project=project, initial={"template": request.GET.get("template")})
    tables = project.tables.select_related("created_by").defer(
        "findings", "prompt_settings_fields"
    )
    templates = project.templates.prefetch_related("versions__created_by").all()
    context = order_page(request, project) | {
        "steps": order_wizard.wizard_steps(Step.TABLE, project),
        "sources": order_wizard.file_sources(project, order_wizard.TABLE),
        "form": form,
        "target": upload_target(project),
        "tables": tables.order_by("-created_at")[:TABLES_SHOWN],
        "templates": [(row, row.versions.all()[0]) for row in templates],
    }
    return render(request, "batchapp/tables/table_add.html", context)


def _receive(request: Request, project: Project, form: TableForm) -> HttpResponse | None:
    """Store what a valid form has, and lead to its page; None if the form now has an error.

    A file of requests goes on to its check, as if it had been sent there.
    """
    if form.received.has_requests:
        return _receive_requests(request, project, form)
    template = form.cleaned_data["template"]
    version = template.versions.select_related("template").first() if template else None
    try:
        table = table_intake.receive(request, project, form.received, version=version)
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
        return None
    if is_script(request):
        return JsonResponse({"files": [{"next": table.get_absolute_url()}]}, status=201)
    return redirect(table)


def _receive_requests(request: Request, project: Project, form: TableForm) -> HttpResponse | None:
    data = {**request.POST.dict(), "then": "batch"}
    kind = UploadForm if form.cleaned_data["file"] else PasteForm
    sending = kind(data, request.FILES, connection=project.connection)
    if sending.is_valid():
        return receive(request, project, sending)
    form.add_error(None, [str(error) for errors in sending.errors.values() for error in errors])
    return None


@require_http_methods(["GET", "HEAD", "POST"])
def table_detail(request: Request, pk: UUID) -> HttpResponse:
    """Step 2: show the columns, and edit the prompt that names them."""
    table = table_of(request, pk)
    context = order_page(request, table.project) | {
        "table": table,
        "steps": order_wizard.wizard_steps(Step.PROMPT, table.project, table=table),
        "is_moving": table.status in {SourceTable.Status.READING, SourceTable.Status.MAKING},
        "reading": ReadingForm(table=table),
        "notices": notice_texts(table.notices),
        "encoding": ENCODING_NAMES.get(table.read_options.encoding, table.read_options.encoding),
        "separator": SEPARATORS.get(table.read_options.separator, ""),
    }
    if table.status != SourceTable.Status.KEPT:
        return render_partial(request, "batchapp/tables/table_detail.html", "live", context)
    form = _form(request, table)
    # A button shows another row, and a script the same row after a change: nothing is saved.
    shows_row = request.method == "POST" and ("row" in request.POST or wants_fragment(request))
    if request.method == "POST" and not shows_row and form.is_valid():
        try:
            requests_from_table.save_settings(
                table, request.user, form.prompt_settings, table.template_version
            )
            return redirect("table_preview", table.pk)
        except StaleRow:
            form.add_error(None, BUSY)
    context |= {"form": form, "missing": _missing(table), **_columns(table)}
    if prompt_settings := _tried_settings(table, form):
        row = request.POST.get("row") or request.POST.get("shown", "")
        number = int(row[:9]) if row.isdecimal() else 1
        context["estimate"] = table_estimate(table, prompt_settings, request.user, number)
    partial = "request" if shows_row else "live"
    return render_partial(request, "batchapp/tables/table_detail.html", partial, context)


def _tried_settings(
    table: SourceTable, form: PromptSettingsForm
) -> row_requests.PromptSettings | None:
    """Return the settings to show a row with: those of the form, or those that are stored."""
    if form.is_bound:
        prompt_settings = None if form["prompt"].errors else form.prompt_settings
    else:
        prompt_settings = table.prompt_settings
    fits = prompt_settings and not row_requests.settings_errors(prompt_settings, table.columns)
    return prompt_settings if fits else None


def _form(request: Request, table: SourceTable) -> PromptSettingsForm:
    facts: dict[str, Any] = {"connection": table.project.connection, "columns": table.columns}
    if request.method == "POST":
        return PromptSettingsForm(request.POST, **facts)
    prompt_settings = table.prompt_settings
    return PromptSettingsForm(
        initial=PromptSettingsForm.values_of(prompt_settings) if prompt_settings else None, **facts
    )


def _missing(table: SourceTable) -> list[str]:
    """Say what the prompt settings need, if they were made for a table with other columns."""
    prompt_settings = table.prompt_settings
    return row_requests.settings_errors(prompt_settings, table.columns) if prompt_settings else []


def _columns(table: SourceTable) -> dict[str, Any]:
    head = requests_from_table.first_rows(table, VALUES_SHOWN)
    return {
        "columns": [
            Column(f"{{{name}}}", [_short(row[name]) for row in head if row[name].strip()])
            for name in table.columns[:COLUMNS_SHOWN]
        ],
        "more_columns": [f"{{{name}}}" for name in table.columns[COLUMNS_SHOWN:NAMES_SHOWN]],
        "renamed": list(islice(table.renamed, 20)),
    }


def _short(text: str) -> str:
    text = " ".join(text[: 4 * VALUE_LENGTH].split())
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"


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
