"""Make a file of what must be sent from a checked file."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from batchapp.forms.files.reuse import NO_CHOICE, ReuseForm
from batchapp.http import Request
from batchapp.models import Upload
from batchapp.services.reuse import reduced_file
from batchapp.tasks import wake
from batchapp.views.files.next_page import redirect_to_next
from batchapp.views.permissions import require_editor, upload_with_content


@require_POST
def file_reuse(request: Request, pk: UUID) -> HttpResponse:
    """Request the file without the requests that were ticked, and go on with it."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    form = ReuseForm(request.POST)
    if not form.is_valid():
        messages.error(request, NO_CHOICE)
    if not form.is_valid() or upload.status != Upload.Status.READY:
        return redirect_to_next(request, upload)
    reduced = reduced_file.request_reduced_file(
        upload, request.user, form.choice, submission=form.submission_id
    )
    wake(reduced)
    return redirect_to_next(request, reduced)
