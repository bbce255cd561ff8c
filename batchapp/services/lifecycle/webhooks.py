"""What providers tell us by webhook: that a batch has ended, so that we look before our turn.

Nothing is taken from what a webhook says but that it is worth a look; what is so, the provider is
asked. So one that is late, doubled, out of order or lost does no harm.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from batchapp.models import ProviderBatch, ProviderKey, UnreadableKey, WebhookDelivery

KEPT = 200
"""Deliveries of one key."""

ENDINGS = {"batch.completed", "batch.failed"}
LONGEST_ID = 200

NOT_OURS = "not a batch of this portal"
IGNORED = "ignored"
UNCLEAR = "not understood"
TO_BE_LOOKED_AT = "looked at once"
CHANGED = "already over, asked again"
OVER = "already over"
UNDER_WAY = "already under way"


class WebhooksOff(Exception):
    """The key has no secret, or one that cannot be read."""


class BadSignature(Exception):
    """The message is not signed with the key's secret, or too long ago; nothing was written."""


@dataclass(frozen=True, slots=True)
class WebhookEffect:
    """The parts that are due now, and those that ended otherwise here than over there."""

    due: tuple[ProviderBatch, ...] = ()
    changed: tuple[ProviderBatch, ...] = ()


def receive_webhook(key: ProviderKey, body: bytes, headers: Mapping[str, str]) -> WebhookEffect:
    """Take in one webhook of ``key``; a message that was heard before does nothing.

    Raises:
        NotListening: nothing was written.
        NotSigned: nothing was written.
    """
    message_id = _verified(key, body, headers)
    kind, remote_id, counts = _event_fields(body)
    with transaction.atomic():
        delivery, is_new = WebhookDelivery.objects.get_or_create(
            key=key, message_id=message_id, defaults={"kind": kind, "remote_id": remote_id}
        )
        if not is_new:
            return WebhookEffect()
        heard, delivery.effect = _apply_event(key, kind, remote_id, counts)
        delivery.save(update_fields=["effect"])
        _prune(key)
    return heard


def possible_batch_ids(remote_id: str) -> set[str]:
    """What the API may call a batch: some providers write a prefix here that it does not know."""
    return {remote_id, remote_id.removeprefix("batch_")} - {""}


def _verified(key: ProviderKey, body: bytes, headers: Mapping[str, str]) -> str:
    try:
        secret = key.webhook_secret()
    except UnreadableKey as exc:
        raise WebhooksOff(f"the webhook secret of {key} cannot be read") from exc
    if not secret:
        raise WebhooksOff(f"{key} has no webhook secret")
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as exc:  # ValueError: a header no code wrote
        raise BadSignature(str(exc)) from exc
    message_id = {name.lower(): value for name, value in headers.items()}["webhook-id"]
    if len(message_id) > LONGEST_ID:
        raise BadSignature("the id is too long")
    return message_id


def _event_fields(body: bytes) -> tuple[str, str, tuple[Any, Any]]:
    """The kind of an event, the id of its batch and how many requests completed and failed."""
    try:
        event = _mapping(json.loads(body))
    except (ValueError, RecursionError):
        event = {}
    data = _mapping(event.get("data"))
    counts = _mapping(data.get("request_counts"))
    return (
        _text(event.get("type"), 100),
        _text(data.get("batch_id"), 200),
        (counts.get("completed"), counts.get("failed")),
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, longest: int) -> str:
    """A string as it can be stored: without NUL and halves of characters."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode(errors="replace").decode()[:longest]


def _apply_event(
    key: ProviderKey, kind: str, remote_id: str, counts: tuple[Any, Any]
) -> tuple[WebhookEffect, str]:
    if kind not in ENDINGS:
        return WebhookEffect(), IGNORED if kind else UNCLEAR
    there = ProviderBatch.objects.filter(
        remote_id__in=possible_batch_ids(remote_id), batch__connection=key.connection_id
    )
    provider_batches = list(there.select_related("batch"))
    if not provider_batches:
        return WebhookEffect(), NOT_OURS
    running = ProviderBatch.objects.filter(
        pk__in=[provider_batch.pk for provider_batch in provider_batches],
        status=ProviderBatch.Status.RUNNING,
    )
    if running.update(next_check_at=timezone.now()):
        return WebhookEffect(due=tuple(running)), TO_BE_LOOKED_AT
    changed = [
        provider_batch
        for provider_batch in provider_batches
        if provider_batch.status in ProviderBatch.OVER
        and counts != (provider_batch.completed, provider_batch.failed)
    ]
    if changed:
        return WebhookEffect(changed=tuple(changed)), CHANGED
    is_over = all(
        provider_batch.status in ProviderBatch.OVER for provider_batch in provider_batches
    )
    return WebhookEffect(), OVER if is_over else UNDER_WAY


def _prune(key: ProviderKey) -> None:
    oldest = key.deliveries.order_by("-pk").values_list("pk", flat=True)[KEPT : KEPT + 1]
    for pk in oldest:
        key.deliveries.filter(pk__lte=pk).delete()
