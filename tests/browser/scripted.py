"""Batches and single requests of scripts by a portal key, for the gallery."""

from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from batchapp.domain.direct_call import CHAT, RESPONSES
from batchapp.models import Batch, DirectRequest, PortalKey, Project, ProviderKey, User
from batchapp.models.batches.small_batches import MIN_GROUPED
from tests import make

State = DirectRequest.State

METADATA = {
    "job": "nightly summaries of the tickets",
    "git": "0123456789abcdef0123456789abcdef01234567",
    "long": 30 * "without-a-space-",
}


def seed(project: Project, person: User) -> dict[str, str]:
    """Order a batch with metadata and small ones by a key of ``person``; return the first's id."""
    key = make.make_portal_key(
        person, project, name="Nightly job on the server", scope="submit"
    ).key
    yesterday = timezone.now() - timedelta(days=1)

    def order(name: str, requests: int) -> Batch:
        upload = make.make_upload(project, person, content=make.request_file(requests))
        batch = make.make_batch(upload=upload, name=name, portal_key=key, created_at=yesterday)
        return make.finish(batch)

    batch = order("Summaries of yesterday", 5)
    Batch.objects.filter(pk=batch.pk).update(metadata=METADATA)
    for number in range(MIN_GROUPED):
        order(f"batch-{number:08x}, 1 request", 1)
    _single_requests(project, person, key)
    return {"scripted": str(batch.pk)}


def _single_requests(project: Project, person: User, portal_key: PortalKey) -> None:
    """Requests in every state now, and some that were answered a month and two months ago."""
    now = timezone.now()
    tokens = {"input_tokens": 1_240, "output_tokens": 312, "cached_tokens": 512}
    later = {"endpoint": RESPONSES, "tier": "flex", "remote_id": "resp_1"}
    rows: list[tuple[int, str | None, dict[str, object]]] = [
        (0, "0.00032", tokens),
        (0, "0.0125", {**tokens, "input_tokens": 1_210_000}),
        (0, None, {**tokens, "model": "mistralai/A-model-without-any-price-2511"}),
        (31, "1.25", tokens),
        (62, "0.4", tokens),
        (0, "0", {"state": State.REFUSED, "status_code": 429}),
        (0, "0", {"state": State.NOT_SENT, "status_code": 502}),
        (0, "0.0031", {**tokens, "state": State.BROKEN_OFF, "is_estimated": True}),
        (2, "0.02", {**later, "state": State.UNSEEN, "is_estimated": True}),
        (0, None, {**later, "state": State.SENT, "reserved_usd": Decimal("0.004")}),
    ]
    for number, (days, cost, fields) in enumerate(rows):
        sent_at = now - timedelta(days=days, minutes=number)
        values: dict[str, object] = {
            "endpoint": CHAT,
            "model": make.MODEL,
            "ended_at": None if fields.get("state") == State.SENT else sent_at,
            "state": State.ANSWERED,
            "status_code": 200,
            "cost_usd": cost and Decimal(cost),
        }
        DirectRequest.objects.create(
            project=project,
            created_by=person,
            portal_key=portal_key,
            key=ProviderKey.objects.for_scripts(person, project),
            created_at=sent_at,
            **values | fields,
        )
