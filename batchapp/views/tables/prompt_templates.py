"""The templates of a project: what each of their versions makes of a table's rows."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.access import can_write, require_member
from batchapp.http import Request, render_partial
from batchapp.models import PromptTemplate

VERSIONS_SHOWN = 20


def template_of(request: Request, pk: UUID) -> PromptTemplate:
    rows = PromptTemplate.objects.visible_to(request.user).select_related("project__connection")
    return get_object_or_404(rows, pk=pk)


@require_safe
def prompt_template_detail(request: Request, pk: UUID) -> HttpResponse:
    """One template and its versions, the newest first."""
    found = template_of(request, pk)
    context = {
        "template": found,
        "project": found.project,
        "versions": found.versions.select_related("created_by")[:VERSIONS_SHOWN],
        "can_write": can_write(request, found.project),
        "nav": "projects",
        "tab": "file_list",
    }
    return render(request, "batchapp/tables/prompt_template_detail.html", context)


@require_http_methods(["GET", "POST"])
def prompt_template_delete(request: Request, pk: UUID) -> HttpResponse:
    """Delete a template with its versions, once that is confirmed; files keep what made them."""
    found = template_of(request, pk)
    require_member(request, found.project)
    if request.method == "POST":
        found.delete()
        messages.success(request, f"The template {found.name} is deleted.")
        return redirect("table_add", found.project.slug)
    context = {"template": found, "project": found.project, "nav": "projects", "tab": "file_list"}
    return render_partial(
        request, "batchapp/tables/prompt_template_delete.html", "dialog", context
    )
