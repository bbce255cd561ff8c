"""One event of the audit, with what changed and the seal that proves it."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from batchapp.http import Request, render_partial, wants_fragment
from batchapp.models import AuditEvent
from batchapp.presenters.audit_text import audit_row, facts_of
from batchapp.services.audit import browse
from batchapp.views.project_page import project_page


@require_safe
def audit_event_detail(request: Request, event: int) -> HttpResponse:
    """Show an event to auditors, and to the owners of its project."""
    try:
        row, scope = browse.read_event(request.user, event)
    except AuditEvent.DoesNotExist as exc:
        raise Http404 from exc
    context = {
        "row": audit_row(row, scope),
        "facts": facts_of(row),
        "in_drawer": wants_fragment(request),
        "of_project": scope.project,
        "nav": "audit",
    }
    if scope.project:
        context |= project_page(request, scope.project, "project_settings")
    return render_partial(request, "batchapp/audit/audit_event_detail.html", "detail", context)
