"""Step 2 of a batch from a table: the prompt, with the requests of some rows beside it."""

from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import msgspec
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from batchapp.domain.refused import Refused
from batchapp.domain.tables import row_requests, starter_prompts
from batchapp.domain.tables.encodings import ENCODING_NAMES
from batchapp.domain.tables.read_options import SEPARATORS
from batchapp.domain.tables.row_requests import EMBEDDINGS, PromptSettings
from batchapp.domain.tables.starter_prompts import STARTERS, Starter
from batchapp.forms.prompts import PromptSettingsForm, PromptTemplateForm
from batchapp.forms.tables import ReadingForm
from batchapp.http import Request, redirect_page, render_partial, wants_fragment
from batchapp.models import SourceTable, StaleRow, Upload
from batchapp.presenters import order_wizard
from batchapp.presenters.batches.batch_chain import newer_text
from batchapp.presenters.file_report import finding_groups
from batchapp.presenters.model_choices import (
    ModelChoice,
    find_choice,
    first_choice,
    model_choices,
)
from batchapp.presenters.order_wizard import Step
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.table_estimate import table_estimate
from batchapp.presenters.table_notices import notice_texts
from batchapp.services.tables import requests_from_table
from batchapp.tasks import run, wake
from batchapp.views.orders.order_page import order_page
from batchapp.views.tables.table_pages import BUSY, table_of

COLUMNS_SHOWN = 30  # with their first values; a page shows only the names of the others
VALUES_SHOWN = 3
VALUE_LENGTH = 60
NAMES_SHOWN = 500
ROWS_LOOKED_AT = 20  # to find the columns for a starter prompt

# Buttons that change the form and save nothing.
CHANGES = {"starter", "add_field", "remove_field", "leave_out"}


@dataclass(frozen=True, slots=True)
class Column:
    """``placeholder`` is the column as a prompt names it; ``values`` are its first cells."""

    placeholder: str
    values: list[str]


@require_http_methods(["GET", "HEAD", "POST"])
def table_detail(request: Request, pk: UUID) -> HttpResponse:
    """Step 2: write the prompt that names the columns, and create the requests."""
    table = table_of(request, pk)
    if request.method != "POST" and "made" in request.GET and (url := _check_url(table)):
        return redirect_page(request, url)
    context = order_page(request, table.project) | {
        "table": table,
        "steps": order_wizard.wizard_steps(Step.PROMPT, table.project, table=table),
        "is_moving": table.status in {SourceTable.Status.READING, SourceTable.Status.MAKING},
        "reading": ReadingForm(table=table),
        "notices": notice_texts(table.notices),
        "encoding": ENCODING_NAMES.get(table.read_options.encoding, table.read_options.encoding),
        "newer_text": newer_text(table, request.user),
        "separator": SEPARATORS.get(table.read_options.separator, ""),
    }
    if table.status != SourceTable.Status.KEPT:
        return render_partial(request, "batchapp/tables/table_detail.html", "live", context)
    choices = model_choices(table.project.connection)
    form = _form(request, table, choices)
    is_changed = not CHANGES.isdisjoint(request.POST)
    # A button shows other rows, and a script the same rows after a change: nothing is saved.
    shows_rows = not is_changed and ("row" in request.POST or wants_fragment(request))
    goes_on = request.method == "POST" and not (is_changed or shows_rows)
    if goes_on and form.is_valid() and (answer := _save(request, table, form)):
        return answer
    context |= _builder(request, table, form, choices)
    partial = "builder" if is_changed else "request" if request.method == "POST" else "live"
    return render_partial(request, "batchapp/tables/table_detail.html", partial, context)


def _check_url(table: SourceTable) -> str:
    """Return the address of the next step once the file of the table is there, else ""."""
    if table.status != SourceTable.Status.KEPT or not table.upload_id:
        return ""
    return reverse("order_check", args=[table.upload_id]) + "?then=window"


