"""From a checked file to a batch: the one page that spends money."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.forms.batches import OrderForm
from batchapp.http import Request
from batchapp.models import Batch, Upload
from batchapp.services import ordering
from batchapp.tasks import wake
from batchapp.views.access import require_member, upload_of
from batchapp.views.preflight import offers, quotes_for


@require_http_methods(["GET", "POST"])
def batch_new(request: Request, pk: UUID) -> HttpResponse:
    """Choose name, completion window and key, see the price of each, and submit."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    form = OrderForm(
        request.POST if request.method == "POST" else None,
        user=request.user,
        project=upload.project,
        initial={"name": ordering.default_name(upload)},
    )
    if request.method == "POST" and form.is_valid():
        batch = _order(request, upload, form)
        if batch:
            return redirect(batch)
    report = upload.report
    is_ready = report is not None and upload.status == Upload.Status.READY
    quotes = (
        quotes_for(report, upload.project.connection, timezone.now())
        if report and is_ready
        else None
    )
    context: dict[str, Any] = {
        "upload": upload,
        "project": upload.project,
        "form": form,
        "is_ready": is_ready,
        "report": report,
        "offers": offers(quotes) if quotes else [],
        "shown": ordering.price_tag(quotes) if quotes else "",
        "window": form["window"].value(),
        "nav": "projects",
        "tab": "files",
    }
    return render(request, "batchapp/batches/batch_new.html", context)


def _order(request: Request, upload: Upload, form: OrderForm) -> Batch | None:
    asked = form.cleaned_data
    before = Batch.objects.visible_to(request.user).filter(submission=asked["submission"])
    is_repeated = before.exists()
    try:
        batch = ordering.order(
            upload.project,
            request.user,
            upload,
            asked["key"],
            window=asked["window"],
            name=asked["name"],
            submission=asked["submission"],
            shown=asked["shown"],
        )
    except ordering.Refused as exc:
        form.add_error(None, str(exc))
        return None
    if is_repeated:
        messages.info(request, "This form was submitted before; here is the batch that it made.")
    for part in batch.parts.all():
        wake(part)
    return batch
