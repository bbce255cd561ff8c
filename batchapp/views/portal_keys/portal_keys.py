"""List, make, rotate and revoke portal keys. A secret is on one page, which no cache keeps."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.forms.portal_keys.portal_keys import (
    SCOPE_TEXTS,
    PortalKeyForm,
    RevocationForm,
    RotationForm,
)
from batchapp.http import Request, render_partial
from batchapp.models import Membership, PortalKey, Project
from batchapp.models.portal_keys.portal_key import PortalKeyQuerySet
from batchapp.presenters.model_choices import first_choice, model_choices
from batchapp.presenters.portal_key_text import KeyRow, key_row, quickstart, revoked_row
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.portal_keys import portal_keys
from batchapp.services.portal_keys.portal_keys import NewSecret
from batchapp.templatetags.words import count
from batchapp.views.permissions import memberships_of, project_of
from batchapp.views.project_page import project_page

REVOKED = "revoked"  # in the address
PAGE_SIZE = 50
MOST_AT_ONCE = 200  # keys that one form revokes


@require_safe
def portal_key_list(request: Request) -> HttpResponse:
    """List the person's own keys of all projects, or those that were revoked."""
    keys = PortalKey.objects.filter(user=request.user)
    context = _listed(request, keys) | {
        "projects": [membership.project for membership in memberships_of(request)],
        "nav": "profile",
    }
    return render(request, "batchapp/portal_keys/portal_key_list.html", context)


