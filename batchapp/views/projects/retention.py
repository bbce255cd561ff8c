"""The page of the rule by which a project keeps requests and answers."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.forms.retention import RetentionForm
from batchapp.http import Request
from batchapp.models import Project
from batchapp.presenters.keeping_text import kept_text, outdated_text
from batchapp.services.archive import retention
from batchapp.tasks import wake
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page


@require_http_methods(["GET", "HEAD", "POST"])
def project_retention(request: Request, slug: str) -> HttpResponse:
    """Change the rule; a shorter time shows first what it deletes, and asks for agreement."""
    project = project_of(request, slug)
    require_owner(request, project)
    days = retention.days_kept(project)
    if request.method != "POST":
        return _page(request, project, RetentionForm(initial={"days": days}), days)
    form = RetentionForm(request.POST)
    if not form.is_valid():
        return _page(request, project, form, days)
    wanted: int | None = form.cleaned_data["days"]
    if wanted is not None and (days is None or wanted < days):
        outdated = retention.find_outdated(project, wanted)
        number = len(outdated.batches) + len(outdated.unused)
        if not form.agrees_to(number):
            deleted = outdated_text(outdated, retention.size_of(outdated))
            preview = {"wanted": kept_text(wanted), "number": number, "deleted": deleted}
            return _page(request, project, form, days, preview=preview)
    if rule := retention.set_rule(project, request.user, wanted):
        wake(rule)
    messages.success(request, f"Requests and answers are kept {kept_text(wanted)}.")
    return redirect("project_settings", slug)


def _page(
    request: Request,
    project: Project,
    form: RetentionForm,
    days: int | None,
    preview: dict[str, object] | None = None,
) -> HttpResponse:
    """Show the form; ``preview`` says what saving it deletes."""
    context = project_page(request, project, "project_settings") | {
        "form": form,
        "kept": kept_text(days),
        "preview": preview,
    }
    return render(request, "batchapp/projects/project_retention.html", context)
