"""Deactivate the account of a person, with what becomes of the batches that the person pays."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.domain.refused import Refused
from batchapp.forms.administration import DeactivationForm
from batchapp.http import Request, render_partial
from batchapp.models import User
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.lifecycle import controls
from batchapp.services.people import deactivate
from batchapp.templatetags.words import count
from batchapp.views.administration.console import client_address, require_administrator

LIST = "person_list"


@require_http_methods(["GET", "HEAD", "POST"])
def person_deactivate(request: Request, person: int) -> HttpResponse:
    """Ask what becomes of running batches, then deactivate the account."""
    require_administrator(request)
    row = get_object_or_404(User, pk=person, is_service_account=False)
    consequences = deactivate.consequences_of(row, request.user)
    data = request.POST if request.method == "POST" else None
    form = DeactivationForm(data, asks=bool(consequences.batches))
    if form.is_valid():
        try:
            deactivate.deactivate(row, request.user, address=client_address(request))
        except Refused as exc:
            form.add_error(None, refusal_text(exc))
        else:
            cancels = form.cleaned_data.get("batches") == "cancel"
            is_done = _finish(request, row, cancels=cancels)
            return redirect(LIST) if is_done else redirect("person_deactivate", person)
    context = {
        "person": row,
        "form": form,
        "consequences": consequences,
        "is_self": row.pk == request.user.pk,
        "nav": "people",
    }
    page = "batchapp/administration/person_deactivate.html"
    return render_partial(request, page, "dialog", context)


def _finish(request: Request, person: User, *, cancels: bool) -> bool:
    """Cancel the batches if that was chosen, say what was done, and return whether all was."""
    text = f"{person} is signed out everywhere and cannot sign in any more."
    failed = 0
    if cancels:
        cancelled, failed = controls.cancel_batches_paid_by(person, request.user)
        text += f" {count(cancelled, 'batch,batches')} will be cancelled."
    messages.success(request, text)
    if failed:
        which = count(failed, "batch,batches")
        messages.error(request, f"{which} changed at this moment: choose once more.")
    return not failed


@require_POST
def person_activate(request: Request, person: int) -> HttpResponse:
    require_administrator(request)
    row = get_object_or_404(User, pk=person, is_service_account=False)
    if deactivate.activate(row, request.user, address=client_address(request)):
        messages.success(request, f"{row} can sign in again, with the same roles and keys.")
    return redirect(LIST)
