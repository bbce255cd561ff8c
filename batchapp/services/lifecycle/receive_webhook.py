"""Receive webhooks of providers, which say that a batch has ended.

A webhook only makes a provider batch due to be polled; nothing it says is stored as state. So a
late, repeated, misordered or lost webhook does no harm.
"""

import json
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from batchapp.models import ProviderBatch, ProviderKey, UnreadableKey, WebhookDelivery

MAX_DELIVERIES = 200  # stored per key
MAX_ID_LENGTH = 200  # characters of a message id
REMOTE_ID_LENGTH = WebhookDelivery._meta.get_field("remote_id").max_length or 0
END_EVENTS = {"batch.completed", "batch.failed", "batch.expired", "batch.cancelled"}

Effect = WebhookDelivery.Effect


class WebhooksOff(Exception):
    """The key has no webhook secret, or an unreadable one; nothing was written."""


class BadSignature(Exception):
    """The message has no valid signature, or an outdated one; nothing was written."""


def receive_webhook(
    key: ProviderKey, body: bytes, headers: Mapping[str, str]
) -> list[ProviderBatch]:
    """Record one webhook of ``key``, and return the provider batches that it has made due.

    A message that was received before does nothing.

    Raises:
        WebhooksOff: the key accepts no webhooks.
        BadSignature: the message may not come from the provider.
    """
    message_id = _verified_message_id(key, body, headers)
    kind, remote_id, counts = _event_fields(body)
    with transaction.atomic():
        delivery, is_new = WebhookDelivery.objects.get_or_create(
            key=key, message_id=message_id, defaults={"kind": kind, "remote_id": remote_id}
        )
        if not is_new:
            return []
        due, delivery.effect = _apply_event(key, kind, remote_id, counts)
        delivery.save(update_fields=["effect"])
        _delete_old_deliveries(key)
    return due


def possible_batch_ids(remote_id: str) -> set[str]:
    """Return the ids that the API may use: some webhooks add a prefix of their own."""
    return {remote_id, remote_id.removeprefix("batch_")} - {""}


def _verified_message_id(key: ProviderKey, body: bytes, headers: Mapping[str, str]) -> str:
    try:
        secret = key.webhook_secret()
    except UnreadableKey as exc:
        raise WebhooksOff(f"the webhook secret of {key} cannot be read") from exc
    if not secret:
        raise WebhooksOff(f"{key} has no webhook secret")
    try:
        Webhook(secret).verify(body, dict(headers), json_parse=False)
    except (WebhookVerificationError, ValueError) as exc:  # ValueError: a malformed header
        raise BadSignature(str(exc)) from exc
    message_id = {name.lower(): value for name, value in headers.items()}["webhook-id"]
    if len(message_id) > MAX_ID_LENGTH:
        raise BadSignature("the id is too long")
    return message_id


def _event_fields(body: bytes) -> tuple[str, str, tuple[Any, Any]]:
    """Return the kind of an event, the id of its batch, and (completed, failed) requests."""
    try:
        event = _mapping(json.loads(body))
    except (ValueError, RecursionError):
        event = {}
    data = _mapping(event.get("data"))  # ``id`` at OpenAI, ``batch_id`` at Doubleword
    counts = _mapping(data.get("request_counts"))
    return (
        _text(event.get("type"), 100),
        _text(data.get("batch_id") or data.get("id"), REMOTE_ID_LENGTH),
        (counts.get("completed"), counts.get("failed")),
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object, max_length: int) -> str:
    """Return a string that the database can store: without NUL and lone surrogates."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode(errors="replace").decode()[:max_length]


def _apply_event(
    key: ProviderKey, kind: str, remote_id: str, counts: tuple[Any, Any]
) -> tuple[list[ProviderBatch], Effect]:
    """Make the provider batches due that may have news, and return them with the effect.

    Batches that were sent with another key count as unknown: whoever holds the secret of one key
    learns nothing about the batches of others.
    """
    if kind not in END_EVENTS:
        return [], Effect.IGNORED if kind else Effect.NOT_UNDERSTOOD
    matching = ProviderBatch.objects.filter(
        remote_id__in=possible_batch_ids(remote_id), batch__key=key
    )
    provider_batches = list(matching.select_related("batch"))
    if not provider_batches:
        return [], Effect.NOT_OURS
    pks = [provider_batch.pk for provider_batch in provider_batches]
    running = ProviderBatch.objects.active(ProviderBatch.Status.RUNNING).filter(pk__in=pks)
    if running.update(next_check_at=timezone.now()):
        return list(running), Effect.POLLED
    changed = [
        provider_batch.pk
        for provider_batch in provider_batches
        if provider_batch.status in ProviderBatch.OVER
        and counts != (provider_batch.completed, provider_batch.failed)
    ]
    ended = ProviderBatch.objects.active(*ProviderBatch.OVER).filter(pk__in=changed)
    if ended.update(next_check_at=timezone.now()):
        return list(ended), Effect.POLLED_AGAIN
    statuses = {provider_batch.status for provider_batch in provider_batches}
    return [], Effect.OVER if statuses <= ProviderBatch.OVER else Effect.UNDER_WAY


def _delete_old_deliveries(key: ProviderKey) -> None:
    newest_first = key.deliveries.order_by("-pk").values_list("pk", flat=True)
    for pk in newest_first[MAX_DELIVERIES : MAX_DELIVERIES + 1]:
        key.deliveries.filter(pk__lte=pk).delete()
