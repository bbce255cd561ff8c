"""Batches that were made elsewhere: found at the provider, and brought into a project."""

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

from batchapp.access import can_manage, project_of, require_member
from batchapp.forms.batches.batch_imports import BatchImportForm
from batchapp.http import Request
from batchapp.models import BatchImport, Project, ProviderKey, StaleRow, UnreadableKey
from batchapp.pipeline import provider_access
from batchapp.presenters.order_choices import KeyChoice, key_choice, usual
from batchapp.providers.errors import ABOUT_KEYS, ProviderRejected, ProviderUnavailable
from batchapp.services.imports import import_requests
from batchapp.services.imports.import_requests import Candidates
from batchapp.services.providers import provider_advice, provider_keys
from batchapp.tasks import wake
from batchapp.templatetags.words import count
from batchapp.views.keys.key_test import SILENCE, UNREADABLE

PAGE = "batchapp/imports/import_list.html"
PLACE = {"nav": "projects", "tab": "project_batch_list", "can_write": True}

SHOWN_FOR = timedelta(days=1)
"""After it began, a batch that is brought in is named here; then the list of batches has it."""

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Shelf:
    """What the provider has to bring in; ``trouble`` is why that cannot be said."""

    found: Candidates | None = None
    trouble: str = ""


@require_http_methods(["GET", "HEAD", "POST"])
def import_list(request: Request, slug: str) -> HttpResponse:
    """What the account behind a key has, and what of it is on its way here."""
    project = project_of(request, slug)
    require_member(request, project)
    keys = [key_choice(key) for key in _keys(request, project)]
    key = _chosen(request, keys)
    form = BatchImportForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        if key is None:
            raise Http404
        _begin(request, project, key, form.chosen)
        return redirect(_address(project, key))
    after = request.GET.get("after", "")
    context = _progress(project) | {
        "form": form,
        "keys": keys,
        "key": key,
        "after": after,
        "shelf": _look(key, after) if key else Shelf(),
        "can_manage": can_manage(request, project),
    }
    return render(request, PAGE, context)


@require_safe
def import_progress(request: Request, slug: str) -> HttpResponse:
    """How far they are, without asking the provider; as a fragment of the page."""
    project = project_of(request, slug)
    require_member(request, project)
    if not request.htmx:
        return redirect("import_list", slug)
    return render(request, f"{PAGE}#live", _progress(project))


@require_POST
def import_try_again(request: Request, pk: UUID) -> HttpResponse:
    """Fetch once more what could not be brought in."""
    found = _adoption_of(request, pk)
    try:
        if found.status == BatchImport.Status.FAILED:
            import_requests.try_again(found)
            wake(found)
    except StaleRow:
        messages.info(request, "It is being tried again already.")
    return redirect(_back(request, found))


@require_POST
def import_dismiss(request: Request, pk: UUID) -> HttpResponse:
    """Take what could not be brought in off the page; at the provider nothing changes."""
    found = _adoption_of(request, pk)
    if not import_requests.dismiss(found):
        messages.info(request, "It is on its way after all.")
    return redirect(_back(request, found))


def _adoption_of(request: Request, pk: UUID) -> BatchImport:
    rows = BatchImport.objects.visible_to(request.user).select_related("project", "key")
    found = get_object_or_404(rows, pk=pk)
    require_member(request, found.project)
    return found


def _keys(request: Request, project: Project) -> list[ProviderKey]:
    """The keys the person may use here; the project's come first."""
    rows = ProviderKey.objects.usable_by(request.user, project).select_related("connection")
    return list(rows.order_by(F("project").asc(nulls_last=True), "created_at"))


def _chosen(request: Request, keys: list[KeyChoice]) -> ProviderKey | None:
    """The key that is asked for, else the usual one; any other is nobody's."""
    asked = request.POST.get("key") or request.GET.get("key") or usual(keys)
    found = next((each.key for each in keys if each.value == asked), None)
    if found is None and asked:
        raise Http404
    return found


def _back(request: Request, found: BatchImport) -> str:
    """The page with the key it was asked for with, if that is one the person may use too."""
    if ProviderKey.objects.usable_by(request.user, found.project).filter(pk=found.key_id).exists():
        return _address(found.project, found.key)
    return reverse("import_list", args=[found.project.slug])


def _address(project: Project, key: ProviderKey) -> str:
    return f"{reverse('import_list', args=[project.slug])}?key={key.pk}"


def _begin(request: Request, project: Project, key: ProviderKey, ids: list[str]) -> None:
    try:
        begun = import_requests.request_imports(project, request.user, key, ids)
    except import_requests.Refused as refused:  # the key was removed this moment
        messages.error(request, str(refused))
        return
    for each in begun.batch_imports:
        wake(each)
    if begun.batch_imports:
        number = count(len(begun.batch_imports), "batch,batches")
        are = "is" if len(begun.batch_imports) == 1 else "are"
        messages.success(request, f"{number} {are} being brought in.")
    if begun.ids_in_portal:
        named = ", ".join(begun.ids_in_portal[:3]) + (
            " and others" if len(begun.ids_in_portal) > 3 else ""
        )
        messages.warning(
            request, f"Already here, so nothing was done: {named}. A batch is brought in once."
        )


def _look(key: ProviderKey, after: str) -> Shelf:
    try:
        with provider_access.provider_client(key, silence=SILENCE) as provider:
            return Shelf(import_requests.candidates(key, provider, after))
    except UnreadableKey:
        return Shelf(trouble=UNREADABLE)
    except ProviderRejected as exc:
        advice = provider_advice.advice_for(exc, key.connection)
        if exc.reason in ABOUT_KEYS:
            provider_keys.note_trouble(key, advice, is_refused=True)
            return Shelf(trouble=advice)
        return Shelf(trouble=f"{key.connection} does not show its batches to this key. ({exc})")
    except ProviderUnavailable as exc:
        return Shelf(
            trouble=f"{key.connection} gave no usable answer. Try again in a minute; what you "
            f"know the id of can be brought in all the same. ({exc})"
        )


def _progress(project: Project) -> dict[str, Any]:
    """What is on its way, what failed, and what has come in since yesterday."""
    recent = Q(created_at__gte=timezone.now() - SHOWN_FOR)
    rows = project.batch_imports.filter(recent | ~Q(status=BatchImport.Status.DONE))
    shown = list(rows.select_related("batch", "upload", "key", "asked_by")[:SHOWN])
    moving = {BatchImport.Status.FETCHING, BatchImport.Status.CHECKING}
    return PLACE | {
        "project": project,
        "batch_imports": shown,
        "is_moving": any(each.status in moving for each in shown),
    }
