"""Pages of files: the list, the page of one file, its check, download and deletion."""

from typing import Any
from uuid import UUID, uuid4

import msgspec
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Q, Subquery
from django.http import FileResponse, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp.domain.request_files.check_file import Report
from batchapp.domain.results.conversation import turns
from batchapp.forms.files.uploads import SAMPLES, FileFilterForm, SendingForm, UploadForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, FileOrigin, Project, StaleRow, Upload
from batchapp.presenters.batches.batch_summary import summarise, with_details
from batchapp.presenters.check_summary import check_summary, percent_checked
from batchapp.presenters.file_report import (
    assumed_attachments,
    cheapest_window,
    finding_groups,
    is_exact,
    offers,
    quotes_from_histories,
    repetition,
    with_excerpts,
)
from batchapp.presenters.keeping_text import purged_text
from batchapp.presenters.list_text import no_match
from batchapp.presenters.order_choices import model_rows
from batchapp.presenters.prompt_cache_card import prompt_cache_card
from batchapp.presenters.reuse_text import reuse_card
from batchapp.presenters.unpriced_models import unpriced_group, unpriced_models
from batchapp.presenters.upload_targets import upload_target
from batchapp.services.files import upload_intake
from batchapp.services.orders import price_quotes
from batchapp.tasks import wake
from batchapp.views.audit.note_download import note_download
from batchapp.views.files import file_upload
from batchapp.views.files.conversion import correction_context
from batchapp.views.files.next_page import redirect_to_next
from batchapp.views.permissions import (
    can_write,
    project_of,
    require_editor,
    upload_of,
    upload_with_content,
)
from batchapp.views.project_page import project_page
from batchapp.views.upload_doors import require_writer, takes_files

PAGE_SIZE = 25
BATCHES_SHOWN = 10


@takes_files(require_writer)
@require_http_methods(["GET", "HEAD", "POST"])
def file_list(request: Request, slug: str) -> HttpResponse:
    """List the files of a project, and receive new ones."""
    project = project_of(request, slug)
    if request.method == "POST":
        require_editor(request, project)
        form = file_upload.form_of(request, project)
        if form.is_valid() and (answer := file_upload.receive(request, project, form)):
            return answer
        if file_upload.is_script(request):
            return file_upload.refuse(form)
        return render(request, "batchapp/files/file_list.html", _list(request, project, form))
    if file_upload.is_script(request):
        return JsonResponse(upload_target(project).facts)
    context = _list(request, project, UploadForm(connection=project.connection))
    return render_partial(request, "batchapp/files/file_list.html", "rows", context)


def _list(request: Request, project: Project, form: SendingForm) -> dict[str, Any]:
    is_file = isinstance(form, UploadForm)
    filters = FileFilterForm(request.GET)
    times_used = Batch.objects.count_for("upload")
    rows = project.uploads.select_related("uploaded_by", "portal_key")
    rows = rows.annotate(times_used=times_used)
    page = Paginator(filters.narrow(rows), PAGE_SIZE).get_page(request.GET.get("page"))
    return project_page(request, project, "file_list") | {
        "form": form if is_file else UploadForm(connection=project.connection),
        "paste": None if is_file else form,
        "target": upload_target(project),
        "filters": filters,
        "has_files": filters.is_narrow or page.paginator.count > 0,
        "no_match": no_match(
            "file",
            "name",
            request.GET.get("q", ""),
            has_other_filters=bool(request.GET.get("status") or request.GET.get("source")),
        ),
        "sort": filters.sort,
        "page": page,
        "is_moving": any(row.status == Upload.Status.CHECKING for row in page),
        "samples": SAMPLES,
    }


@require_safe
def file_detail(request: Request, pk: UUID) -> HttpResponse:
    """Show the content, the findings and the cost of a file."""
    upload = upload_of(request, pk)
    rows = with_details(Batch.objects.visible_to(request.user).filter(upload=upload))
    duplicate, versions = _related_files(upload)
    context: dict[str, Any] = project_page(request, upload.project, "file_list") | {
        "upload": upload,
        "duplicate": duplicate,
        "versions": versions if len(versions) > 1 else [],
        "has_origin": any(row.has_origin for row in versions if row.pk == upload.pk),
        "summaries": [summarise(row) for row in rows.order_by("-created_at")[:BATCHES_SHOWN]],
    }
    if upload.status == Upload.Status.CHECKING:
        context["percent"] = percent_checked(upload)
    if upload.purged_at:
        context |= {"purged": purged_text(upload), "duplicate": None}
        return render_partial(request, "batchapp/files/file_detail.html", "live", context)
    try:
        if report := upload.report:
            context |= _report_context(request, report, upload)
    except msgspec.ValidationError:
        context["is_unreadable"] = True
    return render_partial(request, "batchapp/files/file_detail.html", "live", context)


