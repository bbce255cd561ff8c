"""Webhooks as a provider sends them, signed with our own few lines."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from typing import Any

from django.test import Client

from batchapp.models import ProviderKey

SECRET = "whsec_" + base64.b64encode(b"thirty-two bytes, not very secret").decode()


def ended(
    batch_id: str, *, kind: str = "batch.completed", completed: int = 3, failed: int = 0
) -> dict[str, Any]:
    """What is told of a batch at its end."""
    counts = {"total": completed + failed, "completed": completed, "failed": failed}
    data = {"batch_id": f"batch_{batch_id}", "status": "completed", "request_counts": counts}
    return {"type": kind, "timestamp": "2026-11-22T12:00:00Z", "data": data}


def deliver(client: Client, key: ProviderKey, event: object, **options: Any) -> int:
    """Do as ``post``, and return the status of the response."""
    status: int = post(client, key, event, **options).status_code
    return status


def post(
    client: Client,
    key: ProviderKey,
    event: object,
    *,
    message_id: str = "",
    secret: str = SECRET,
    age: float = 0,
    **headers: str | None,
) -> Any:
    """POST ``event`` to the address of ``key``, and return the response.

    ``headers`` take the place of those of the signature; None leaves one out.
    """
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    message_id = message_id or str(uuid.uuid4())
    moment = str(int(time.time() - age))
    signed = f"{message_id}.{moment}.".encode() + body
    mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed, hashlib.sha256)
    sent = {
        "webhook_id": message_id,
        "webhook_timestamp": moment,
        "webhook_signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
    } | headers
    return client.post(
        f"/webhooks/{key.pk}/",
        body,
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in sent.items() if value},
    )
