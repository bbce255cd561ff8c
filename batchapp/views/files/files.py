"""Files: listed, sent, looked at, checked again, taken back."""

from typing import Any
from uuid import UUID

import msgspec
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.http import FileResponse, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp.access import can_write, project_of, require_member, upload_of
from batchapp.domain.request_files.check_file import Report
from batchapp.forms.files.uploads import SAMPLES, FileFilterForm, SendingForm, UploadForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, FileOrigin, Project, StaleRow, Upload
from batchapp.presenters.batch_summary import summarise, with_details
from batchapp.presenters.file_report import (
    assumed_attachments,
    finding_groups,
    is_exact,
    offers,
    quotes_by,
    repetition,
    with_excerpts,
)
from batchapp.presenters.order_choices import model_rows
from batchapp.presenters.unpriced_models import no_price, unpriced_models
from batchapp.services.files import upload_intake
from batchapp.services.orders import price_quotes
from batchapp.tasks import wake
from batchapp.views.files import file_upload
from batchapp.views.files.file_correction import offered_corrections

PAGE_SIZE = 25
BATCHES_SHOWN = 10


@require_http_methods(["GET", "HEAD", "POST"])
def file_list(request: Request, slug: str) -> HttpResponse:
    """The files of a project, and the way to send more."""
    project = project_of(request, slug)
    if request.method == "POST":
        require_member(request, project)
        form = file_upload.form_of(request, project)
        if form.is_valid():
            return file_upload.receive(request, project, form)
        if file_upload.is_script(request):
            return file_upload.refuse(form)
        return render(request, "batchapp/files/file_list.html", _list(request, project, form))
    if file_upload.is_script(request):
        return file_upload.limits(project)
    context = _list(request, project, UploadForm(connection=project.connection))
    return render_partial(request, "batchapp/files/file_list.html", "rows", context)


def _list(request: Request, project: Project, form: SendingForm) -> dict[str, Any]:
    is_file = isinstance(form, UploadForm)
    filters = FileFilterForm(request.GET)
    rows = project.uploads.select_related("uploaded_by").annotate(times_used=Count("batches"))
    page = Paginator(filters.narrow(rows), PAGE_SIZE).get_page(request.GET.get("page"))
    return {
        "project": project,
        "form": form if is_file else UploadForm(connection=project.connection),
        "paste": None if is_file else form,
        "filters": filters,
        "sort": filters.sort,
        "page": page,
        "is_moving": any(each.status == Upload.Status.CHECKING for each in page),
        "can_write": can_write(request, project),
        "samples": SAMPLES,
        "nav": "projects",
        "tab": "file_list",
    }


@require_safe
def file_detail(request: Request, pk: UUID) -> HttpResponse:
    """What is in a file, what is wrong with it, what it would cost."""
    found = upload_of(request, pk)
    rows = with_details(Batch.objects.visible_to(request.user).filter(upload=found))
    duplicate, family = _relatives(found)
    context: dict[str, Any] = {
        "upload": found,
        "project": found.project,
        "can_write": can_write(request, found.project),
        "duplicate": duplicate,
        "versions": family if len(family) > 1 else [],
        "has_origin": any(each.has_origin for each in family if each.pk == found.pk),
        "summaries": [summarise(each) for each in rows.order_by("-created_at")[:BATCHES_SHOWN]],
        "nav": "projects",
        "tab": "file_list",
    }
    try:
        if report := found.report:
            context |= _preflight(request, report, found)
    except msgspec.ValidationError:
        context["is_unreadable"] = True
    return render_partial(request, "batchapp/files/file_detail.html", "live", context)


@require_safe
def file_state(request: Request, pk: UUID) -> JsonResponse:
    """How far the check of a file is, for the script that sent it."""
    return file_upload.state(upload_of(request, pk))


