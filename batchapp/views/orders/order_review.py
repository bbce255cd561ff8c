"""The last step to a batch: the review, and the submission that spends money."""

from collections.abc import Mapping, Sequence
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

from batchapp.domain.batch_labels import Labels
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.refused import Refused
from batchapp.domain.request_files.check_file import Report
from batchapp.forms.labels import typed
from batchapp.forms.orders import OrderForm, SubmitForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Upload
from batchapp.presenters import order_wizard
from batchapp.presenters.approval_text import approvers_text, reasons_text
from batchapp.presenters.batches.batch_summary import Summary, summarise, with_details
from batchapp.presenters.budget_meter import after_rows
from batchapp.presenters.division_text import division_sentence, model_shares
from batchapp.presenters.file_report import assumed_attachments, quotes_for
from batchapp.presenters.first_requests_text import first_requests_order
from batchapp.presenters.order_choices import key_choice, model_rows, window_choices
from batchapp.presenters.order_summary import order_summary
from batchapp.presenters.order_wizard import (
    order_query,
    report_of_ready,
    step_url,
)
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.approvals.policy import approvers_of
from batchapp.services.budgets import budget_use
from batchapp.services.orders import order_approval, place_order, price_quotes
from batchapp.services.orders.division import count_provider_batches
from batchapp.services.orders.readiness import Check, Level
from batchapp.tasks import wake
from batchapp.views.orders.order_page import order_page
from batchapp.views.orders.submission_id import redirect_with_new_id, submission_in
from batchapp.views.permissions import require_editor, upload_with_content

MAX_SAME_FILE_BATCHES = 3  # batches of the same file that the page names


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    checks: list[Check]

    @property
    def worst(self) -> str:
        levels = {check.level for check in self.checks}
        return next((row for row in (Level.IMPOSSIBLE, Level.BLOCKER) if row in levels), "")

    @property
    def passed(self) -> list[Check]:
        return [check for check in self.checks if check.level is Level.PASSED]

    @property
    def open(self) -> list[Check]:
        """The checks that a person should read before submitting, the worst first."""
        rest = [check for check in self.checks if check.level is not Level.PASSED]
        return sorted(rest, key=lambda check: list(Level).index(check.level), reverse=True)


@require_http_methods(["GET", "HEAD", "POST"])
def order_review(request: Request, pk: UUID) -> HttpResponse:
    """Step 4: review the order, then submit it."""
    upload = upload_with_content(request, pk)
    require_editor(request, upload.project)
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
        return redirect_to_window_step(request, upload, form)
    return page(request, upload, report, form, submission)


def _submit(request: Request, upload: Upload, report: Report) -> HttpResponse:
    form = SubmitForm(request.POST, user=request.user, upload=upload)
    if form.errors.keys() == {NON_FIELD_ERRORS}:
        return page(request, upload, report, form, form.cleaned_data["submission"])
    if form.is_valid():
        if batch := _place_order(request, upload, form):
            return redirect(batch)
        return page(request, upload, report, form, form.cleaned_data["submission"])
    if form.errors.keys() & set(order_wizard.CHOICES):
        return redirect_to_window_step(request, upload, form)
    messages.error(
        request, "The form came back incomplete, so nothing was submitted. Look, then submit."
    )
    return redirect(step_url("order_review", upload, request.POST.dict()))


def redirect_to_window_step(request: Request, upload: Upload, form: OrderForm) -> HttpResponse:
    """Redirect to the window step, which shows the errors at each field."""
    values = {name: form.data.get(name, "") for name in order_wizard.CHOICES}
    for name in order_wizard.LABELS - form.data.keys():
        del values[name]  # the step shows those that the batch inherits
    if submission := submission_in(request):
        values["submission"] = str(submission)
    return redirect(step_url("order_choose_window", upload, values))


