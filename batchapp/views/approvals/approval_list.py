"""The list of approvals: what waits for the person, what they asked for, and what was decided."""

from collections.abc import Callable

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from batchapp.http import Request
from batchapp.models import ApprovalRequest, User
from batchapp.presenters.approval_card import approval_card
from batchapp.services.approvals import inbox

PAGE_SIZE = 25
WAITING = "waiting"
LISTS: dict[str, tuple[str, Callable[[User], QuerySet[ApprovalRequest]]]] = {
    WAITING: ("Waiting for me", inbox.waiting_for),
    "asked": ("Asked by me", inbox.asked_by),
    "decided": ("Decided", inbox.decided),
}


@require_safe
def approval_list(request: Request) -> HttpResponse:
    name = request.GET.get("show", WAITING)
    name = name if name in LISTS else WAITING
    rows = LISTS[name][1](request.user)
    rows = rows.select_related(
        "batch__project", "batch__created_by", "decided_by", "batch__upload"
    )
    rows = rows.prefetch_related("batch__model_costs")
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "cards": [approval_card(row) for row in page],
        "lists": [(key, label) for key, (label, _) in LISTS.items()],
        "shown": name,
        "nav": "approvals",
    }
    return render(request, "batchapp/approvals/approval_list.html", context)
