"""The last steps to a batch: everything that will happen, and the button that spends money."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import NON_FIELD_ERRORS
from django.db.models import BooleanField, Count, ExpressionWrapper, Q, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp.access import require_member, upload_of
from batchapp.domain.request_files.check_file import Report
from batchapp.forms.orders import OrderForm, SubmitForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Upload
from batchapp.presenters import order_wizard
from batchapp.presenters.batch_summary import Summary, summarise, with_details
from batchapp.presenters.file_report import assumed_attachments, offers, quotes_for
from batchapp.presenters.order_choices import key_choice, model_rows, window_choices
from batchapp.presenters.order_wizard import (
    PLACE,
    carried,
    report_of_ready,
    step_url,
)
from batchapp.services.orders import place_order, price_quotes
from batchapp.services.orders.readiness import Line, Mark
from batchapp.tasks import wake
from batchapp.views.orders.submission_id import redirect_with_new_id, submission_in

ALIKE_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Ready:
    """What a look at the provider found, in lines, and the worst of it."""

    lines: list[Line]

    @property
    def worst(self) -> str:
        marks = {line.mark for line in self.lines}
        return next((mark for mark in (Mark.CANNOT, Mark.STOPS) if mark in marks), "")


@require_http_methods(["GET", "HEAD", "POST"])
def order_review(request: Request, pk: UUID) -> HttpResponse:
    """Steps 4 and 5: look at all of it, then submit."""
    upload = upload_of(request, pk)
    require_member(request, upload.project)
    report = report_of_ready(upload)
    if report is None:
        return redirect(step_url("order_check", upload, request.GET.dict()))
    if request.method == "POST":
        return _submit(request, upload, report)
    submission = submission_in(request)
    if submission is None:
        return redirect_with_new_id(request)
    form = OrderForm(request.GET, user=request.user, upload=upload)
    if not form.is_valid():
        return back(request, upload, form)
    return page(request, upload, report, form, submission)


def _submit(request: Request, upload: Upload, report: Report) -> HttpResponse:
    form = SubmitForm(request.POST, user=request.user, upload=upload)
    if form.errors.keys() == {NON_FIELD_ERRORS}:
        return page(request, upload, report, form, form.cleaned_data["submission"])
    if form.is_valid():
        if batch := _order(request, upload, form):
            return redirect(batch)
        return page(request, upload, report, form, form.cleaned_data["submission"])
    if form.errors.keys() & set(order_wizard.CHOICES):
        return back(request, upload, form)
    messages.error(
        request, "The form came back incomplete, so nothing was submitted. Look, then submit."
    )
    return redirect(step_url("order_review", upload, request.POST.dict()))


def back(request: Request, upload: Upload, form: OrderForm) -> HttpResponse:
    """To the window step, which says at each field what is wrong with it."""
    typed = {name: form.data.get(name, "") for name in order_wizard.CHOICES}
    if submission := submission_in(request):
        typed["submission"] = str(submission)
    return redirect(step_url("order_choose_window", upload, typed))


def _order(request: Request, upload: Upload, form: SubmitForm) -> Batch | None:
    asked = form.cleaned_data
    before = Batch.objects.visible_to(request.user).filter(submission=asked["submission"])
    is_repeated = before.exists()
    try:
        batch = place_order.place_order(
            upload.project,
            request.user,
            upload,
            asked["key"],
            window=asked["window"],
            fallback=asked["fallback"],
            name=asked["name"],
            submission=asked["submission"],
            shown=asked["shown"],
            seen=asked["seen"],
        )
    except place_order.Refused as exc:
        form.add_error(None, str(exc))
        return None
    if is_repeated:
        messages.info(request, "This form was submitted before; here is the batch that it made.")
    for provider_batch in batch.provider_batches.all():
        wake(provider_batch)
    return batch


def page(
    request: Request,
    upload: Upload,
    report: Report,
    form: OrderForm,
    submission: UUID,
    *,
    ready: Ready | None = None,
) -> HttpResponse:
    """What the valid ``form`` would do, or why it was refused.

    ``ready`` is what a look at the provider found; without it the page looks once it is there.
    """
    asked, project, now = form.cleaned_data, upload.project, timezone.now()
    window, key = asked["window"], asked["key"]
    values = {"window": window, "key": str(key.pk), "name": asked["name"]}
    if asked["fallback"]:
        values["fallback"] = asked["fallback"]
    again = values | {"submission": str(submission)}
    quotes = quotes_for(report, project.connection, now, project=project, user=request.user)
    windows = {each.window: each for each in window_choices(quotes, now)}
    before = _before(upload, window, asked["name"], submission)
    context: dict[str, Any] = PLACE | {
        "upload": upload,
        "project": project,
        "steps": order_wizard.wizard_steps(order_wizard.REVIEW, project, upload, carried(again)),
        "refusals": form.non_field_errors(),
        "values": again,
        "shown": price_quotes.price_tag(quotes),
        "seen": now.isoformat(),
        "ready": ready,
        "ready_url": step_url("order_readiness", upload, again),
        "review_url": reverse("order_review", args=[upload.pk]),
        "report": report,
        "models": model_rows(report, quotes, window),
        "chosen": windows[window],
        "fallback": windows.get(asked["fallback"]),
        "offers": offers(quotes),
        "assumed_attachments": assumed_attachments(report),
        "key": key_choice(key),
        "before": before.itself,
        "alike": before.alike[:ALIKE_SHOWN],
        "has_more_alike": len(before.alike) > ALIKE_SHOWN,
        "same_name": before.same_name,
        "change": step_url("order_choose_window", upload, again),
        "afresh": step_url(
            "order_choose_window", upload, {"window": window, "key": values["key"]}
        ),
    }
    return render_partial(request, "batchapp/orders/order_review.html", "ready", context)


@dataclass(frozen=True, slots=True)
class _Before:
    """What the project has already.

    ``itself`` is the batch that this submission made, ``alike`` are those of the same bytes and
    window, the newest first, and ``same_name`` counts those called the same.
    """

    itself: Summary | None
    alike: list[Summary]
    same_name: int


def _before(upload: Upload, window: str, name: str, submission: UUID) -> _Before:
    """All of it in the queries of one list of batches."""
    project = upload.project
    is_this, is_alike = Q(submission=submission), place_order.same_file_batches(upload, window)
    rows = with_details(project.batches.filter(is_this | is_alike | Q(name=name)))
    called_so = project.batches.filter(name=name).order_by().values("project")
    rows = rows.annotate(
        is_alike=ExpressionWrapper(is_alike, BooleanField()),
        same_name=Coalesce(Subquery(called_so.annotate(n=Count("pk")).values("n")), 0),
    )
    this_first = ExpressionWrapper(is_this, BooleanField()).desc()
    found = list(rows.order_by(this_first, "-is_alike", "-created_at")[: ALIKE_SHOWN + 2])
    same_name = found[0].same_name if found else 0
    itself = found.pop(0) if found and found[0].submission == submission else None
    alike = [summarise(batch) for batch in found if batch.is_alike]
    return _Before(summarise(itself) if itself else None, alike[: ALIKE_SHOWN + 1], same_name)
