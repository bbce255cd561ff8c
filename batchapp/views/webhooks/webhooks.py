"""List, make, change, rotate, switch and delete the webhooks of a project.

A secret is on one page, which no cache keeps.
"""

from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp import access
from batchapp.domain.refused import Refused
from batchapp.forms.webhooks.webhooks import SecretRotationForm, WebhookForm
from batchapp.http import Request, render_partial
from batchapp.models import Project, WebhookEndpoint
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.webhook_text import offered_kinds, rotation_text, webhook_state
from batchapp.services.webhooks import endpoints
from batchapp.services.webhooks.endpoints import SignedEndpoint
from batchapp.tasks import wake
from batchapp.views.permissions import project_of
from batchapp.views.project_page import project_page


@require_safe
def webhook_list(request: Request, slug: str) -> HttpResponse:
    """List the webhooks of a project, for its owners."""
    project = project_of(request, slug)
    access.require_manage_webhooks(request.user, project)
    rows = [(endpoint, webhook_state(endpoint)) for endpoint in project.webhook_endpoints.all()]
    context = webhook_page(request, project) | {"rows": rows}
    return render(request, "batchapp/webhooks/webhook_list.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_add(request: Request, slug: str) -> HttpResponse:
    """Make a webhook; the answer to the form is the only page that has the secret."""
    project = project_of(request, slug)
    access.require_manage_webhooks(request.user, project)
    posted = request.POST if request.method == "POST" else None
    form = WebhookForm(posted, kinds=offered_kinds())
    if request.method == "POST" and form.is_valid():
        try:
            made = endpoints.create(project, request.user, form.chosen)
        except Refused as exc:
            _show_refusal(form, exc)
        else:
            wake(made.endpoint)
            if made.secret:
                return _revealed(request, made)
            messages.success(request, "The webhook is ready. Send a test to try it.")
            return redirect("webhook_detail", made.endpoint.pk)
    context = webhook_page(request, project) | {"form": form}
    return render(request, "batchapp/webhooks/webhook_add.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_edit(request: Request, pk: UUID) -> HttpResponse:
    """Change name, address and kinds of notices."""
    endpoint = endpoint_of(request, pk)
    posted = request.POST if request.method == "POST" else None
    form = WebhookForm(posted, kinds=offered_kinds(), endpoint=endpoint)
    if request.method == "POST" and form.is_valid():
        try:
            endpoints.change(endpoint, request.user, form.chosen)
        except Refused as exc:
            endpoint.refresh_from_db()
            _show_refusal(form, exc)
        else:
            messages.success(request, "The webhook is changed.")
            return redirect("webhook_detail", pk)
    context = webhook_page(request, endpoint.project) | {"form": form, "endpoint": endpoint}
    return render(request, "batchapp/webhooks/webhook_edit.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def webhook_rotate(request: Request, pk: UUID) -> HttpResponse:
    """Ask when the old secret stops, then show the new one, once."""
    endpoint = endpoint_of(request, pk)
    posted = request.POST if request.method == "POST" else None
    current = endpoints.state_of_secret(endpoint)
    form = SecretRotationForm(posted, initial={"current": current})
    if request.method == "POST" and form.is_valid():
        hours = form.cleaned_data["hours"]
        try:
            made = endpoints.rotate_secret(
                endpoint, request.user, hours=hours, current=form.cleaned_data["current"]
            )
        except Refused as exc:
            messages.error(request, refusal_text(exc))
            return redirect("webhook_detail", pk)
        return _revealed(request, made, hours=hours)
    context = webhook_page(request, endpoint.project) | {"form": form, "endpoint": endpoint}
    return render_partial(request, "batchapp/webhooks/webhook_rotate.html", "dialog", context)


@require_POST
def webhook_switch(request: Request, pk: UUID) -> HttpResponse:
    """Switch a webhook on, or off; each undoes the other, so neither asks."""
    endpoint = endpoint_of(request, pk)
    if request.POST.get("action") == "on":
        if endpoints.enable(endpoint, request.user):
            wake(endpoint)
        messages.success(request, "The webhook is on: it gets what happens from now on.")
    else:
        endpoints.disable(endpoint, request.user)
        messages.success(request, "The webhook is off. What happens now is not sent to it.")
    return redirect("webhook_detail", pk)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_delete(request: Request, pk: UUID) -> HttpResponse:
    """Ask for confirmation, then delete a webhook with its log."""
    endpoint = endpoint_of(request, pk)
    project = endpoint.project
    if request.method == "POST":
        endpoints.delete(endpoint, request.user)
        messages.success(request, f"The webhook {endpoint.name} is deleted.")
        return redirect("webhook_list", project.slug)
    context = webhook_page(request, project) | {"endpoint": endpoint}
    return render_partial(request, "batchapp/webhooks/webhook_delete.html", "dialog", context)


def endpoint_of(request: Request, pk: UUID) -> WebhookEndpoint:
    """Return a webhook of a project that the person owns; 404 for outsiders."""
    rows = WebhookEndpoint.objects.visible_to(request.user)
    endpoint = get_object_or_404(rows.select_related("project__connection"), pk=pk)
    access.require_manage_webhooks(request.user, endpoint.project)
    return endpoint


def webhook_page(request: Request, project: Project) -> dict[str, object]:
    return project_page(request, project, "project_settings")


def _show_refusal(form: WebhookForm, exc: Refused) -> None:
    """Show the refusal at the field that it is about."""
    field = {"webhook_address_invalid": "address", "webhook_name_taken": "name"}.get(exc.code)
    form.add_error(field, refusal_text(exc))


def _revealed(request: Request, made: SignedEndpoint, *, hours: int | None = None) -> HttpResponse:
    """Show the secret of ``made``, in the answer to the form that made it and never again."""
    context = webhook_page(request, made.endpoint.project) | {
        "endpoint": made.endpoint,
        "secret": made.secret,
        "hours": hours,
        "ends_at": rotation_text(made.endpoint),
    }
    return render(request, "batchapp/webhooks/webhook_reveal.html", context)
