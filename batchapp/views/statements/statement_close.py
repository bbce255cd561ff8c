"""The dialog by which an administrator closes a month."""

from datetime import date

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from batchapp import tasks
from batchapp.domain.refused import Refused
from batchapp.http import Request, render_partial
from batchapp.presenters.direct_text import beside_batches_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.statements.statement_text import exact_usd, month_name
from batchapp.services.statements import calendar, closing
from batchapp.services.statements.preview import preview
from batchapp.views.administration.console import require_administrator
from batchapp.views.portal_time import in_portal_time
from batchapp.views.statements.statement_pages import NAV


@in_portal_time
@require_http_methods(["GET", "HEAD", "POST"])
def statement_month_close(request: Request, month: date) -> HttpResponse:
    """Show what would be frozen, and what is still open; then close the month."""
    require_administrator(request)
    if request.method == "POST":
        try:
            row = closing.close_by_hand(month, request.user)
        except Refused as exc:
            messages.error(request, refusal_text(exc))
            return redirect("statement_month", month)
        if row:
            tasks.wake(row)
            messages.success(request, f"{month_name(month)} is being closed.")
        else:
            messages.info(request, f"{month_name(month)} was closed already.")
        return redirect("statement_month", month)
    context = NAV | {
        "month": month,
        "month_name": month_name(month),
        "is_over": calendar.is_over(month),
        "preview": (shown := preview(month, request.user)),
        "direct": beside_batches_text(shown.total.direct, shown.total.in_all, exact_usd),
    }
    return render_partial(
        request, "batchapp/statements/statement_month_close.html", "dialog", context
    )
