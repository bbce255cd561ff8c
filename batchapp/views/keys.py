"""Provider keys of people and projects: added, replaced, removed, tried. None is ever shown."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from batchapp import tasks
from batchapp.forms.keys import KeyForm, SecretForm
from batchapp.http import Request, render_partial
from batchapp.models import ProviderKey, UnreadableKey
from batchapp.services import advising, keying
from batchapp.templatetags.words import count
from batchapp.upstream.errors import Reason, UpstreamRejected, UpstreamUnavailable
from batchapp.views.access import can_manage, key_of, project_of, require_admin

ABOUT_KEYS = {Reason.KEY_REFUSED, Reason.NO_CREDIT}


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def project_keys(request: Request, slug: str) -> HttpResponse:
    """The keys that every member may run this project's batches on."""
    project = project_of(request, slug)
    form = KeyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require_admin(request, project)
        if form.is_valid():
            asked = form.cleaned_data
            keying.store(project.connection, asked["secret"], name=asked["name"], owner=project)
            messages.success(request, "The key is stored, encrypted. Test it to be sure.")
            return redirect("project_keys", slug)
    context = {
        "project": project,
        "form": form,
        "keys": project.provider_keys.exclude(ciphertext="").select_related("connection"),
        "can_manage": can_manage(request, project),
        "nav": "projects",
        "tab": "keys",
    }
    return render(request, "batchapp/projects/keys.html", context)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_replace(request: Request, pk: UUID) -> HttpResponse:
    """Put a new secret in the place of an old one."""
    key = key_of(request, pk)
    form = SecretForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        keying.replace(key, form.cleaned_data["secret"])
        messages.success(request, "The key is replaced. Batches under way go on with the new one.")
        return redirect(*_home_of(key))
    context = {"key": key, "form": form, "is_unsure": keying.is_unsure(key)}
    return render_partial(request, "batchapp/keys/key_replace.html", "dialog", context)


@require_http_methods(["GET", "HEAD", "POST"])
def key_remove(request: Request, pk: UUID) -> HttpResponse:
    """Forget a key for good, once that is confirmed."""
    key = key_of(request, pk)
    if request.method != "POST":
        return render_partial(request, "batchapp/keys/key_remove.html", "dialog", {"key": key})
    try:
        keying.remove(key)
        messages.success(request, f"The key …{key.last_four} is removed.")
    except keying.KeyInUse as exc:
        messages.error(request, str(exc))
    return redirect(*_home_of(key))


@require_POST
def key_try(request: Request, pk: UUID) -> HttpResponse:
    """Ask the provider whether it takes the key."""
    key = key_of(request, pk)
    try:
        with tasks.upstream_client(key, silence=timedelta(seconds=10)) as upstream:
            models = count(keying.try_out(key, upstream), "model")
        messages.success(request, f"{key.connection} takes the key …{key.last_four}: {models}.")
    except UnreadableKey:
        messages.error(request, "The stored key cannot be read any more. Replace it.")
    except UpstreamRejected as exc:
        messages.error(request, f"{key}: {_refusal(exc, key)}")
    except UpstreamUnavailable as exc:
        messages.error(
            request,
            f"{key.connection} gave no usable answer, which says nothing about the key. Try again "
            f"in a minute, or ask an operator to check the connection. ({exc})",
        )
    return redirect(*_home_of(key))


def _refusal(exc: UpstreamRejected, key: ProviderKey) -> str:
    """What a refused test means; most advice is about files and batches, and there are none."""
    if exc.reason in ABOUT_KEYS:
        return advising.sentence(exc, key.connection)
    said = f": {exc.message}" if exc.message else ""
    return (
        f"{key.connection} answered, but neither took the key nor refused it. Batches may work "
        f"with it; if not, ask an operator to check the connection. (HTTP {exc.status}{said})"
    )


def _home_of(key: ProviderKey) -> tuple[str, ...]:
    """Where the key is listed: the arguments of ``redirect``."""
    return ("project_keys", key.project.slug) if key.project else ("profile",)
