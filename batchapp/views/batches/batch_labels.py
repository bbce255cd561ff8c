"""The dialog that changes the tags and the cost centre of a batch."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from batchapp.forms.labels import LabelsForm, typed
from batchapp.http import Request, render_partial
from batchapp.services.labels import batch_labels
from batchapp.views.permissions import batch_of, require_editor


@require_http_methods(["GET", "HEAD", "POST"])
def batch_label(request: Request, pk: UUID) -> HttpResponse:
    batch = batch_of(request, pk)
    require_editor(request, batch.project)
    form = LabelsForm(
        request.POST if request.method == "POST" else None,
        initial=typed(batch.labels),
        proposed=batch_labels.tags_of_project(batch.project),
    )
    if request.method == "POST" and form.is_valid():
        if batch_labels.set_labels(batch, request.user, form.labels):
            messages.success(request, "The tags and the cost centre are saved.")
        return redirect(batch)
    context = {"batch": batch, "form": form, "nav": "batches"}
    return render_partial(request, "batchapp/batches/batch_label.html", "dialog", context)
