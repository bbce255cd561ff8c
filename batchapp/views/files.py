"""Files: sent, looked at, checked again, taken back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Count
from django.http import FileResponse, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp.domain.jsonl import Report
from batchapp.forms.files import SAMPLES, SampleForm, UploadForm
from batchapp.http import MIB, Request, render_partial
from batchapp.models import Project, StaleRow, Upload
from batchapp.services import intake
from batchapp.tasks import wake
from batchapp.views.access import can_write, project_of, require_member, upload_of
from batchapp.views.preflight import fault_groups, offers, quotes_for

PAGE_SIZE = 25


@require_http_methods(["GET", "HEAD", "POST"])
def uploads(request: Request, slug: str) -> HttpResponse:
    """The files of a project, and the way to send more."""
    project = project_of(request, slug)
    if request.method == "POST":
        require_member(request, project)
        form = UploadForm(request.POST, request.FILES, connection=project.connection)
        if form.is_valid():
            return _receive(request, project, form)
    else:
        form = UploadForm(connection=project.connection)
    rows = project.uploads.select_related("uploaded_by").order_by("-created_at", "pk")
    rows = rows.annotate(times_used=Count("batches"))
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "project": project,
        "form": form,
        "page": page,
        "is_moving": any(each.status == Upload.Status.CHECKING for each in page),
        "can_write": can_write(request, project),
        "max_total": settings.MAX_UPLOAD_MIB * MIB,
        "samples": SAMPLES,
        "nav": "projects",
        "tab": "files",
    }
    if request.method == "POST":
        return render(request, "batchapp/files/files.html", context)
    return render_partial(request, "batchapp/files/files.html", "rows", context)


@require_POST
def upload_sample(request: Request, slug: str) -> HttpResponse:
    """Take in a file that comes with the portal, where trying it costs nothing."""
    project = project_of(request, slug)
    require_member(request, project)
    form = SampleForm(request.POST)
    if not project.connection.is_sandbox:
        messages.error(
            request,
            f"Samples are for projects on a sandbox: {project.connection} would charge for them.",
        )
    elif not form.is_valid():
        messages.error(request, "There is no such sample. Choose one of those below.")
    else:
        received = intake.receive_sample(project, request.user, form.cleaned_data["name"])
        wake(received)
        return redirect(received)
    return redirect("uploads", project.slug)


@require_safe
def upload(request: Request, pk: UUID) -> HttpResponse:
    """What is in a file, what is wrong with it, what it would cost."""
    found = upload_of(request, pk)
    context: dict[str, Any] = {
        "upload": found,
        "project": found.project,
        "can_write": can_write(request, found.project),
        "batches": list(found.batches.order_by("-created_at")[:10]),
        "nav": "projects",
        "tab": "files",
    }
    if report := found.report:
        context |= _preflight(report, found, timezone.now())
    return render_partial(request, "batchapp/files/file.html", "live", context)


@require_POST
def upload_check(request: Request, pk: UUID) -> HttpResponse:
    """Check a file again whose check broke off."""
    found = upload_of(request, pk)
    require_member(request, found.project)
    try:
        if found.status == Upload.Status.FAILED:
            found.move_to(Upload.Status.CHECKING, error="", lines_checked=0)
            wake(found)
    except StaleRow:
        messages.info(request, "Somebody else was faster.")
    return redirect(found)


@require_http_methods(["GET", "POST"])
def upload_delete(request: Request, pk: UUID) -> HttpResponse:
    """Delete a file that no batch was made of, once that is confirmed."""
    found = upload_of(request, pk)
    require_member(request, found.project)
    if request.method != "POST":
        context = {"upload": found, "project": found.project, "used": found.batches.count()}
        return render_partial(request, "batchapp/files/file_delete.html", "dialog", context)
    try:
        is_gone = intake.remove(found)
    except IntegrityError:  # a batch was made of it this very instant
        is_gone = False
    if is_gone:
        messages.success(request, f"{found.name} is deleted.")
        return redirect("uploads", found.project.slug)
    messages.error(request, "The file stays: a batch was made of it, and its results refer to it.")
    return redirect(found)


@require_safe
def upload_download(request: Request, pk: UUID) -> HttpResponseBase:
    """The file, byte by byte as it was sent."""
    found = upload_of(request, pk)
    return FileResponse(
        found.blob.open("rb"),
        as_attachment=True,
        filename=found.name,
        content_type="application/jsonl",
        headers={"Cache-Control": "private, no-store"},
    )


def _receive(request: Request, project: Project, form: UploadForm) -> HttpResponse:
    received = [
        intake.receive(project, request.user, file, name=file.name or "requests.jsonl")
        for file in form.cleaned_data["file"]
    ]
    for each in received:
        wake(each)
    if len(received) == 1:
        return redirect(received[0])
    messages.success(request, f"{len(received)} files are here and being checked.")
    return redirect("uploads", project.slug)


def _preflight(report: Report, found: Upload, at: datetime) -> dict[str, Any]:
    connection = found.project.connection
    return {
        "report": report,
        "groups": fault_groups(report),
        "offers": offers(quotes_for(report, connection, at)) if report.is_valid else [],
    }