@require_safe
def file_state(request: Request, pk: UUID) -> JsonResponse:
    """Tell the script that sent a file how far its check is."""
    return file_upload.state(upload_of(request, pk))


@require_POST
def file_check(request: Request, pk: UUID) -> HttpResponse:
    """Check a file again if its check failed, or if another version wrote the report."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    try:
        if upload.status == Upload.Status.FAILED or not _is_readable(upload):
            upload_intake.check_again(upload, request.user)
            wake(upload)
    except StaleRow:
        messages.info(request, "The file is being checked again already.")
    return redirect_to_next(request, upload)


@require_http_methods(["GET", "POST"])
def file_delete(request: Request, pk: UUID) -> HttpResponse:
    """Ask for confirmation, then delete a file that no batch uses."""
    upload = upload_of(request, pk)
    require_editor(request, upload.project)
    if request.method != "POST":
        context = {"upload": upload, "project": upload.project, "used": upload.batches.count()}
        return render_partial(request, "batchapp/files/file_delete.html", "dialog", context)
    try:
        is_deleted = upload_intake.remove(upload, request.user)
    except IntegrityError:  # a batch of this file was submitted at this very moment
        is_deleted = False
    if is_deleted:
        messages.success(request, f"{upload.name} is deleted.")
        return redirect("file_list", upload.project.slug)
    messages.error(request, "The file stays: a batch uses it, and its results refer to it.")
    return redirect(upload)


@require_safe
def file_download(request: Request, pk: UUID) -> HttpResponseBase:
    """Download the bytes of the file as they were sent."""
    upload = upload_with_content(request, pk)
    if upload.lacks_content:
        messages.info(request, f"{upload.name} is still being written. Download it afterwards.")
        return redirect(upload)
    note_download(request, "file", upload.project, name=upload.name)
    return FileResponse(
        upload.blob.open("rb"),
        as_attachment=True,
        filename=upload.name,
        content_type="application/jsonl",
        headers={"Cache-Control": "private, no-store"},
    )


def _is_readable(upload: Upload) -> bool:
    try:
        return bool(upload.report) or upload.status == Upload.Status.CHECKING
    except msgspec.ValidationError:
        return False


def _related_files(upload: Upload) -> tuple[Upload | None, list[Any]]:
    """Return the first earlier file of the same bytes, and the versions, with one query.

    The versions are the file, the file that it was made from, and the files made from either.
    """
    origins = {upload.pk, upload.made_from_id} - {None}
    duplicate = Q(pk=None)
    if not upload.lacks_content:
        alike = upload.project.uploads.filter(
            sha256=upload.sha256, purged_at=None, created_at__lt=upload.created_at
        ).order_by("created_at", "pk")
        duplicate = Q(pk=Subquery(alike.values("pk")[:1]))
    rows = Upload.objects.filter(
        Q(pk__in=origins) | Q(made_from__in=origins) | duplicate, project=upload.project_id
    ).select_related("uploaded_by")
    origin = Exists(FileOrigin.objects.filter(upload=OuterRef("pk")))
    candidates = list(rows.annotate(has_origin=origin).order_by("created_at", "pk"))
    versions = [row for row in candidates if {row.pk, row.made_from_id} & origins]
    earlier = [row for row in candidates if row.pk != upload.pk and row.sha256 == upload.sha256]
    earlier = [row for row in earlier if row.sha256 and row.created_at < upload.created_at]
    return next(iter(earlier), None), versions


def _report_context(request: Request, report: Report, upload: Upload) -> dict[str, Any]:
    project, now = upload.project, timezone.now()
    connection = project.connection
    histories = price_quotes.histories_for(report, project, request.user, now)
    quotes = quotes_from_histories(report, connection, now, histories, project)
    unpriced = unpriced_models(quotes)
    price_groups = [unpriced_group(report, unpriced, connection, now)] if unpriced else []
    context: dict[str, Any] = {
        "report": report,
        "summary": check_summary(report),
        "assumed_attachments": assumed_attachments(report),
        "models": model_rows(report, quotes),
        "unpriced": unpriced,
        "corrections": [],
    }
    if can_write(request, project):
        has_unpriced = any(group.has_choice for group in price_groups)
        context |= correction_context(upload, report, unpriced if has_unpriced else [])
    groups = finding_groups(report, *price_groups)
    context["groups"] = with_excerpts(groups, upload, context["corrections"])
    if report.is_valid:
        context["offers"] = offers(quotes, is_exact=is_exact(report))
        context["cheapest"] = cheapest_window(context["offers"])
        context["turns"] = turns(upload_intake.read_first_request(upload))
        context["repetition"] = repetition(report, quotes, histories)
        if can_write(request, project):
            context |= {"reuse": reuse_card(upload, report, quotes), "submission": uuid4()}
            context["prompt_cache"] = prompt_cache_card(upload, report, quotes)
    return context