def _place_order(request: Request, upload: Upload, form: SubmitForm) -> Batch | None:
    cleaned = form.cleaned_data
    try:
        batch = place_order.place_order(
            upload.project,
            request.user,
            upload,
            cleaned["key"],
            window=cleaned["window"],
            fallback=cleaned["fallback"],
            sends_first=cleaned["sends_first"],
            name=cleaned["name"],
            labels=Labels(cleaned["tags"], cleaned["cost_centre"]),
            submission=cleaned["submission"],
            shown_prices=cleaned["shown"],
            shown_at=cleaned["seen"],
        )
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
        return None
    if batch.was_ordered_before:
        messages.info(request, "This form was submitted before; here is its batch.")
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
    readiness_report: ReadinessReport | None = None,
) -> HttpResponse:
    """Show the order of the valid ``form``, and why it was refused if it was.

    Without ``readiness_report`` the page asks the provider after it has loaded.
    """
    cleaned, project, now = form.cleaned_data, upload.project, timezone.now()
    window, key = cleaned["window"], cleaned["key"]
    labels = Labels(cleaned["tags"], cleaned["cost_centre"])
    values = {"window": window, "key": str(key.pk), "name": cleaned["name"], **typed(labels)}
    if cleaned["fallback"]:
        values["fallback"] = cleaned["fallback"]
    if cleaned["sends_first"]:
        values["sends_first"] = "on"
    query = values | {"submission": str(submission)}
    quotes = quotes_for(report, project.connection, now, project=project, user=request.user)
    if cleaned["sends_first"]:
        quotes = price_quotes.sending_first(quotes)
    windows = window_choices(quotes, now)
    order = Batch(project=project, window=window, fallback_window=cleaned["fallback"])
    model_costs = price_quotes.frozen_model_costs(order, report, quotes)
    room = budget_use.room_for(project, request.user, model_costs)
    related = _related_batches(upload, window, cleaned["name"], submission)
    shares = model_shares(report, project.connection, quotes[window])
    context: dict[str, Any] = order_page(request, project) | {
        "upload": upload,
        "steps": order_wizard.wizard_steps(
            order_wizard.Step.REVIEW, project, upload, order_query(query)
        ),
        "refusals": form.non_field_errors(),
        "values": query,
        "labels": labels,
        "shown": price_quotes.price_tag(quotes),
        "seen": now.isoformat(),
        "readiness_report": readiness_report,
        "ready_url": step_url("order_readiness", upload, query),
        "review_url": reverse("order_review", args=[upload.pk]),
        "report": report,
        "panel": order_summary(upload, report, windows, window, key_choice(key)),
        "offer": windows[window].offer,
        "models": model_rows(report, quotes, window),
        "provider_batches": count_provider_batches(report, project.connection),
        "model_shares": shares,
        "division": division_sentence(project.connection, shares),
        "assumed_attachments": assumed_attachments(report),
        "fallback": windows.get(cleaned["fallback"]),
        "sent_first": first_requests_order(report, quotes[window]),
        "approval": _approval_notice(
            request, upload, quotes, cleaned, room.to_approve if room else []
        ),
        "submitted": related.submitted,
        "same_file": related.same_file[:MAX_SAME_FILE_BATCHES],
        "has_more_same_file": len(related.same_file) > MAX_SAME_FILE_BATCHES,
        "same_name_count": related.same_name_count,
        "after": after_rows(room.budgets) if room else [],
        "stop": refusal_text(room.refusal) if room and room.refusal else "",
        "change_url": step_url("order_choose_window", upload, query),
        "new_order_url": step_url(
            "order_choose_window", upload, {"window": window, "key": values["key"]}
        ),
    }
    return render_partial(request, "batchapp/orders/order_review.html", "ready", context)


def _approval_notice(
    request: Request,
    upload: Upload,
    quotes: Mapping[str, Estimate],
    cleaned: dict[str, Any],
    short: Sequence[Mapping[str, Any]],
) -> dict[str, Any] | None:
    """Say why this order will wait for approval, and by whom; None if it will not.

    ``short`` has the facts of the budgets that ask for approval.
    """
    project = upload.project
    reasons = order_approval.reasons_for(project, quotes, cleaned["window"], cleaned["fallback"])
    reasons = [*reasons, *order_approval.over_budget(short)]
    if not reasons:
        return None
    approvers = approvers_of(project, request.user)
    return {
        "reasons": reasons_text(reasons),
        "approvers": approvers_text(approvers),
        "is_possible": bool(approvers),
    }


@dataclass(frozen=True, slots=True)
class _RelatedBatches:
    """The batch that this submission made before, and other batches of the project.

    ``same_file`` are batches of the same bytes and window, the newest first, and
    ``same_name_count`` counts the batches with the same name.
    """

    submitted: Summary | None
    same_file: list[Summary]
    same_name_count: int


def _related_batches(upload: Upload, window: str, name: str, submission: UUID) -> _RelatedBatches:
    """Read all related batches with the queries of one list."""
    project = upload.project
    is_submitted, is_same_file = (
        Q(submission=submission),
        place_order.same_file_batches(upload, window),
    )
    rows = with_details(project.batches.filter(is_submitted | is_same_file | Q(name=name)))
    same_name = project.batches.filter(name=name).order_by().values("project")
    rows = rows.annotate(
        is_same_file=ExpressionWrapper(is_same_file, BooleanField()),
        same_name_count=Coalesce(Subquery(same_name.annotate(n=Count("pk")).values("n")), 0),
    )
    submitted_first = ExpressionWrapper(is_submitted, BooleanField()).desc()
    batches = list(
        rows.order_by(submitted_first, "-is_same_file", "-created_at")[: MAX_SAME_FILE_BATCHES + 2]
    )
    count = batches[0].same_name_count if batches else 0
    submitted = None
    if batches and batches[0].submission == submission:
        submitted = summarise(batches.pop(0))
    same_file = [summarise(batch) for batch in batches if batch.is_same_file]
    return _RelatedBatches(submitted, same_file[: MAX_SAME_FILE_BATCHES + 1], count)
