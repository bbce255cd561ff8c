"""From a table to a file of requests: the table, and what each of its rows becomes."""

from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.access import project_of, require_member
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.encodings import NAMES
from batchapp.domain.tables.table_reader import DELIMITERS
from batchapp.forms.tables import PromptSettingsForm, ReadingForm, TableForm
from batchapp.http import Request, render_partial
from batchapp.models import Project, SourceTable, StaleRow
from batchapp.presenters.order_wizard import WizardStep
from batchapp.services.tables import requests_from_table, table_import
from batchapp.tasks import run, wake

PLACE = {"nav": "projects", "tab": "file_list", "can_write": True}

TABLES_SHOWN = 10
COLUMNS_SHOWN = 30
"""Columns of a table with their first values; of the others a page has the names."""

VALUES_SHOWN = 3
VALUE_LENGTH = 60
NAMES_SHOWN = 500

TABLE, PROMPT, PREVIEW = range(3)

BUSY = "Somebody else is working with this table at this moment. Try again."


@dataclass(frozen=True, slots=True)
class Column:
    """A column as a prompt names it, and what its first cells hold."""

    chip: str
    values: list[str]


def table_of(request: Request, pk: UUID) -> SourceTable:
    """A table the person may work with: its project's viewers may not."""
    rows = SourceTable.objects.visible_to(request.user)
    related = rows.select_related("project__connection", "used__template")
    found = get_object_or_404(related, pk=pk)
    require_member(request, found.project)
    return found


def steps(here: int, project: Project, table: SourceTable | None = None) -> list[WizardStep]:
    """The steps as seen from the step ``here``."""
    urls = [reverse("table_add", args=[project.slug]), "", ""]
    if table:
        urls[PROMPT] = table.get_absolute_url()
        if table.prompt_settings_fields and table.status == SourceTable.Status.KEPT:
            urls[PREVIEW] = reverse("table_preview", args=[table.pk])
    states = ["done" if step < here else "todo" for step in range(3)]
    states[here] = "current"
    names = ["SourceTable", "Columns & prompt", "Preview"]
    return [WizardStep(*each) for each in zip(names, urls, states, strict=True)]


@require_http_methods(["GET", "HEAD", "POST"])
def table_add(request: Request, slug: str) -> HttpResponse:
    """Step 1: a table, as a file or pasted, or one that is still here."""
    project = project_of(request, slug)
    require_member(request, project)
    if request.method == "POST":
        form = TableForm(request.POST, request.FILES, project=project)
        if form.is_valid() and (table := _received(request, project, form)):
            return redirect(table)
    else:
        form = TableForm(project=project, initial={"template": request.GET.get("template")})
    kept = project.tables.select_related("created_by").defer("findings", "prompt_settings_fields")
    newest = project.templates.prefetch_related("versions__created_by").all()
    context = PLACE | {
        "project": project,
        "steps": steps(TABLE, project),
        "form": form,
        "max_mib": table_import.max_mib(),
        "tables": kept.order_by("-created_at")[:TABLES_SHOWN],
        "templates": [(each, each.versions.all()[0]) for each in newest],
    }
    return render(request, "batchapp/tables/table_add.html", context)


def _received(request: Request, project: Project, form: TableForm) -> SourceTable | None:
    """The table that a valid form brings; None if the form has to say why not."""
    content, template = form.content, form.cleaned_data["template"]
    name = content.name or "table.csv"
    version = template.versions.select_related("template").first() if template else None
    try:
        table = table_import.receive_table(project, request.user, content, name=name, used=version)
    except table_import.Refused as refused:
        form.add_error(None, str(refused))
        return None
    _read(table)
    return table


def _read(table: SourceTable) -> None:
    """Read a small table before the answer, and have a worker read a large one."""
    if table_import.is_quickly_read(table):
        run(table)
    else:
        wake(table)


