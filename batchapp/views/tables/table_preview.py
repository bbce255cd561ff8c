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
from batchapp.forms.tables import TemplateForm
from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import Origin, StaleRow, Table
from batchapp.presenters.file_report import fault_groups, is_exact, offers, quotes_for
from batchapp.services.tables import preview_requests, requests_from_table
from batchapp.tasks import run, wake
from batchapp.views.tables.table_builder import BUSY, PLACE, PREVIEW, steps, table_of


@require_http_methods(["GET", "HEAD", "POST"])
def table_preview(request: Request, pk: UUID) -> HttpResponse:
    """Step 3: rows as they will be sent, what all of them would use, and the file itself."""
    found = table_of(request, pk)
    recipe = found.recipe
    if recipe is None or found.status in {Table.Status.READING, Table.Status.REFUSED}:
        return redirect(found)
    if request.method == "POST":
        return _made(request, found)
    if found.upload_id and found.status == Table.Status.KEPT and "made" in request.GET:
        return _onward(request, reverse("batch_check", args=[found.upload_id]))
    context = PLACE | {
        "table": found,
        "project": found.project,
        "recipe": recipe,
        "steps": steps(PREVIEW, found.project, found),
        "is_moving": found.status == Table.Status.MAKING,
    }
    if not context["is_moving"]:
        if row_requests.faults_of(recipe, found.columns):
            return redirect(found)  # which says what is missing
        context |= _preview(request, found, recipe)
    return render_partial(request, "batchapp/building/preview.html", "live", context)


def _onward(request: Request, url: str) -> HttpResponse:
    """To another page, also where a fragment of this one was asked for."""
    return HttpResponseClientRedirect(url) if wants_fragment(request) else redirect(url)


def _preview(request: Request, found: Table, recipe: row_requests.Recipe) -> dict[str, Any]:
    seen = preview_requests.preview(found, recipe)
    report = preview_requests.extrapolated(seen, found.rows)
    connection, now = found.project.connection, timezone.now()
    exact = is_exact(report)
    quotes = quotes_for(report, connection, now, project=found.project, user=request.user)
    faults = found.faults or seen.faults
    return {
        "seen": seen,
        "faults": faults,
        "fault_total": found.fault_total or seen.fault_total,
        "were_all_tried": bool(found.fault_total),
        "groups": fault_groups(seen.report) if seen.requests else [],
        "input_tokens": sum(facts.input_tokens for facts in report.models.values()),
        "is_exact": exact,
        "offers": offers(quotes, is_exact=exact),
        "template_form": TemplateForm(
            initial={"name": found.used.template.name if found.used else ""}
        ),
        "template_names": found.project.templates.values_list("name", flat=True),
        "is_changed": found.used and found.used.recipe != recipe,
    }


def _made(request: Request, found: Table) -> HttpResponse:
    try:
        requests_from_table.begin(found, request.user)
    except (StaleRow, ValueError):  # it is being made already
        return redirect(request.path)
    if found.rows <= requests_from_table.QUICK_ROWS:
        run(found)
    else:
        wake(found)
    return redirect(f"{request.path}?made=1")


@require_POST
def table_template(request: Request, pk: UUID) -> HttpResponse:
    """Keep a table's recipe as a template of its project."""
    found = table_of(request, pk)
    form = TemplateForm(request.POST)
    recipe = found.recipe
    if recipe is None:
        messages.error(request, "Write the prompt first, then save it as a template.")
        return redirect(found)
    if not form.is_valid():
        messages.error(request, " ".join(str(each) for each in form.errors["name"]))
        return redirect("table_preview", found.pk)
    try:
        version = requests_from_table.save_template(
            found.project, request.user, form.cleaned_data["name"], recipe
        )
        requests_from_table.keep(found, recipe, version)
        messages.success(request, f"Saved as {version.template}, version {version.number}.")
    except requests_from_table.Refused as refused:
        messages.error(request, str(refused))
    except StaleRow:
        messages.info(request, BUSY)
    return redirect("table_preview", found.pk)


@require_safe
def upload_origin(request: Request, pk: UUID) -> HttpResponse:
    """What made a file: the table, the prompt, the template and its version."""
    upload = upload_of(request, pk)
    related = Origin.objects.defer("ids").select_related("version__template")
    context = {
        "upload": upload,
        "project": upload.project,
        "origin": related.filter(upload=upload).first(),
        "can_write": can_write(request, upload.project),
        "nav": "projects",
        "tab": "uploads",
    }
    return render(request, "batchapp/building/origin.html", context)


@require_safe
def upload_ids(request: Request, pk: UUID) -> HttpResponse:
    """Which custom_id stands in for which name in the table, as a CSV file."""
    upload = upload_of(request, pk)
    origin = Origin.objects.filter(upload=upload).first() or Origin(upload=upload)
    return HttpResponse(
        requests_from_table.id_map(origin),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="ids.csv"',
            "Cache-Control": "private, no-store",
        },
    )
