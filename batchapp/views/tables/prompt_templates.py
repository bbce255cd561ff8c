"""Pages of prompt templates and their versions."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from batchapp.http import Request, render_partial
from batchapp.models import PromptTemplate
from batchapp.services.tables import requests_from_table
from batchapp.views.permissions import require_editor
from batchapp.views.project_page import project_page

VERSIONS_SHOWN = 20


def prompt_template_of(request: Request, pk: UUID) -> PromptTemplate:
    rows = PromptTemplate.objects.visible_to(request.user).select_related("project__connection")
    return get_object_or_404(rows, pk=pk)


@require_safe
def prompt_template_detail(request: Request, pk: UUID) -> HttpResponse:
    """Show a prompt template and its versions, the newest first."""
    prompt_template = prompt_template_of(request, pk)
    context = project_page(request, prompt_template.project, "file_list") | {
        "prompt_template": prompt_template,
        "versions": prompt_template.versions.select_related("created_by")[:VERSIONS_SHOWN],
    }
    return render(request, "batchapp/tables/prompt_template_detail.html", context)


@require_http_methods(["GET", "POST"])
def prompt_template_delete(request: Request, pk: UUID) -> HttpResponse:
    """Ask for confirmation, then delete a prompt template with its versions.

    Files keep a copy of the settings that made them.
    """
    prompt_template = prompt_template_of(request, pk)
    require_editor(request, prompt_template.project)
    if request.method == "POST":
        requests_from_table.delete_template(prompt_template, request.user)
        messages.success(request, f"The prompt template {prompt_template.name} is deleted.")
        return redirect("table_add", prompt_template.project.slug)
    context = {
        "prompt_template": prompt_template,
        "project": prompt_template.project,
        "nav": "projects",
        "tab": "file_list",
    }
    return render_partial(
        request, "batchapp/tables/prompt_template_delete.html", "dialog", context
    )
