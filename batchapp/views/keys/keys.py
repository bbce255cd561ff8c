"""Add, replace, remove and test provider keys. No page ever shows a key."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.domain.refused import Refused
from batchapp.forms.keys import KeyForm, OwnKeyForm, StoredSecretForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, Connection, Project, ProviderKey, User
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.providers import provider_keys
from batchapp.views.keys.try_key import UNTESTED, key_status, report_key_test, store_tested
from batchapp.views.permissions import key_of, project_of, require_owner
from batchapp.views.project_page import project_page
from batchapp.views.return_link import back_context, with_return_url


def list_keys(keys: "QuerySet[ProviderKey]") -> dict[str, Any]:
    """Return the context of a table of ``keys``, without removed keys."""
    under_way = Batch.objects.unfinished().count_for("key")
    stored = keys.exclude(ciphertext="").select_related("connection").order_by("created_at")
    rows = [(key, key_status(key)) for key in stored.annotate(under_way=under_way)]
    return {"keys": rows, "has_untested": any(status is UNTESTED for _, status in rows)}


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_list(request: Request, slug: str) -> HttpResponse:
    """List the keys that every member may use for batches of the project, and add one."""
    project = project_of(request, slug)
    form = KeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require_owner(request, project)
        if form.is_valid():
            key = add_key(request, form, project.connection, project)
            if key:
                return redirect(list_url_of(request, key))
    context = (
        project_page(request, project, "key_list")
        | {"form": form, "keys_page": project.connection.keys_page}
        | list_keys(project.provider_keys.all())
        | back_context(request)
    )
    return render(request, "batchapp/projects/key_list.html", context)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_replace(request: Request, pk: UUID) -> HttpResponse:
    """Replace the secret of a key."""
    key = key_of(request, pk)
    form = StoredSecretForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _replaced(request, form, key):
        return redirect(list_url_of(request, key))
    context = {
        "form": form,
        "is_unsure": provider_keys.may_have_unconfirmed_batch(key),
    } | key_page(request, key)
    return render_partial(request, "batchapp/keys/key_replace.html", "dialog", context)


@require_http_methods(["GET", "HEAD", "POST"])
def key_remove(request: Request, pk: UUID) -> HttpResponse:
    """Ask for confirmation, then remove a key for ever."""
    key = key_of(request, pk)
    if request.method != "POST":
        context = key_page(request, key)
        return render_partial(request, "batchapp/keys/key_remove.html", "dialog", context)
    try:
        provider_keys.remove(key, request.user)
        messages.success(request, f"The key …{key.last_four} is removed.")
    except Refused as exc:
        messages.error(request, refusal_text(exc))
    return redirect(list_url_of(request, key))


@require_POST
def key_test(request: Request, pk: UUID) -> HttpResponse:
    key = key_of(request, pk)
    report_key_test(request, key)
    return redirect(list_url_of(request, key))


def add_key(
    request: Request, form: KeyForm, connection: Connection, owner: User | Project
) -> ProviderKey | None:
    """Test and store the key of a valid form; None, and the reason in the form, if not stored."""
    name, secret = form.cleaned_data["name"], form.cleaned_data["secret"]
    try:
        key = provider_keys.draft(connection, request.user, secret, name=name, owner=owner)
    except Refused as exc:
        form.add_error("name", refusal_text(exc))
        return None
    prefix = "The key is stored, encrypted. "
    return key if store_tested(request, form, key, provider_keys.insert, prefix=prefix) else None


def add_own_key(request: Request, form: OwnKeyForm) -> ProviderKey | None:
    """Do as ``add_key`` does, for a key of the person."""
    return add_key(request, form, form.cleaned_data["connection"], request.user)


def _replaced(request: Request, form: StoredSecretForm, key: ProviderKey) -> bool:
    """Test and store the new secret of a valid form; the reason is in the form if not stored."""
    try:
        new = provider_keys.draft_replacement(key, request.user, form.cleaned_data["secret"])
    except Refused as exc:
        form.add_error(None, refusal_text(exc))
        return False
    prefix = "The key is replaced, and batches under way go on with the new key. "
    return store_tested(request, form, new, provider_keys.store_replacement, prefix=prefix)


def list_url_of(request: Request, key: ProviderKey) -> str:
    """Return the page that lists ``key``, with the link back kept."""
    if key.project:
        return with_return_url(request, reverse("key_list", args=[key.project.slug]))
    return with_return_url(request, reverse("profile_edit") + "#keys")


def key_page(request: Request, key: ProviderKey) -> dict[str, Any]:
    """Return the context that all pages about ``key`` share."""
    nav = "projects" if key.project else "profile"
    context = {"key": key, "list_url": list_url_of(request, key), "nav": nav}
    return context | back_context(request)
