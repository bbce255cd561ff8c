"""The address that receives webhooks, and the page that sets the secret of a key for them."""

import logging
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST

from batchapp.forms.keys import WebhookForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, ProviderBatch, ProviderKey, WebhookDelivery
from batchapp.services.lifecycle import receive_webhook
from batchapp.services.providers import provider_keys
from batchapp.tasks import wake
from batchapp.views.keys.keys import key_page, list_url_of
from batchapp.views.permissions import key_of

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024
MAX_DELIVERIES_SHOWN = 20
LOCAL_URLS = ("http://localhost", "http://127.0.0.1")  # providers deliver there without https


@csrf_exempt  # the signature proves the sender
@login_not_required
@require_POST
def webhook_receive(request: HttpRequest, key: UUID) -> HttpResponse:
    """Receive one webhook; only its signature proves the provider."""
    if int(request.META.get("CONTENT_LENGTH") or 0) > MAX_BODY_BYTES:
        return _refusal(413, "The message is too large.")
    row = ProviderKey.objects.filter(pk=key).exclude(ciphertext="").first()
    if row is None:
        return _refusal(404, "There is no webhook here.")
    try:
        due = receive_webhook.receive_webhook(row, request.body, request.headers)
    except receive_webhook.WebhooksOff:
        return _refusal(404, "There is no webhook here.")
    except receive_webhook.BadSignature as exc:
        logger.info("webhook of key %s refused: %s", key, exc)
        return _refusal(401, "The signature does not fit, or is too old.")
    for provider_batch in due:
        wake(provider_batch)
    # The same for every signed message, so that nothing can be learnt about batches of other keys.
    return HttpResponse(status=202)


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "HEAD", "POST"])
def key_set_webhook(request: Request, pk: UUID) -> HttpResponse:
    """Show the address for webhooks and the last deliveries, and store the signing secret."""
    key = key_of(request, pk)
    list_url = list_url_of(request, key)
    if request.POST.get("action") == "remove":
        provider_keys.set_webhook_secret(key, request.user, "")
        messages.success(request, f"Webhooks of the key …{key.last_four} are refused from now on.")
        return redirect(list_url)
    form = WebhookForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        provider_keys.set_webhook_secret(key, request.user, form.cleaned_data["secret"])
        messages.success(
            request, f"The secret is stored, encrypted. {key.connection} may deliver now."
        )
        return redirect(list_url)
    context = {
        "form": form,
        "address": settings.PUBLIC_URL + reverse("webhook_receive", args=[key.pk]),
        "is_out_of_reach": not settings.PUBLIC_URL.startswith(("https://", *LOCAL_URLS)),
        "is_enabled": bool(key.webhook_ciphertext),
        "deliveries": _deliveries(request, key),
    } | key_page(request, key)
    return render_partial(request, "batchapp/keys/key_set_webhook.html", "dialog", context)


def _deliveries(request: Request, key: ProviderKey) -> list[tuple[WebhookDelivery, Batch | None]]:
    """Return the last deliveries, each with its batch if the person may see the batch."""
    deliveries = list(key.deliveries.all()[:MAX_DELIVERIES_SHOWN])
    ids = {pk for row in deliveries for pk in receive_webhook.possible_batch_ids(row.remote_id)}
    provider_batches = ProviderBatch.objects.filter(
        remote_id__in=ids,
        batch__key=key,
        batch__in=Batch.objects.visible_to(request.user),
    ).select_related("batch")
    batches = {row.remote_id: row.batch for row in provider_batches}
    listed = []
    for delivery in deliveries:
        possible_ids = receive_webhook.possible_batch_ids(delivery.remote_id)
        listed.append(
            (delivery, next((batches[pk] for pk in possible_ids if pk in batches), None))
        )
    return listed


def _refusal(status: int, text: str) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain; charset=utf-8")
