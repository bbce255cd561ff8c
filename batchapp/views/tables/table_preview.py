"""From a table to a file of requests: the preview, the file, and where a file came from."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from batchapp.access import can_write, upload_of
from batchapp.domain.tables import row_requests
from batchapp.forms.tables import PromptTemplateForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import FileOrigin, SourceTable, StaleRow
from batchapp.presenters.file_report import finding_groups, is_exact, offers, quotes_for
from batchapp.services.tables import preview_requests, requests_from_table
from batchapp.tasks import run, wake
from batchapp.views.tables.table_builder import BUSY, PLACE, PREVIEW, steps, table_of


@require_http_methods(["GET", "HEAD", "POST"])
def table_preview(request: Request, pk: UUID) -> HttpResponse:
    """Step 3: rows as they will be sent, what all of them would use, and the file itself."""
    found = table_of(request, pk)
    prompt_settings = found.prompt_settings
    if prompt_settings is None or found.status in {
        SourceTable.Status.READING,
        SourceTable.Status.REFUSED,
    }:
        return redirect(found)
    if request.method == "POST":
        return _made(request, found)
    if found.upload_id and found.status == SourceTable.Status.KEPT and "made" in request.GET:
        return _onward(request, reverse("order_check", args=[found.upload_id]))
    context = PLACE | {
        "table": found,
        "project": found.project,
        "prompt_settings": prompt_settings,
        "steps": steps(PREVIEW, found.project, found),
        "is_moving": found.status == SourceTable.Status.MAKING,
    }
    if not context["is_moving"]:
        if row_requests.settings_errors(prompt_settings, found.columns):
            return redirect(found)  # which says what is missing
        context |= _preview(request, found, prompt_settings)
    return render_partial(request, "batchapp/tables/table_preview.html", "live", context)


def _onward(request: Request, url: str) -> HttpResponse:
    """To another page, also where a fragment of this one was asked for."""
    return HttpResponseClientRedirect(url) if wants_fragment(request) else redirect(url)


def _preview(
    request: Request, found: SourceTable, prompt_settings: row_requests.PromptSettings
) -> dict[str, Any]:
    seen = preview_requests.preview_requests(found, prompt_settings)
    report = preview_requests.extrapolated(seen, found.rows)
    connection, now = found.project.connection, timezone.now()
    exact = is_exact(report)
    quotes = quotes_for(report, connection, now, project=found.project, user=request.user)
    findings = found.findings or seen.findings
    return {
        "seen": seen,
        "findings": findings,
        "finding_total": found.finding_total or seen.finding_total,
        "were_all_tried": bool(found.finding_total),
        "groups": finding_groups(seen.report) if seen.requests else [],
        "input_tokens": sum(facts.input_tokens for facts in report.models.values()),
        "is_exact": exact,
        "offers": offers(quotes, is_exact=exact),
        "template_form": PromptTemplateForm(
            initial={"name": found.used.template.name if found.used else ""}
        ),
        "template_names": found.project.templates.values_list("name", flat=True),
        "is_changed": found.used and found.used.prompt_settings != prompt_settings,
    }


def _made(request: Request, found: SourceTable) -> HttpResponse:
    try:
        requests_from_table.request_file(found, request.user)
    except (StaleRow, ValueError):  # it is being made already
        return redirect(request.path)
    if found.rows <= requests_from_table.QUICK_ROWS:
        run(found)
    else:
        wake(found)
    return redirect(f"{request.path}?made=1")


@require_POST
def prompt_template_save(request: Request, pk: UUID) -> HttpResponse:
    """Keep a table's recipe as a template of its project."""
    found = table_of(request, pk)
    form = PromptTemplateForm(request.POST)
    prompt_settings = found.prompt_settings
    if prompt_settings is None:
        messages.error(request, "Write the prompt first, then save it as a template.")
        return redirect(found)
    if not form.is_valid():
        messages.error(request, " ".join(str(each) for each in form.errors["name"]))
        return redirect("table_preview", found.pk)
    try:
        version = requests_from_table.save_template(
            found.project, request.user, form.cleaned_data["name"], prompt_settings
        )
        requests_from_table.keep_settings(found, prompt_settings, version)
        messages.success(request, f"Saved as {version.template}, version {version.number}.")
    except requests_from_table.Refused as refused:
        messages.error(request, str(refused))
    except StaleRow:
        messages.info(request, BUSY)
    return redirect("table_preview", found.pk)


@require_safe
def file_origin(request: Request, pk: UUID) -> HttpResponse:
    """What made a file: the table, the prompt, the template and its version."""
    upload = upload_of(request, pk)
    related = FileOrigin.objects.defer("ids").select_related("version__template")
    context = {
        "upload": upload,
        "project": upload.project,
        "origin": related.filter(upload=upload).first(),
        "can_write": can_write(request, upload.project),
        "nav": "projects",
        "tab": "file_list",
    }
    return render(request, "batchapp/files/file_origin.html", context)


@require_safe
def file_id_map(request: Request, pk: UUID) -> HttpResponse:
    """Which custom_id stands in for which name in the table, as a CSV file."""
    upload = upload_of(request, pk)
    origin = FileOrigin.objects.filter(upload=upload).first() or FileOrigin(upload=upload)
    return HttpResponse(
        requests_from_table.id_map(origin),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="ids.csv"',
            "Cache-Control": "private, no-store",
        },
    )
