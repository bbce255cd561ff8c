"""Pages of what a file was made of: the table, the prompt and the replaced ids."""

from uuid import UUID

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batchapp.http import Request
from batchapp.models import FileOrigin
from batchapp.services.tables import requests_from_table
from batchapp.views.audit.note_download import note_download
from batchapp.views.permissions import upload_with_content
from batchapp.views.project_page import project_page


@require_safe
def file_origin(request: Request, pk: UUID) -> HttpResponse:
    """Show the table, the prompt and the prompt template that a file was made from."""
    upload = upload_with_content(request, pk)
    related = FileOrigin.objects.defer("ids").select_related("version__template")
    context = project_page(request, upload.project, "file_list") | {
        "upload": upload,
        "origin": related.filter(upload=upload).first(),
    }
    return render(request, "batchapp/files/file_origin.html", context)


@require_safe
def file_id_map(request: Request, pk: UUID) -> HttpResponse:
    """Download which custom_id replaces which name of the table, as CSV."""
    upload = upload_with_content(request, pk)
    origin = FileOrigin.objects.filter(upload=upload).first() or FileOrigin(upload=upload)
    note_download(request, "ids", upload.project, name=upload.name)
    return HttpResponse(
        requests_from_table.id_map_csv(origin),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="ids.csv"',
            "Cache-Control": "private, no-store",
        },
    )
