"""Provider keys of people and projects: added, replaced, removed, tried. None is ever shown."""

from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.access import can_manage, can_write, key_of, project_of, require_admin
from batchapp.forms.keys import KeyForm, SecretForm
from batchapp.http import Request, render_partial
from batchapp.models import ProviderKey
from batchapp.services.providers import provider_keys
from batchapp.views.keys.key_test import Verdict, try_key, verdict
from batchapp.views.return_link import back_context, keeping


def listed(keys: "QuerySet[ProviderKey]") -> list[tuple[ProviderKey, Verdict]]:
    """What a key table shows: those that were not removed."""
    kept = keys.exclude(ciphertext="").select_related("connection")
    return [(key, verdict(key)) for key in kept]


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_list(request: Request, slug: str) -> HttpResponse:
    """The keys that every member may run this project's batches on."""
    project = project_of(request, slug)
    form = KeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require_admin(request, project)
        if form.is_valid():
            asked = form.cleaned_data
            key = provider_keys.store(
                project.connection, asked["secret"], name=asked["name"], owner=project
            )
            try_key(request, key, done="The key is stored, encrypted.")
            return redirect(home_of(request, key))
    context = {
        "project": project,
        "form": form,
        "keys": listed(project.provider_keys.all()),
        "can_manage": can_manage(request, project),
        "can_write": can_write(request, project),
        "nav": "projects",
        "tab": "key_list",
    } | back_context(request)
    return render(request, "batchapp/projects/key_list.html", context)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_replace(request: Request, pk: UUID) -> HttpResponse:
    """Put a new secret in the place of an old one."""
    key = key_of(request, pk)
    form = SecretForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        provider_keys.replace(key, form.cleaned_data["secret"])
        done = "The key is replaced, and batches under way go on with the new one."
        try_key(request, key, done=done)
        return redirect(home_of(request, key))
    context = {
        "key": key,
        "form": form,
        "is_unsure": provider_keys.may_have_unconfirmed_batch(key),
        "home": home_of(request, key),
        "nav": "projects" if key.project else "profile",
    } | back_context(request)
    return render_partial(request, "batchapp/keys/key_replace.html", "dialog", context)


@require_http_methods(["GET", "HEAD", "POST"])
def key_remove(request: Request, pk: UUID) -> HttpResponse:
    """Forget a key for good, once that is confirmed."""
    key = key_of(request, pk)
    if request.method != "POST":
        context = {
            "key": key,
            "home": home_of(request, key),
            "nav": "projects" if key.project else "profile",
        } | back_context(request)
        return render_partial(request, "batchapp/keys/key_remove.html", "dialog", context)
    try:
        provider_keys.remove(key)
        messages.success(request, f"The key …{key.last_four} is removed.")
    except provider_keys.KeyInUse as exc:
        messages.error(request, str(exc))
    return redirect(home_of(request, key))


@require_POST
def key_test(request: Request, pk: UUID) -> HttpResponse:
    """Ask the provider whether it takes the key."""
    key = key_of(request, pk)
    try_key(request, key)
    return redirect(home_of(request, key))


def home_of(request: Request, key: ProviderKey) -> str:
    """Where the key is listed; the way back goes along."""
    if key.project:
        return keeping(request, reverse("key_list", args=[key.project.slug]))
    return keeping(request, reverse("profile_edit") + "#keys")
