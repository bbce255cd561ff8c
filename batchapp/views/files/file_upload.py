"""Files on their way in: from a form, from a script, from a clipboard, or from the samples."""

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from batchapp.access import project_of, require_member
from batchapp.forms.files.uploads import ENDINGS, PasteForm, SampleForm, SendingForm, UploadForm
from batchapp.http import Request
from batchapp.models import Project, Upload
from batchapp.services.files import upload_intake
from batchapp.tasks import wake
from batchapp.templatetags.words import count

TONES = {
    Upload.Status.CHECKING: "busy",
    Upload.Status.READY: "good",
    Upload.Status.FAULTY: "bad",
    Upload.Status.FAILED: "bad",
}


def is_script(request: Request) -> bool:
    """Whether our script asks rather than a form: it reads JSON."""
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def form_of(request: Request, project: Project) -> SendingForm:
    """What was sent, whichever of the forms it was."""
    if "pasted" in request.POST:
        return PasteForm(request.POST, connection=project.connection)
    return UploadForm(request.POST, request.FILES, connection=project.connection)


def receive(request: Request, project: Project, form: SendingForm) -> HttpResponse:
    """Keep what a valid form brings, and lead to what comes next."""
    received = [
        upload_intake.receive_file(
            project, request.user, sent.content, name=sent.name, submission=form.sender
        )
        for sent in form.files_sent
    ]
    for each in received:
        wake(each)
    if is_script(request):
        files = [_received(each, wants_batch=form.wants_batch) for each in received]
        return JsonResponse({"files": files}, status=201)
    if len(received) == 1:
        return redirect(_next(received[0], wants_batch=form.wants_batch))
    messages.success(request, f"{len(received)} files are here and being checked.")
    return redirect("file_list", project.slug)


def refuse(form: SendingForm) -> JsonResponse:
    """Why a form cannot be taken, for a script."""
    sentences = [str(each) for errors in form.errors.values() for each in errors]
    return JsonResponse({"error": " ".join(sentences)}, status=400)


def limits(project: Project) -> JsonResponse:
    """What may be sent, for a script on a page without the form."""
    form = UploadForm(connection=project.connection)
    known = {"project": project.name, "max_bytes": form.max_bytes, "endings": ENDINGS}
    return JsonResponse(known)


def state(upload: Upload) -> JsonResponse:
    """How far the check of a file is; ``text`` is what a page shows of it."""
    status = Upload.Status(upload.status)
    text = status.label
    if status == Upload.Status.CHECKING:
        doing = "Correcting" if upload.is_to_be_made else "Checking"
        text = f"{doing}: {count(upload.lines_checked, 'line')} so far"
    elif status == Upload.Status.READY:
        text = f"Ready: {count(upload.requests or 0, 'request')}"
    elif status == Upload.Status.FAULTY:
        text = f"Has errors: {count(_errors(upload), 'error')}"
    is_moving = status == Upload.Status.CHECKING
    return JsonResponse({"text": text, "tone": TONES[status], "is_moving": is_moving})


@require_POST
def file_add_sample(request: Request, slug: str) -> HttpResponse:
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
        received = upload_intake.receive_sample(project, request.user, form.cleaned_data["name"])
        wake(received)
        wants_batch = request.POST.get("then") == "batch"
        return redirect(_next(received, wants_batch=wants_batch))
    return redirect("file_list", project.slug)


def _received(upload: Upload, *, wants_batch: bool) -> dict[str, object]:
    duplicate = upload_intake.earlier_copy_of(upload)
    return {
        "url": upload.get_absolute_url(),
        "next": _next(upload, wants_batch=wants_batch),
        "state": reverse("file_state", args=[upload.pk]),
        "duplicate": duplicate
        and {"url": duplicate.get_absolute_url(), "text": _same_as(duplicate)},
    }


def _next(upload: Upload, *, wants_batch: bool) -> str:
    return reverse("order_check", args=[upload.pk]) if wants_batch else upload.get_absolute_url()


def _same_as(duplicate: Upload) -> str:
    return f"The same bytes are here already: {duplicate.name}, {duplicate.created_at:%-d %B}"


def _errors(upload: Upload) -> int:
    """As stored: a report of another version has no number that we could trust."""
    report_fields = upload.report_fields or {}
    number = report_fields.get("severities", {}).get("error", 0)
    return number if isinstance(number, int) else 0
