"""Add, replace, remove and test provider keys. No page ever shows a key."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.domain.refused import Refused
from batchapp.forms.keys import KeyForm, SecretForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderKey
from batchapp.presenters.refusal_text import refusal_text
from batchapp.providers.tariffs import MANAGEMENT_HOSTS
from batchapp.services.providers import provider_keys
from batchapp.views.keys.try_key import UNTESTED, key_status, report_key_test
from batchapp.views.permissions import key_of, project_of, require_admin
from batchapp.views.project_page import project_page
from batchapp.views.return_link import back_context, with_return_url


def list_keys(keys: "QuerySet[ProviderKey]") -> dict[str, Any]:
    """Return the context of a table of ``keys``, without removed keys."""
    under_way = Count("batches", filter=~Q(batches__status__in=Batch.OVER))
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
        require_admin(request, project)
        if form.is_valid():
            name, secret = form.cleaned_data["name"], form.cleaned_data["secret"]
            key = provider_keys.store(
                project.connection, request.user, secret, name=name, owner=project
            )
            report_key_test(request, key, prefix="The key is stored, encrypted. ")
            return redirect(list_url_of(request, key))
    context = (
        project_page(request, project, "key_list")
        | {"form": form, "console": MANAGEMENT_HOSTS.get(project.connection.address[0])}
        | list_keys(project.provider_keys.all())
        | back_context(request)
    )
    return render(request, "batchapp/projects/key_list.html", context)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_replace(request: Request, pk: UUID) -> HttpResponse:
    """Replace the secret of a key."""
    key = key_of(request, pk)
    form = SecretForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        provider_keys.replace(key, request.user, form.cleaned_data["secret"])
        prefix = "The key is replaced, and batches under way go on with the new key. "
        report_key_test(request, key, prefix=prefix)
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