@require_http_methods(["GET", "HEAD", "POST"])
def table_detail(request: Request, pk: UUID) -> HttpResponse:
    """Step 2: the columns, and the prompt that names them."""
    found = table_of(request, pk)
    context = PLACE | {
        "table": found,
        "project": found.project,
        "steps": steps(PROMPT, found.project, found),
        "is_moving": found.status in {SourceTable.Status.READING, SourceTable.Status.MAKING},
        "reading": ReadingForm(table=found),
        "encoding": NAMES.get(found.asked.encoding, found.asked.encoding),
        "delimiter": DELIMITERS.get(found.asked.delimiter, ""),
    }
    if found.status != SourceTable.Status.KEPT:
        return render_partial(request, "batchapp/tables/table_detail.html", "live", context)
    form = _form(request, found)
    if request.method == "POST" and form.is_valid():
        try:
            requests_from_table.keep_settings(found, form.prompt_settings, found.used)
            return redirect("table_preview", found.pk)
        except StaleRow:
            form.add_error(None, BUSY)
    context |= {"form": form, "missing": _missing(found), **_columns(found)}
    return render_partial(request, "batchapp/tables/table_detail.html", "live", context)


def _form(request: Request, found: SourceTable) -> PromptSettingsForm:
    known: dict[str, Any] = {"connection": found.project.connection, "columns": found.columns}
    if request.method == "POST":
        return PromptSettingsForm(request.POST, **known)
    prompt_settings = found.prompt_settings
    return PromptSettingsForm(
        initial=PromptSettingsForm.values_of(prompt_settings) if prompt_settings else None, **known
    )


def _missing(found: SourceTable) -> list[str]:
    """What the recipe needs that this table does not have: it was made for another."""
    prompt_settings = found.prompt_settings
    return row_requests.settings_errors(prompt_settings, found.columns) if prompt_settings else []


def _columns(found: SourceTable) -> dict[str, Any]:
    head = requests_from_table.head(found, VALUES_SHOWN)
    shown = [
        Column(f"{{{name}}}", [_short(row[name]) for row in head if row[name].strip()])
        for name in found.columns[:COLUMNS_SHOWN]
    ]
    return {
        "columns": shown,
        "more_columns": [f"{{{name}}}" for name in found.columns[COLUMNS_SHOWN:NAMES_SHOWN]],
        "renamed": list(islice(found.renamed, 20)),
        "first_row": dict(zip((each.chip for each in shown), _cells(found, head), strict=False)),
    }


def _cells(found: SourceTable, head: list[dict[str, str]]) -> list[str]:
    return [head[0][name][:500] for name in found.columns[:COLUMNS_SHOWN]] if head else []


def _short(text: str) -> str:
    text = " ".join(text[: 4 * VALUE_LENGTH].split())
    return text if len(text) <= VALUE_LENGTH else text[: VALUE_LENGTH - 1] + "…"


@require_POST
def table_read(request: Request, pk: UUID) -> HttpResponse:
    """Read a table again: another sheet, another encoding, another delimiter."""
    found = table_of(request, pk)
    form = ReadingForm(request.POST, table=found)
    if not form.is_valid():
        messages.error(request, "Choose how to read the table among what is offered.")
        return redirect(found)
    try:
        table_import.read_again(found, form.asked)
        _read(found)
    except (StaleRow, ValueError):  # it is being read or made into a file
        messages.info(request, BUSY)
    return redirect(found)


@require_http_methods(["GET", "POST"])
def table_delete(request: Request, pk: UUID) -> HttpResponse:
    """Delete a table, once that is confirmed; the files that were made of it stay."""
    found = table_of(request, pk)
    if request.method == "POST":
        table_import.discard(found)
        messages.success(request, f"{found.name} is deleted.")
        return redirect("table_add", found.project.slug)
    context = PLACE | {"table": found, "project": found.project}
    return render_partial(request, "batchapp/tables/table_delete.html", "dialog", context)
