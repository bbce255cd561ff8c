"""Step 1 of a batch from a table: upload or paste a table, or choose one that is stored."""

from uuid import UUID

from django.contrib import messages
from django.core.files.base import File
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.domain.refused import Refused
from batchapp.forms.files.received_file import ReceivedFile
from batchapp.forms.files.uploads import PasteForm, UploadForm
from batchapp.forms.tables import TableForm
from batchapp.http import Request
from batchapp.models import Project
from batchapp.presenters import order_wizard
from batchapp.presenters.order_wizard import Step
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.upload_targets import upload_target
from batchapp.views.files.file_upload import is_script, receive, refuse
from batchapp.views.orders.order_page import order_page
from batchapp.views.permissions import project_of, require_editor, upload_with_content
from batchapp.views.tables import table_intake
from batchapp.views.upload_doors import require_writer, takes_files

TABLES_SHOWN = 10


@takes_files(require_writer)
@require_http_methods(["GET", "HEAD", "POST"])
def table_add(request: Request, slug: str) -> HttpResponse:
    """Step 1: upload or paste a table, or choose one of the stored tables."""
    project = project_of(request, slug)
    require_editor(request, project)
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


@require_POST
def file_open_as_table(request: Request, pk: UUID) -> HttpResponse:
    """Make a table of a file that was uploaded as requests; the file stays."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    try:
        with upload.blob.open("rb") as blob:
            file = ReceivedFile(upload.name, File(blob, upload.name))
            return redirect(table_intake.receive(request, upload.project, file))
    except Refused as exc:
        messages.error(request, refusal_text(exc))
    except OSError:
        messages.error(request, "The bytes of the file cannot be read. Upload it again.")
    return redirect(upload)
