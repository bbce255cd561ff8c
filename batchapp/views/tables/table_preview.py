"""Step 3 from a table to a file of requests: the preview, the file, and its origin."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from batchapp.domain.refused import Refused
from batchapp.domain.tables import row_requests
from batchapp.forms.tables import PromptTemplateForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import FileOrigin, SourceTable, StaleRow
from batchapp.presenters import order_wizard
from batchapp.presenters.file_report import finding_groups
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.table_estimate import table_estimate
from batchapp.services.tables import requests_from_table
from batchapp.tasks import run, wake
from batchapp.views.orders.order_page import order_page
from batchapp.views.permissions import upload_of
from batchapp.views.project_page import project_page
from batchapp.views.tables.table_builder import BUSY, table_of


@require_http_methods(["GET", "HEAD", "POST"])
def table_preview(request: Request, pk: UUID) -> HttpResponse:
    """Step 3: preview requests and their cost, then write the file."""
    table = table_of(request, pk)
    prompt_settings = table.prompt_settings
    if prompt_settings is None or table.status in {
        SourceTable.Status.READING,
        SourceTable.Status.REFUSED,
    }:
        return redirect(table)
    if request.method == "POST":
        return _create_requests(request, table)
    if table.upload_id and table.status == SourceTable.Status.KEPT and "made" in request.GET:
        return _leave(request, reverse("order_check", args=[table.upload_id]))
    context = order_page(request, table.project) | {
        "table": table,
        "prompt_settings": prompt_settings,
        "steps": order_wizard.wizard_steps(order_wizard.Step.PROMPT, table.project, table=table),
        "is_moving": table.status == SourceTable.Status.MAKING,
    }
    if not context["is_moving"]:
        if row_requests.settings_errors(prompt_settings, table.columns):
            return redirect(table)  # the page of the table says what is missing
        context |= _preview(request, table, prompt_settings)
    return render_partial(request, "batchapp/tables/table_preview.html", "live", context)


def _leave(request: Request, url: str) -> HttpResponse:
    """Redirect to another page, also from a request for a fragment."""
    return HttpResponseClientRedirect(url) if wants_fragment(request) else redirect(url)


def _preview(
    request: Request, table: SourceTable, prompt_settings: row_requests.PromptSettings
) -> dict[str, Any]:
    estimate = table_estimate(table, prompt_settings, request.user)
    preview = estimate.preview
    version = table.template_version
    return {
        "estimate": estimate,
        "preview": preview,
        "findings": table.findings or preview.findings,
        "finding_total": table.finding_total or preview.finding_total,
        "were_all_tried": bool(table.finding_total),
        "groups": finding_groups(preview.report) if preview.requests else [],
        "template_form": PromptTemplateForm(
            initial={"name": version.template.name if version else ""}
        ),
        "template_names": table.project.templates.values_list("name", flat=True),
        "is_changed": version and version.prompt_settings != prompt_settings,
    }


def _create_requests(request: Request, table: SourceTable) -> HttpResponse:
    try:
        requests_from_table.request_file(table, request.user)
    except (StaleRow, ValueError):  # the file is being written already
        return redirect(request.path)
    if table.rows <= requests_from_table.QUICK_ROWS:
        run(table)
    else:
        wake(table)
    return redirect(f"{request.path}?made=1")


@require_POST
def prompt_template_save(request: Request, pk: UUID) -> HttpResponse:
    """Save the prompt settings of a table as a prompt template of its project."""
    table = table_of(request, pk)
    form = PromptTemplateForm(request.POST)
    prompt_settings = table.prompt_settings
    if prompt_settings is None:
        messages.error(request, "Write the prompt first, then save it as a prompt template.")
        return redirect(table)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for error in form.errors["name"]))
        return redirect("table_preview", table.pk)
    try:
        version = requests_from_table.save_template(
            table.project, request.user, form.cleaned_data["name"], prompt_settings
        )
        requests_from_table.save_settings(table, request.user, prompt_settings, version)
        messages.success(request, f"Saved as {version.template}, version {version.number}.")
    except Refused as exc:
        messages.error(request, refusal_text(exc))
    except StaleRow:
        messages.info(request, BUSY)
    return redirect("table_preview", table.pk)


@require_safe
def file_origin(request: Request, pk: UUID) -> HttpResponse:
    """Show the table, the prompt and the prompt template that a file was made from."""
    upload = upload_of(request, pk)
    related = FileOrigin.objects.defer("ids").select_related("version__template")
    context = project_page(request, upload.project, "file_list") | {
        "upload": upload,
        "origin": related.filter(upload=upload).first(),
    }
    return render(request, "batchapp/files/file_origin.html", context)


@require_safe
def file_id_map(request: Request, pk: UUID) -> HttpResponse:
    """Download which custom_id replaces which name of the table, as CSV."""
    upload = upload_of(request, pk)
    origin = FileOrigin.objects.filter(upload=upload).first() or FileOrigin(upload=upload)
    return HttpResponse(
        requests_from_table.id_map_csv(origin),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="ids.csv"',
            "Cache-Control": "private, no-store",
        },
    )
