"""The page on which an owner approves or denies a batch; GET only shows it."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from batchapp import access
from batchapp.access import NotAllowed, Right
from batchapp.domain.refused import Refused
from batchapp.forms.approvals import DENY, DecisionForm
from batchapp.http import Request
from batchapp.models import ApprovalRequest, Batch
from batchapp.presenters.approval_card import approval_card, figures_text, most_text, offer_rail
from batchapp.presenters.approval_text import approvers_text
from batchapp.presenters.budget_meter import after_rows
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.approvals import decisions
from batchapp.services.approvals.policy import approvers_of
from batchapp.services.budgets import budget_use
from batchapp.services.orders import order_approval, order_checks
from batchapp.tasks import wake
from batchapp.views.administration.console import client_address
from batchapp.views.batches.batch_controls import foreign_key_text
from batchapp.views.permissions import batch_of, can_stop


@require_http_methods(["GET", "HEAD", "POST"])
def batch_approval(request: Request, pk: UUID) -> HttpResponse:
    """Show what the batch costs at present prices, and decide by POST."""
    batch = batch_of(request, pk)
    approval = ApprovalRequest.objects.select_related("decided_by").filter(batch=batch).first()
    if approval is None:
        raise Http404
    approval.batch = batch
    if request.method != "POST":
        return _page(request, batch, approval, DecisionForm())
    access.require_approve(request.user, batch)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _page(request, batch, approval, form)
    try:
        return _decide(request, approval, form)
    except Refused as exc:
        messages.error(request, refusal_text(exc))
    except NotAllowed as exc:
        if exc.right is not Right.SPEND:
            raise
        messages.error(request, foreign_key_text(batch))
    return redirect("batch_approval", pk)


def _decide(request: Request, approval: ApprovalRequest, form: DecisionForm) -> HttpResponse:
    note, address = form.cleaned_data["note"], client_address(request)
    if form.cleaned_data["decision"] == DENY:
        decisions.deny(approval, request.user, note=note, address=address)
        messages.success(request, f"“{approval.batch}” is denied. Nothing of it was sent.")
    else:
        order_approval.approve(
            approval,
            request.user,
            shown_prices=form.cleaned_data["shown"],
            note=note,
            address=address,
        )
        messages.success(request, f"“{approval.batch}” is approved, and runs.")
    for provider_batch in approval.batch.provider_batches.all():
        wake(provider_batch)
    return redirect(approval.batch)


def _page(
    request: Request, batch: Batch, approval: ApprovalRequest, form: DecisionForm
) -> HttpResponse:
    is_open = approval.is_pending and approval.expires_at > timezone.now()
    context = {
        "batch": batch,
        "card": approval_card(approval),
        "is_open": is_open,
        "is_too_late": approval.is_pending and not is_open,
        "may_decide": is_open and access.can_approve(request.user, batch),
        "may_withdraw": approval.is_pending and can_stop(request, batch.project),
        "approvers": approvers_text(approvers_of(batch.project, batch.created_by)),
        "form": form,
        "nav": "approvals",
    }
    if is_open:
        context |= _offer(request, approval)
    return render(request, "batchapp/approvals/batch_approval.html", context)


def _offer(request: Request, approval: ApprovalRequest) -> dict[str, Any]:
    """Return what an approval would let the batch cost, and why it cannot be approved now."""
    try:
        order_checks.refuse_changed(approval)
        offer = order_approval.offer_of(approval, timezone.now())
    except Refused as exc:
        return {"trouble": refusal_text(exc)}
    except NotAllowed:
        return {"trouble": foreign_key_text(approval.batch)}
    trouble = ""
    if approval.batch.project.archived_at:
        trouble = "The project is archived. Restore it to approve the batch."
    after = budget_use.after_batch(approval.batch, request.user, offer.model_costs)
    return {
        "offer": offer,
        "after": after_rows(after),
        "expected": figures_text(offer.figures),
        "most": most_text(offer.figures.most_usd),
        "rail": offer_rail(list(offer.model_costs), offer.figures),
        "trouble": trouble,
    }
