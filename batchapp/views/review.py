"""The last steps to a batch: everything that will happen, and the button that spends money."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import BooleanField, ExpressionWrapper, Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.domain.jsonl import Report
from batchapp.forms.orders import OrderForm, SubmitForm
from batchapp.http import Request
from batchapp.models import Batch, Upload
from batchapp.services import ordering
from batchapp.tasks import wake
from batchapp.views import flow
from batchapp.views.access import require_member, upload_of
from batchapp.views.choices import key_choice, model_rows, realtime_offer, window_choices
from batchapp.views.flow import PLACE, carried, report_of_ready, step_url, submission_in
from batchapp.views.preflight import quotes_for
from batchapp.views.summary import Summary, summarise, with_details

ALIKE_SHOWN = 3


@require_http_methods(["GET", "HEAD", "POST"])
def batch_review(request: Request, pk: UUID) -> HttpResponse:
    """Steps 4 and 5: look at all of it, then submit."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    report = report_of_ready(upload)
    if report is None:
        return redirect(step_url("batch_check", upload, request.GET.dict()))
    if request.method == "POST":
        return _submit(request, upload, report)
    submission = submission_in(request)
    if submission is None:
        return flow.named(request)
    form = OrderForm(request.GET, user=request.user, upload=upload)
    if not form.is_valid():
        return _back(request, upload, form)
    return _page(request, upload, report, form, submission)


def _submit(request: Request, upload: Upload, report: Report) -> HttpResponse:
    form = SubmitForm(request.POST, user=request.user, upload=upload)
    if form.is_valid():
        if batch := _order(request, upload, form):
            return redirect(batch)
        return _page(request, upload, report, form, form.cleaned_data["submission"])
    if form.errors.keys() & set(flow.CHOICES):
        return _back(request, upload, form)
    messages.error(
        request, "The form came back incomplete, so nothing was submitted. Look, then submit."
    )
    return redirect(step_url("batch_review", upload, request.POST.dict()))


def _back(request: Request, upload: Upload, form: OrderForm) -> HttpResponse:
    """To the window step, which says at each field what is wrong with it."""
    typed = {name: form.data.get(name, "") for name in flow.CHOICES}
    if submission := submission_in(request):
        typed["submission"] = str(submission)
    return redirect(step_url("batch_window", upload, typed))


def _order(request: Request, upload: Upload, form: SubmitForm) -> Batch | None:
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


def _page(
    request: Request, upload: Upload, report: Report, form: OrderForm, submission: UUID
) -> HttpResponse:
    """What the valid ``form`` would do, or why it was refused."""
    asked, project, now = form.cleaned_data, upload.project, timezone.now()
    window, key = asked["window"], asked["key"]
    values = {"window": window, "key": str(key.pk), "name": asked["name"]}
    again = values | {"submission": str(submission)}
    quotes = quotes_for(report, project.connection, now)
    before, alike = _alike(upload, window, submission)
    context: dict[str, Any] = PLACE | {
        "upload": upload,
        "project": project,
        "steps": flow.flow(flow.REVIEW, project, upload, carried(again)),
        "refusals": form.non_field_errors(),
        "values": again,
        "shown": ordering.price_tag(quotes),
        "report": report,
        "models": model_rows(report, quotes, window),
        "chosen": next(each for each in window_choices(quotes, now) if each.window == window),
        "realtime": realtime_offer(quotes),
        "key": key_choice(key),
        "before": before,
        "alike": alike[:ALIKE_SHOWN],
        "has_more_alike": len(alike) > ALIKE_SHOWN,
        "same_name": project.batches.filter(name=asked["name"]).count(),
        "change": step_url("batch_window", upload, again),
        "afresh": step_url("batch_window", upload, {"window": window, "key": values["key"]}),
    }
    return render(request, "batchapp/batches/new/review.html", context)


def _alike(upload: Upload, window: str, submission: UUID) -> tuple[Summary | None, list[Summary]]:
    """The batch that this submission made already; and those of the same bytes and window."""
    is_this = Q(submission=submission)
    same = Q(upload__sha256=upload.sha256, window=window)
    rows = with_details(upload.project.batches.filter(is_this | same))
    rows = rows.order_by(ExpressionWrapper(is_this, BooleanField()).desc(), "-created_at")
    found = [summarise(batch) for batch in rows[: ALIKE_SHOWN + 2]]
    before = found.pop(0) if found and found[0].batch.submission == submission else None
    return before, found[: ALIKE_SHOWN + 1]
