"""Pages of the budgets of a project: listed for members, set and changed by owners."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.domain.refused import Refused
from batchapp.forms.budgets.budgets import (
    BudgetForm,
    NewBudgetForm,
    ReserveForm,
    initial_of,
    initial_of_policy,
)
from batchapp.http import Request, render_partial
from batchapp.models import Budget, ModelCost, Project
from batchapp.presenters.budget_meter import budget_card, budget_title
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.budgets import budget_use, budgets
from batchapp.views.administration.console import client_address
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page

MAX_PROPOSED = 50  # models that the field proposes


@require_http_methods(["GET", "HEAD", "POST"])
def budget_list(request: Request, slug: str) -> HttpResponse:
    """Show the budgets that the person may see; owners decide here what orders reserve."""
    project = project_of(request, slug)
    data = request.POST if request.method == "POST" else None
    form = ReserveForm(data, initial=initial_of_policy(project.reserve_policy))
    if request.method == "POST":
        require_owner(request, project)
        if form.is_valid():
            budgets.set_reserve_policy(
                project, request.user, form.policy, address=client_address(request)
            )
            messages.success(request, "New orders reserve as you said. Earlier ones keep theirs.")
            return redirect("budget_list", slug)
    uses = budget_use.budgets_of(project, request.user)
    context = _page(request, project) | {
        "cards": [budget_card(use) for use in uses],
        "form": form,
    }
    return render(request, "batchapp/budgets/budget_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def budget_add(request: Request, slug: str) -> HttpResponse:
    """Set a new budget."""
    project = project_of(request, slug)
    require_owner(request, project)
    form = NewBudgetForm(request.POST if request.method == "POST" else None, project=project)
    if request.method == "POST" and form.is_valid():
        try:
            budgets.set_budget(
                project,
                request.user,
                form.subject,
                form.settings,
                address=client_address(request),
            )
        except Refused as exc:
            form.add_error(None, refusal_text(exc))
        else:
            messages.success(request, "The budget is set, and counts what this month has used.")
            return redirect("budget_list", slug)
    used = ModelCost.objects.filter(batch__project=project).order_by("model")
    context = _page(request, project) | {
        "form": form,
        "models": used.values_list("model", flat=True).distinct()[:MAX_PROPOSED],
    }
    return render(request, "batchapp/budgets/budget_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def budget_change(request: Request, slug: str, budget: UUID) -> HttpResponse:
    """Change the amount and the rules of a budget."""
    project = project_of(request, slug)
    require_owner(request, project)
    row = _budget(project, budget)
    data = request.POST if request.method == "POST" else None
    form = BudgetForm(data, initial=initial_of(row))
    if request.method == "POST" and form.is_valid():
        budgets.change_budget(row, request.user, form.settings, address=client_address(request))
        messages.success(request, "The budget is saved. Batches under way go on.")
        return redirect("budget_list", slug)
    context = _page(request, project) | {"form": form, "title": budget_title(row), "budget": row}
    return render(request, "batchapp/budgets/budget_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def budget_remove(request: Request, slug: str, budget: UUID) -> HttpResponse:
    """Ask for confirmation, then remove a budget."""
    project = project_of(request, slug)
    require_owner(request, project)
    row = _budget(project, budget)
    if request.method == "POST":
        budgets.remove_budget(row, request.user, address=client_address(request))
        messages.success(request, "The budget is removed, and limits nothing any more.")
        return redirect("budget_list", slug)
    context = _page(request, project) | {"budget": row, "title": budget_title(row)}
    return render_partial(request, "batchapp/budgets/budget_remove.html", "dialog", context)


def _budget(project: Project, pk: UUID) -> Budget:
    return get_object_or_404(project.budgets.select_related("project"), pk=pk)


def _page(request: Request, project: Project) -> dict[str, Any]:
    return project_page(request, project, "project_settings")