def _form(request: Request, table: SourceTable, choices: list[ModelChoice]) -> PromptSettingsForm:
    """Return the form as it was sent, as a button changes it, or as it is stored."""
    columns = table.columns
    if request.method != "POST":
        if prompt_settings := table.prompt_settings:
            return PromptSettingsForm.showing(prompt_settings, columns)
        model = first_choice(table.project, choices)
        return PromptSettingsForm(columns=columns, initial={"model": model})
    if (starter := request.POST.get("starter", "")) in set(Starter):
        filled = _starter_settings(table, Starter(starter), choices, request.POST.get("model", ""))
        return PromptSettingsForm.showing(filled, columns)
    form = PromptSettingsForm(request.POST, columns=columns)
    return form if CHANGES.isdisjoint(request.POST) else form.changed_by_button()


def _starter_settings(
    table: SourceTable, starter: Starter, choices: list[ModelChoice], model: str
) -> PromptSettings:
    """Fill a starter prompt; the chosen model stays if it answers at the endpoint."""
    is_embedding = STARTERS[starter].url == EMBEDDINGS
    if not model or find_choice(choices, model).is_embedding != is_embedding:
        model = first_choice(table.project, choices, is_embedding=is_embedding)
    rows = requests_from_table.first_rows(table, ROWS_LOOKED_AT)
    filled = starter_prompts.fill(starter, table.columns, rows, model)
    if filled.max_tokens and find_choice(choices, model).can_turn_thinking_off:
        return msgspec.structs.replace(filled, reasoning_effort="none")
    return filled


def _save(request: Request, table: SourceTable, form: PromptSettingsForm) -> HttpResponse | None:
    """Save a valid form, and create its requests; None if the form now has an error."""
    prompt_settings, version = form.prompt_settings, table.template_version
    template_form = PromptTemplateForm(request.POST)
    try:
        if "save_template" in request.POST:
            if not template_form.is_valid():
                form.add_error(None, [str(error) for error in template_form.errors["name"]])
                return None
            version = requests_from_table.save_template(
                table.project, request.user, template_form.cleaned_data["name"], prompt_settings
            )
        requests_from_table.save_settings(table, request.user, prompt_settings, version)
        if "save_template" in request.POST and version:
            messages.success(request, f"Saved as {version.template}, version {version.number}.")
            return redirect(table)
        return _create_requests(request, table)
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
    except (StaleRow, ValueError):  # the file is being written already
        form.add_error(None, BUSY)
    return None


def _create_requests(request: Request, table: SourceTable) -> HttpResponse:
    """Create the file of a small table, and check it, within the request."""
    requests_from_table.request_file(table, request.user)
    if table.rows > requests_from_table.QUICK_ROWS:
        wake(table)
        return redirect(f"{table.get_absolute_url()}?made=1")
    run(table)
    if table.upload and table.upload.status == Upload.Status.CHECKING:
        run(table.upload)
    return redirect(_check_url(table) or f"{table.get_absolute_url()}?made=1")


def _builder(
    request: Request, table: SourceTable, form: PromptSettingsForm, choices: list[ModelChoice]
) -> dict[str, Any]:
    """Return what the page shows beside the table: the form, and the requests of some rows."""
    version, prompt_settings = table.template_version, _tried_settings(table, form)
    context = _columns(table) | {
        "form": form,
        "models": choices,
        "starters": [(name.value, starter.name) for name, starter in STARTERS.items()],
        "missing": _missing(table),
        "template_form": PromptTemplateForm(
            initial={"name": version.template.name if version else ""}
        ),
        "template_names": table.project.templates.values_list("name", flat=True),
    }
    if prompt_settings:
        row = request.POST.get("row") or request.POST.get("shown", "")
        number = int(row[:9]) if row.isdecimal() else 1
        estimate = table_estimate(table, prompt_settings, request.user, number)
        is_tried = bool(table.finding_total) and request.method != "POST"
        preview = estimate.preview
        context |= {
            "estimate": estimate,
            "model": find_choice(choices, prompt_settings.model),
            "groups": finding_groups(preview.report) if preview.requests else [],
            "findings": table.findings if is_tried else preview.findings,
            "finding_total": table.finding_total if is_tried else preview.finding_total,
        }
    return context


def _tried_settings(table: SourceTable, form: PromptSettingsForm) -> PromptSettings | None:
    """Return the settings to show rows with, if they fit the table."""
    prompt_settings = form.tried_settings
    fits = prompt_settings and not row_requests.settings_errors(prompt_settings, table.columns)
    return prompt_settings if fits else None


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
