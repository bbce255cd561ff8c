"""Archive, transfer and delete a project; only its owners may."""

from contextlib import suppress

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from batchapp.domain.refused import Refused
from batchapp.forms.projects import DeletionForm, TransferForm
from batchapp.http import Request, render_partial
from batchapp.models import Project, StaleRow
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.archive import project_deletion
from batchapp.services.lifecycle import controls
from batchapp.services.projects import members, projects
from batchapp.tasks import wake
from batchapp.views.permissions import project_of, require_owner
from batchapp.views.project_page import project_page


@require_http_methods(["GET", "HEAD", "POST"])
def project_archive(request: Request, slug: str) -> HttpResponse:
    """Ask for confirmation, then archive the project; or restore an archived one."""
    project = _owned_project(request, slug)
    if request.method != "POST":
        under_way = project.batches.unfinished().count()
        context = project_page(request, project, "project_settings") | {"under_way": under_way}
        return render_partial(request, "batchapp/projects/project_archive.html", "dialog", context)
    if request.POST.get("action") == "restore":
        if projects.restore(project, request.user):
            messages.success(request, f"{project} is restored.")
    elif projects.archive(project, request.user):
        messages.success(request, f"{project} is archived. Nothing new starts in it.")
    return redirect("project_settings", slug)


@require_http_methods(["GET", "HEAD", "POST"])
def project_transfer(request: Request, slug: str) -> HttpResponse:
    """Make another member an owner, and take a lower role or leave, in one step."""
    project = _owned_project(request, slug)
    data = request.POST if request.method == "POST" else None
    form = TransferForm(data, project=project, user=request.user)
    if request.method == "POST" and form.is_valid():
        membership, own_role = form.cleaned_data["membership"], form.cleaned_data["own_role"]
        leaves = own_role == TransferForm.LEAVE
        if not members.transfer(membership, request.user, "" if leaves else own_role):
            messages.error(request, f"{membership.user} left at this moment. Choose another.")
            return redirect("project_transfer", slug)
        messages.success(request, f"{membership.user} is an owner of {project} now.")
        return redirect("project_list") if leaves else redirect("member_list", slug)
    context = project_page(request, project, "project_settings") | {
        "form": form,
        "has_others": project.memberships.count() > 1,
    }
    return render(request, "batchapp/projects/project_transfer.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def project_delete(request: Request, slug: str) -> HttpResponse:
    """Say what goes and what stays, and delete the project once its name is typed."""
    project = _owned_project(request, slug)
    is_cancel = request.POST.get("action") == "cancel"
    if is_cancel:
        _cancel_all(request, project)
        return redirect("project_delete", slug)
    form = DeletionForm(request.POST if request.method == "POST" else None, project=project)
    if request.method == "POST" and form.is_valid():
        try:
            rule = project_deletion.delete_project(project, request.user)
        except Refused as exc:
            messages.error(request, refusal_text(exc))
            return redirect("project_delete", slug)
        if rule:
            wake(rule)
        messages.success(request, f"{project} is deleted. Its files and answers are going.")
        return redirect("project_list")
    context = project_page(request, project, "project_settings") | {
        "form": form,
        "contents": project_deletion.contents_of(project),
        "cancelling": project.batches.unfinished().exclude(cancel_requested_at=None).count(),
    }
    return render(request, "batchapp/projects/project_delete.html", context)


def _cancel_all(request: Request, project: Project) -> None:
    """Request to cancel every batch under way; one that changes at this moment is left."""
    for batch in project.batches.unfinished().select_related("connection", "project"):
        with suppress(StaleRow):
            if controls.request_cancel(batch, request.user):
                for provider_batch in batch.provider_batches.all():
                    wake(provider_batch)
    messages.success(request, "The batches under way are being cancelled.")


def _owned_project(request: Request, slug: str) -> Project:
    project = project_of(request, slug)
    require_owner(request, project)
    return project