@require_POST
def file_check(request: Request, pk: UUID) -> HttpResponse:
    """Check a file again whose check broke off, or was written by another version."""
    found = upload_of(request, pk)
    require_member(request, found.project)
    try:
        if found.status == Upload.Status.FAILED or not _is_readable(found):
            upload_intake.check_again(found)
            wake(found)
    except StaleRow:
        messages.info(request, "Somebody else was faster.")
    if request.POST.get("then") == "batch":
        return redirect("order_check", found.pk)
    return redirect(found)


@require_http_methods(["GET", "POST"])
def file_delete(request: Request, pk: UUID) -> HttpResponse:
    """Delete a file that no batch was made of, once that is confirmed."""
    found = upload_of(request, pk)
    require_member(request, found.project)
    if request.method != "POST":
        context = {"upload": found, "project": found.project, "used": found.batches.count()}
        return render_partial(request, "batchapp/files/file_delete.html", "dialog", context)
    try:
        is_gone = upload_intake.remove(found)
    except IntegrityError:  # a batch was made of it this very instant
        is_gone = False
    if is_gone:
        messages.success(request, f"{found.name} is deleted.")
        return redirect("file_list", found.project.slug)
    messages.error(request, "The file stays: a batch was made of it, and its results refer to it.")
    return redirect(found)


@require_safe
def file_download(request: Request, pk: UUID) -> HttpResponseBase:
    """The file, byte by byte as it was sent."""
    found = upload_of(request, pk)
    if found.is_to_be_made:
        messages.info(request, f"{found.name} is still being made. Download it afterwards.")
        return redirect(found)
    return FileResponse(
        found.blob.open("rb"),
        as_attachment=True,
        filename=found.name,
        content_type="application/jsonl",
        headers={"Cache-Control": "private, no-store"},
    )


def _is_readable(found: Upload) -> bool:
    try:
        return bool(found.report) or found.status == Upload.Status.CHECKING
    except msgspec.ValidationError:
        return False


def _relatives(found: Upload) -> tuple[Upload | None, list[Any]]:
    """The first file of the same bytes, if one came before, and the versions; in one query.

    The versions are the file, what it was made from, and what was made of either.
    """
    origins = {found.pk, found.made_from_id} - {None}
    duplicate = Q(pk=None)
    if not found.is_to_be_made:
        alike = found.project.uploads.filter(
            sha256=found.sha256, created_at__lt=found.created_at
        ).order_by("created_at", "pk")
        duplicate = Q(pk=Subquery(alike.values("pk")[:1]))
    rows = Upload.objects.filter(
        Q(pk__in=origins) | Q(made_from__in=origins) | duplicate, project=found.project_id
    ).select_related("uploaded_by")
    origin = Exists(FileOrigin.objects.filter(upload=OuterRef("pk")))
    known = list(rows.annotate(has_origin=origin).order_by("created_at", "pk"))
    family = [row for row in known if {row.pk, row.made_from_id} & origins]
    earlier = [row for row in known if row.pk != found.pk and row.sha256 == found.sha256]
    earlier = [row for row in earlier if row.sha256 and row.created_at < found.created_at]
    return next(iter(earlier), None), family


def _preflight(request: Request, report: Report, found: Upload) -> dict[str, Any]:
    project, now = found.project, timezone.now()
    connection = project.connection
    histories = price_quotes.histories_for(report, project, request.user, now)
    quotes = quotes_by(report, connection, now, histories)
    unpriced = unpriced_models(quotes)
    others = [no_price(report, unpriced, connection, now)] if unpriced else []
    context: dict[str, Any] = {
        "report": report,
        "groups": with_excerpts(finding_groups(report, *others), found),
        "assumed_attachments": assumed_attachments(report),
        "models": model_rows(report, quotes),
        "unpriced": unpriced,
        "corrections": offered_corrections(
            report, has_unpriced=any(each.has_choice for each in others)
        )
        if can_write(request, project)
        else [],
    }
    if report.is_valid:
        context["offers"] = offers(quotes, is_exact=is_exact(report))
        context["repetition"] = repetition(report, quotes, histories)
    return context
