"""The page that imports batches from the provider into a project."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import F, Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp.domain.refused import Refused
from batchapp.forms.batches.batch_imports import BatchImportForm
from batchapp.http import Request
from batchapp.models import BatchImport, Project, ProviderKey, StaleRow, UnreadableKey
from batchapp.pipeline import provider_access
from batchapp.presenters.key_text import unreadable_key_text
from batchapp.presenters.order_choices import KeyChoice, default_key, key_choice
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.refusal_text import refusal_text
from batchapp.providers.errors import KEY_REASONS, ProviderRejected, ProviderUnavailable
from batchapp.services.imports import start_import
from batchapp.services.imports.start_import import Candidates
from batchapp.services.providers import provider_keys, rejections
from batchapp.tasks import wake
from batchapp.templatetags.words import count
from batchapp.views.keys.try_key import TIMEOUT
from batchapp.views.permissions import project_of, require_editor
from batchapp.views.project_page import project_page

PAGE = "batchapp/imports/import_list.html"

LISTED_FOR = timedelta(days=1)  # after its request; later the list of batches has the batch
MAX_LISTED = 100


@dataclass(frozen=True, slots=True)
class RemoteBatches:
    """The batches at the provider; ``trouble`` says why they cannot be listed.

    ``error`` is what came back, for those who can read it.
    """

    candidates: Candidates | None = None
    trouble: str = ""
    error: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
def import_list(request: Request, slug: str) -> HttpResponse:
    """List the batches that a key can see and the imports so far, and request imports."""
    project = project_of(request, slug)
    require_editor(request, project)
    keys = [key_choice(key) for key in _keys(request, project)]
    key = _chosen_key(request, keys)
    form = BatchImportForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        if key is None:
            raise Http404
        _request_imports(request, project, key, form.chosen)
        return redirect(_list_url(project, key))
    after = request.GET.get("after", "")
    context = _progress(request, project) | {
        "form": form,
        "keys": keys,
        "key": key,
        "after": after,
        "remote_batches": _list_remote(request, project, key, after) if key else RemoteBatches(),
    }
    return render(request, PAGE, context)


@require_safe
def import_progress(request: Request, slug: str) -> HttpResponse:
    """Render how far the imports are, as a fragment, without asking the provider."""
    project = project_of(request, slug)
    require_editor(request, project)
    if not request.htmx:
        return redirect("import_list", slug)
    return render(request, f"{PAGE}#live", _progress(request, project))


@require_POST
def import_try_again(request: Request, pk: UUID) -> HttpResponse:
    """Retry a failed import."""
    batch_import = _writable_import(request, pk)
    try:
        if batch_import.status == BatchImport.Status.FAILED:
            start_import.retry_import(batch_import, request.user)
            wake(batch_import)
    except StaleRow:
        messages.info(request, "The import is being tried again already.")
    return redirect(_return_url(request, batch_import))


@require_POST
def import_dismiss(request: Request, pk: UUID) -> HttpResponse:
    """Remove a failed import from the page; nothing changes at the provider."""
    batch_import = _writable_import(request, pk)
    if not start_import.dismiss(batch_import, request.user):
        messages.info(request, "The import is not failed any more, so it stays.")
    return redirect(_return_url(request, batch_import))


def _writable_import(request: Request, pk: UUID) -> BatchImport:
    rows = BatchImport.objects.visible_to(request.user).select_related("project", "key")
    batch_import = get_object_or_404(rows, pk=pk)
    require_editor(request, batch_import.project)
    return batch_import


def _keys(request: Request, project: Project) -> list[ProviderKey]:
    """Return the keys that the person may use; the keys of the project come first."""
    rows = ProviderKey.objects.usable_by(request.user, project).select_related("connection")
    return list(rows.order_by(F("project").asc(nulls_last=True), "created_at"))


def _chosen_key(request: Request, keys: list[KeyChoice]) -> ProviderKey | None:
    """Return the key that the request names, else the default key; 404 for any other."""
    value = request.POST.get("key") or request.GET.get("key") or default_key(keys)
    key = next((choice.key for choice in keys if choice.value == value), None)
    if key is None and value:
        raise Http404
    return key


def _return_url(request: Request, batch_import: BatchImport) -> str:
    """Return the page with the key of the import, if the person may use that key too."""
    keys = ProviderKey.objects.usable_by(request.user, batch_import.project)
    if keys.filter(pk=batch_import.key_id).exists():
        return _list_url(batch_import.project, batch_import.key)
    return reverse("import_list", args=[batch_import.project.slug])


def _list_url(project: Project, key: ProviderKey) -> str:
    return f"{reverse('import_list', args=[project.slug])}?key={key.pk}"


def _request_imports(request: Request, project: Project, key: ProviderKey, ids: list[str]) -> None:
    try:
        requested = start_import.request_imports(project, request.user, key, ids)
    except Refused as exc:  # the key was removed at this very moment
        messages.error(request, refusal_text(exc))
        return
    for batch_import in requested.batch_imports:
        wake(batch_import)
    if requested.batch_imports:
        number = count(len(requested.batch_imports), "batch,batches")
        are = "is" if len(requested.batch_imports) == 1 else "are"
        messages.success(request, f"{number} {are} being imported.")
    if requested.ids_in_portal:
        listed = ", ".join(requested.ids_in_portal[:3])
        more = " and others" if len(requested.ids_in_portal) > 3 else ""
        messages.warning(request, f"Imported before, so nothing was done: {listed}{more}.")


def _list_remote(
    request: Request, project: Project, key: ProviderKey, after: str
) -> RemoteBatches:
    if not key.connection.capabilities.list:
        return RemoteBatches(
            trouble=f"{key.connection} does not list its batches. Import those whose id you know."
        )
    try:
        with provider_access.provider_client(key, timeout=TIMEOUT) as provider:
            candidates = start_import.list_candidates(project, request.user, key, provider, after)
            return RemoteBatches(candidates)
    except UnreadableKey as exc:
        return RemoteBatches(trouble=unreadable_key_text(exc))
    except ProviderRejected as exc:
        if exc.reason in KEY_REASONS:
            problem = rejections.rejection_problem(exc, key.connection)
            provider_keys.record_problem(key, problem, is_refused=True)
            return RemoteBatches(trouble=problem_text(problem))
        return RemoteBatches(
            trouble=f"{key.connection} does not show its batches to this key.", error=str(exc)
        )
    except ProviderUnavailable as exc:
        return RemoteBatches(
            trouble=f"{key.connection} gave no usable answer. Try again in a minute; you "
            "can still import batches whose id you know.",
            error=str(exc),
        )


def _progress(request: Request, project: Project) -> dict[str, Any]:
    """Return the context with open and failed imports, and those finished since yesterday."""
    recent = Q(created_at__gte=timezone.now() - LISTED_FOR)
    rows = project.batch_imports.filter(recent | ~Q(status=BatchImport.Status.DONE))
    shown = list(rows.select_related("batch", "upload", "key", "requested_by")[:MAX_LISTED])
    moving = {BatchImport.Status.FETCHING, BatchImport.Status.CHECKING}
    return project_page(request, project, "project_batch_list") | {
        "batch_imports": shown,
        "is_moving": any(row.status in moving for row in shown),
    }
