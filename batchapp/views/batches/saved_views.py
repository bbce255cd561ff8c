"""The dialogs that save, change and delete a view of the list of batches."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from batchapp import access
from batchapp.domain.refused import Refused
from batchapp.forms.batches.saved_views import SavedViewForm
from batchapp.http import Request, render_partial
from batchapp.models import Project, SavedView
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.saved_views import saved_views
from batchapp.views.batches.list_address import filter_values, list_address
from batchapp.views.permissions import can_write, memberships_of


@require_http_methods(["GET", "HEAD", "POST"])
def saved_view_add(request: Request) -> HttpResponse:
    """Save the filter in the address under a name."""
    project = _project(request)
    values = _values(request, project)
    if not values:
        messages.info(request, "Choose a filter first, then save it.")
        return redirect(list_address(request))
    may_share = project is not None and can_write(request, project)
    data = request.POST if request.method == "POST" else None
    form = SavedViewForm(data, may_share=may_share, has_filter=False)
    if request.method == "POST" and form.is_valid():
        cleaned = form.cleaned_data
        try:
            view = saved_views.save_view(
                request.user,
                project,
                cleaned["name"],
                values,
                is_shared=cleaned.get("is_shared", False),
            )
        except Refused as exc:
            form.add_error("name", refusal_text(exc))
        else:
            messages.success(request, f"The view {view} is saved.")
            return redirect(view)
    return _dialog(request, "saved_view_form", form, back=list_address(request))


@require_http_methods(["GET", "HEAD", "POST"])
def saved_view_edit(request: Request, pk: UUID) -> HttpResponse:
    """Rename or share a view, or give it the filter in the address."""
    view = _view_of(request, pk)
    values = _values(request, view.project)
    has_filter = bool(values) and values != view.filter_values
    form = SavedViewForm(
        request.POST if request.method == "POST" else None,
        initial={"name": view.name, "is_shared": view.is_shared, "with_filter": has_filter},
        may_share=view.project is not None and can_write(request, view.project),
        has_filter=has_filter,
    )
    if request.method == "POST" and form.is_valid():
        cleaned = form.cleaned_data
        try:
            saved_views.change_view(
                view,
                request.user,
                cleaned["name"],
                is_shared=cleaned.get("is_shared", False),
                filter_values=values if cleaned.get("with_filter") else None,
            )
        except Refused as exc:
            form.add_error("name", refusal_text(exc))
        else:
            messages.success(request, f"The view {view} is saved.")
            return redirect(view)
    return _dialog(request, "saved_view_form", form, view=view, back=view.get_absolute_url())


@require_http_methods(["GET", "HEAD", "POST"])
def saved_view_delete(request: Request, pk: UUID) -> HttpResponse:
    view = _view_of(request, pk)
    if request.method == "POST":
        saved_views.delete_view(view, request.user)
        messages.success(request, f"The view {view} is deleted. No batch changed.")
        if view.project:
            return redirect("project_batch_list", view.project.slug)
        return redirect("batch_list")
    return _dialog(request, "saved_view_delete", None, view=view, back=view.get_absolute_url())


def _view_of(request: Request, pk: UUID) -> SavedView:
    """Return a view that the person may change: 404 for those who do not see it."""
    rows = SavedView.objects.visible_to(request.user).select_related("project", "owner")
    view = get_object_or_404(rows, pk=pk)
    access.require_change_view(request.user, view)
    return view


def _project(request: Request) -> Project | None:
    """Return the project whose list the address is of, None for the list of all batches."""
    slug = request.GET.get("of")
    if not slug:
        return None
    for membership in memberships_of(request):
        if membership.project.slug == slug:
            return membership.project
    raise Http404


def _values(request: Request, project: Project | None) -> dict[str, str]:
    values = filter_values(request)
    if project:
        values.pop("project", None)  # the list of a project has no such filter
    return values


def _dialog(request: Request, name: str, form: SavedViewForm | None, **facts: Any) -> HttpResponse:
    query = {key: value for key, value in request.GET.dict().items() if key != "view"}
    context = {"form": form, "parameters": urlencode(query), "nav": "batches", **facts}
    return render_partial(request, f"batchapp/batches/{name}.html", "dialog", context)
