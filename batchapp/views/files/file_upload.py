"""Receive files from a form, from a script, as pasted text, or from the samples."""

from dataclasses import dataclass

from django.contrib import messages
from django.forms import Form
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from batchapp.domain.refused import Refused
from batchapp.forms.files.received_file import ReceivedFile
from batchapp.forms.files.uploads import PasteForm, SampleForm, SendingForm, UploadForm
from batchapp.http import Request
from batchapp.models import Project, Upload
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.sentences import named
from batchapp.services.files import upload_intake
from batchapp.services.tables import table_import
from batchapp.tasks import wake
from batchapp.templatetags.statuses import upload_status
from batchapp.templatetags.words import count
from batchapp.views.permissions import project_of, require_editor
from batchapp.views.tables import table_intake


def is_script(request: Request) -> bool:
    """Return True for requests of our script, which reads JSON, and False for a form."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def form_of(request: Request, project: Project) -> SendingForm:
    if "pasted" in request.POST:
        return PasteForm(request.POST, connection=project.connection)
    return UploadForm(request.POST, request.FILES, connection=project.connection)


def receive(request: Request, project: Project, form: SendingForm) -> HttpResponse | None:
    """Store the files of a valid form, each as what it is, and lead to the next page.

    Return None, with nothing stored, if the form now has the error that a table is refused for.
    """
    tables = [file for file in form.files_sent if file.is_table]
    for file in tables:
        try:
            table_import.require_table(file.content)
        except Refused as exc:
            field = "pasted" if isinstance(form, PasteForm) else "file"
            form.add_error(field, f"{file.name}: {refusal_text(exc)}")
    if form.errors:
        return None
    stored = [_store(request, project, form, file) for file in form.files_sent]
    if is_script(request):
        return JsonResponse({"files": [row.facts for row in stored]}, status=201)
    if len(stored) == 1:
        return redirect(stored[0].next_url)
    files = len(stored) - len(tables)
    if files:
        verbs = "was uploaded and is" if files == 1 else "were uploaded and are"
        messages.success(request, f"{count(files, 'file')} {verbs} being checked.")
    if tables:
        names = named([file.name for file in tables])
        messages.success(request, f"Uploaded as tables: {names}. Open one to write its prompt.")
    return redirect("table_add" if tables else "file_list", project.slug)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where a stored file or table is looked at next, and what a script is told of it."""

    next_url: str
    facts: dict[str, object]


def _store(request: Request, project: Project, form: SendingForm, file: ReceivedFile) -> _Stored:
    if file.is_table:
        url = table_intake.receive(request, project, file).get_absolute_url()
        return _Stored(url, {"next": url})
    upload = upload_intake.receive_file(
        project, request.user, file.content, name=file.name, submission=form.submission_id
    )
    wake(upload)
    next_url = _next_url(upload, wants_batch=form.wants_batch)
    return _Stored(next_url, _upload_json(upload, next_url))


def refuse(form: Form) -> JsonResponse:
    """Tell a script why a form is invalid."""
    sentences = [str(error) for errors in form.errors.values() for error in errors]
    return JsonResponse({"error": " ".join(sentences)}, status=400)


def state(upload: Upload) -> JsonResponse:
    """Tell a script how far the check of a file is; ``text`` is shown on the page."""
    status = Upload.Status(upload.status)
    text = status.label
    if status == Upload.Status.CHECKING:
        activity = "Correcting" if upload.lacks_content else "Checking"
        text = f"{activity}: {count(upload.lines_checked, 'line')} so far"
    elif status == Upload.Status.READY:
        text = f"Ready: {count(upload.requests or 0, 'request')}"
    elif status == Upload.Status.FAULTY:
        text = f"Has errors: {count(_errors(upload), 'error')}"
    is_moving = status == Upload.Status.CHECKING
    return JsonResponse({"text": text, "tone": upload_status(upload).tone, "is_moving": is_moving})


@require_POST
def file_add_sample(request: Request, slug: str) -> HttpResponse:
    """Add a sample file to a project on a sandbox, where running it costs nothing."""
    project = project_of(request, slug)
    require_editor(request, project)
    form = SampleForm(request.POST)
    if not project.connection.is_sandbox:
        messages.error(
            request,
            f"Samples are for projects on a sandbox: {project.connection} would charge for them.",
        )
    elif not form.is_valid():
        messages.error(request, "There is no such sample. Choose one of those below.")
    else:
        upload = upload_intake.receive_sample(project, request.user, form.cleaned_data["name"])
        wake(upload)
        wants_batch = request.POST.get("then") == "batch"
        return redirect(_next_url(upload, wants_batch=wants_batch))
    return redirect("file_list", project.slug)


def _upload_json(upload: Upload, next_url: str) -> dict[str, object]:
    duplicate = upload_intake.find_earlier_copy(upload)
    return {
        "url": upload.get_absolute_url(),
        "next": next_url,
        "state": reverse("file_state", args=[upload.pk]),
        "duplicate": duplicate and _duplicate_json(duplicate),
    }


def _next_url(upload: Upload, *, wants_batch: bool) -> str:
    return reverse("order_check", args=[upload.pk]) if wants_batch else upload.get_absolute_url()


def _duplicate_json(duplicate: Upload) -> dict[str, str]:
    day = f"{duplicate.created_at:%-d %B}"
    text = f"A file with the same content is here already: {duplicate.name}, {day}"
    return {"url": duplicate.get_absolute_url(), "text": text}


def _errors(upload: Upload) -> int:
    """Return the stored number of errors; 0 if another version stored it in another form."""
    number = (upload.report_fields or {}).get("severities", {}).get("error", 0)
    return number if isinstance(number, int) else 0
