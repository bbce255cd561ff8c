"""Webhooks: what providers send us, and the page on which a key is made to listen."""

import logging
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.access import key_of
from batchapp.forms.keys import WebhookForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderBatch, ProviderKey, WebhookDelivery
from batchapp.services.lifecycle import webhooks
from batchapp.services.providers import provider_keys
from batchapp.tasks import recheck_finished, wake
from batchapp.views.keys.keys import home_of
from batchapp.views.return_link import back_context

logger = logging.getLogger(__name__)

LARGEST = 64 * 1024
SHOWN = 20
LOCAL = ("http://localhost", "http://127.0.0.1")
"""Where providers that otherwise insist on https deliver without."""


@csrf_exempt  # a signature stands for it
@login_not_required
@require_POST
def webhook_receive(request: HttpRequest, key: UUID) -> HttpResponse:
    """One webhook of a provider; only a signature tells whose."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > LARGEST:
        return _refusal(413, "The message is too large.")
    row = ProviderKey.objects.filter(pk=key).exclude(ciphertext="").first()
    if row is None:
        return _refusal(404, "Nobody listens here.")
    try:
        heard = webhooks.receive_webhook(row, request.body, request.headers)
    except webhooks.WebhooksOff:
        return _refusal(404, "Nobody listens here.")
    except webhooks.BadSignature as exc:
        logger.info("webhook of key %s refused: %s", key, exc)
        return _refusal(401, "The signature does not fit, or is too old.")
    for provider_batch in heard.due:
        wake(provider_batch)
    for provider_batch in heard.changed:
        _ask_again(provider_batch)
    return HttpResponse(status=204)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_set_webhook(request: Request, pk: UUID) -> HttpResponse:
    """Where the provider of a key shall deliver, the secret it signs with, what came so far."""
    key = key_of(request, pk)
    home = home_of(request, key)
    if request.POST.get("action") == "remove":
        provider_keys.set_webhook_secret(key, "")
        messages.success(request, f"Webhooks of the key …{key.last_four} are refused from now on.")
        return redirect(home)
    form = WebhookForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        provider_keys.set_webhook_secret(key, form.cleaned_data["secret"])
        messages.success(
            request, f"The secret is stored, encrypted. {key.connection} may deliver now."
        )
        return redirect(home)
    context = {
        "key": key,
        "form": form,
        "address": settings.PUBLIC_URL + reverse("webhook_receive", args=[key.pk]),
        "is_out_of_reach": not settings.PUBLIC_URL.startswith(("https://", *LOCAL)),
        "is_listening": bool(key.webhook_ciphertext),
        "deliveries": _told(request, key),
        "home": home,
        "nav": "projects" if key.project else "profile",
    } | back_context(request)
    return render_partial(request, "batchapp/keys/key_set_webhook.html", "dialog", context)


def _told(request: Request, key: ProviderKey) -> list[tuple[WebhookDelivery, Batch | None]]:
    """The last deliveries, each with its batch where that is one the person may see."""
    deliveries = list(key.deliveries.all()[:SHOWN])
    ids = {name for each in deliveries for name in webhooks.possible_batch_ids(each.remote_id)}
    provider_batches = ProviderBatch.objects.filter(
        remote_id__in=ids,
        batch__connection=key.connection_id,
        batch__in=Batch.objects.visible_to(request.user),
    ).select_related("batch")
    batches = {
        provider_batch.remote_id: provider_batch.batch for provider_batch in provider_batches
    }
    return [
        (
            each,
            next(
                (batches[n] for n in webhooks.possible_batch_ids(each.remote_id) if n in batches),
                None,
            ),
        )
        for each in deliveries
    ]


def _ask_again(provider_batch: ProviderBatch) -> None:
    transaction.on_commit(lambda: recheck_finished.delay(str(provider_batch.pk)), robust=True)


def _refusal(status: int, text: str) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
