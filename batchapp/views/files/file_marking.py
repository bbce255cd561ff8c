"""Make a version of a file whose shared prompt is marked for the provider's cache, or unmarked."""

from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST

from batchapp.forms.fields import SubmissionForm
from batchapp.http import Request
from batchapp.presenters.file_report import quotes_for
from batchapp.presenters.order_wizard import report_of_ready
from batchapp.presenters.prompt_cache_card import prompt_cache_card
from batchapp.services.files import correct_file
from batchapp.tasks import wake
from batchapp.views.files.next_page import redirect_to_next
from batchapp.views.permissions import require_editor, upload_with_content


@require_POST
def file_mark(request: Request, pk: UUID) -> HttpResponse:
    """Request the version that the card offers at the prices of now, and go on with it."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
    form, report = SubmissionForm(request.POST), report_of_ready(upload)
    if report is None or not form.is_valid():
        return redirect_to_next(request, upload)
    project = upload.project
    quotes = quotes_for(
        report, project.connection, timezone.now(), project=project, user=request.user
    )
    card = prompt_cache_card(upload, report, quotes)
    if card is None or card.choice is None:
        return redirect_to_next(request, upload)
    marked = correct_file.request_correction(
        upload, request.user, card.choice, submission=form.submission_id
    )
    wake(marked)
    return redirect_to_next(request, marked)