@require_safe
def project_portal_key_list(request: Request, slug: str) -> HttpResponse:
    """List the keys of a project: all to its owners, the own ones to its other members.

    By ``state=revoked`` in the address these are the keys that were revoked.
    """
    project = project_of(request, slug)
    keys = project.portal_keys.all()
    if not access.can_manage_portal_keys(request.user, project):
        keys = keys.filter(user=request.user)
    context = project_page(request, project, "project_portal_key_list")
    context |= _listed(request, keys)
    if not context["is_revoked"]:
        context |= {
            "rows": _rows(request, keys.of_people()),
            "service_rows": _rows(request, keys.of_services()),
        }
    return render(request, "batchapp/portal_keys/project_portal_key_list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def portal_key_add(request: Request, slug: str) -> HttpResponse:
    """Make a key; the answer to the form is the only page that has the secret."""
    project = project_of(request, slug)
    form = _add_form(request, project)
    if request.method == "POST" and form.is_valid():
        is_service_key = form.is_service_key
        make = portal_keys.create_service_key if is_service_key else portal_keys.create
        try:
            return _revealed(request, make(project, request.user, form.chosen))
        except Refused as exc:
            is_of_name = exc.code == Refusal.PORTAL_KEY_NAME_TAKEN
            form.add_error("name" if is_of_name else None, refusal_text(exc))
    context = project_page(request, project, "project_portal_key_list") | {"form": form}
    return render(request, "batchapp/portal_keys/portal_key_add.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def portal_key_rotate(request: Request, pk: UUID) -> HttpResponse:
    """Ask when the old secret stops, then show the new one, once."""
    key = _key_of(request, pk)
    access.require_rotate_portal_key(request.user, key)
    row = key_row(key)
    current = row.current.pk if row.current else 0
    posted = request.POST if request.method == "POST" else None
    form = RotationForm(posted, initial={"current": current})
    if request.method == "POST" and form.is_valid():
        try:
            made = portal_keys.rotate(
                key,
                request.user,
                hours=form.cleaned_data["hours"],
                current=form.cleaned_data["current"],
            )
        except Refused as exc:
            messages.error(request, refusal_text(exc))
            return redirect(_list_url(request, key))
        return _revealed(request, made, hours=form.cleaned_data["hours"])
    context = {"form": form, "key": key, "row": row, "list_url": _list_url(request, key)}
    context |= {"nav": "projects" if key.is_service_key else "profile"}
    return render_partial(
        request, "batchapp/portal_keys/portal_key_rotate.html", "dialog", context
    )


@require_http_methods(["GET", "HEAD", "POST"])
def portal_key_revoke(request: Request) -> HttpResponse:
    """Ask for confirmation, then stop one key or several for good."""
    names = (request.POST if request.method == "POST" else request.GET).getlist("key")
    keys = _named_keys(request, names)
    form = RevocationForm(request.POST or request.GET, keys=keys)
    if not keys or not form.is_valid():
        raise Http404
    for key in keys:
        access.require_manage_portal_key(request.user, key)
    if request.method == "POST":
        list_url = _list_url(request, *keys)
        revoked = portal_keys.revoke(keys, request.user)
        messages.success(request, f"{count(revoked, 'portal key')} revoked.")
        return redirect(list_url)
    context = {"keys": keys, "rows": [key_row(key) for key in keys]}
    context |= {"list_url": _list_url(request, *keys), "nav": "profile"}
    return render_partial(
        request, "batchapp/portal_keys/portal_key_revoke.html", "dialog", context
    )


def _add_form(request: Request, project: Project) -> PortalKeyForm:
    membership = next(row for row in memberships_of(request) if row.project_id == project.pk)
    reach = access.ROLES.index(Membership.Role(membership.role))
    return PortalKeyForm(
        request.POST if request.method == "POST" else None,
        scopes=list(PortalKey.Scope)[: reach + 1],
        models=[choice.model for choice in model_choices(project.connection)],
        is_owner=access.can_manage_portal_keys(request.user, project),
        initial={"owner": request.GET.get("owner", "person")},
    )


def _revealed(request: Request, made: NewSecret, *, hours: int | None = None) -> HttpResponse:
    """Show the secret of ``made``, in the answer to the form that made it and never again.

    A redirect would need a place where the secret is kept until the next page.
    """
    context = {
        "key": made.key,
        "secret": made.secret,
        "does": SCOPE_TEXTS[PortalKey.Scope(made.key.scope)],
        "examples": quickstart(settings.PUBLIC_URL, made.secret, **_order_example(made.key)),
        "hours": hours,
        "list_url": _list_url(request, made.key),
        "nav": "projects" if made.key.is_service_key else "profile",
    }
    return render(request, "batchapp/portal_keys/portal_key_reveal.html", context)


def _order_example(key: PortalKey) -> dict[str, str]:
    """Return a model and a window that ``key`` may order; empty if there are none, or it reads."""
    if key.scope == PortalKey.Scope.READ:
        return {}
    connection = key.project.connection
    choices = [row for row in model_choices(connection) if key.allows_model(row.model)]
    model, window = first_choice(key.project, choices), next(iter(connection.window_names), "")
    return {"model": model, "window": window} if model and window else {}


def _listed(request: Request, keys: PortalKeyQuerySet) -> dict[str, Any]:
    """Return the rows of ``keys`` in the state that the address asks for, and its name."""
    if request.GET.get("state") != REVOKED:
        return {"is_revoked": False, "rows": _rows(request, keys)}
    revoked = keys.exclude(revoked_at=None).select_related("user", "project", "revoked_by")
    ordered = revoked.prefetch_related("secrets").order_by("-revoked_at", "pk")
    page = Paginator(ordered, PAGE_SIZE).get_page(request.GET.get("page"))
    return {"is_revoked": True, "page": page, "rows": [revoked_row(key) for key in page]}


def _rows(request: Request, keys: PortalKeyQuerySet) -> list[KeyRow]:
    """Return the keys that are not revoked, the newest first, with two queries."""
    keys = keys.kept().select_related("user", "project").prefetch_related("secrets")
    return [
        key_row(key, can_rotate=access.can_rotate_portal_key(request.user, key))
        for key in keys.order_by("-created_at")
    ]


def _named_keys(request: Request, names: list[str]) -> list[PortalKey]:
    """Return the keys of these ids that the person may know of; 404 if one is not among them."""
    try:
        ids = {UUID(name) for name in names[:MOST_AT_ONCE]}
    except ValueError as exc:
        raise Http404 from exc
    keys = list(_known_keys(request).filter(pk__in=ids))
    if len(keys) != len(ids):
        raise Http404
    return keys


def _key_of(request: Request, pk: UUID) -> PortalKey:
    return get_object_or_404(_known_keys(request), pk=pk)


def _known_keys(request: Request) -> "QuerySet[PortalKey]":
    """Return the keys that are the person's, or of a project that the person is in."""
    user = request.user
    known = Q(user=user) | Q(project__in=Project.objects.visible_to(user))
    keys = PortalKey.objects.kept().filter(known)
    return keys.select_related("user", "project").prefetch_related("secrets")


def _list_url(request: Request, *keys: PortalKey) -> str:
    """Return the list that has these keys: the person's own, else that of their project."""
    if all(key.user_id == request.user.pk for key in keys):
        return reverse("portal_key_list")
    return reverse("project_portal_key_list", args=[keys[0].project.slug])
