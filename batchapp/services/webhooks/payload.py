"""The JSON that a program gets of a notice: facts, and never a prompt, an answer or a secret."""

import json
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.utils import timezone

from batchapp.models import Batch, Notice, Project, WebhookEndpoint
from batchapp.models.fields.money_field import total_or_unknown
from batchapp.models.webhooks.webhook_message import TEST


def event_type(kind: str) -> str:
    """Return the name of a kind in messages: its noun, a dot and what happened."""
    return kind.replace("_", ".", 1)


def notice_payload(notice: Notice, project: Project) -> dict[str, Any]:
    """Return what a program gets of ``notice``; the batch is described as it is now."""
    data: dict[str, Any] = {"project": _project_facts(project), "details": notice.data}
    if notice.batch:
        data["batch"] = _batch_facts(notice.batch)
    return {
        "type": event_type(notice.kind),
        "timestamp": notice.created_at.isoformat(),
        "data": data,
    }


def payload_of_test(endpoint: WebhookEndpoint, sent_by: str) -> dict[str, Any]:
    """Return what a program gets when a person tries its endpoint."""
    details = {"webhook": endpoint.name, "sent_by": sent_by}
    data = {"project": _project_facts(endpoint.project), "details": details}
    return {
        "type": event_type(f"webhook_{TEST}"),
        "timestamp": timezone.now().isoformat(),
        "data": data,
    }


def as_json(payload: dict[str, Any]) -> str:
    return json.dumps(payload, cls=DjangoJSONEncoder, ensure_ascii=False)


def _project_facts(project: Project) -> dict[str, Any]:
    return {
        "id": str(project.pk),
        "slug": project.slug,
        "name": project.name,
        "url": settings.PUBLIC_URL + project.get_absolute_url(),
    }


def _batch_facts(batch: Batch) -> dict[str, Any]:
    """Return the outcome in requests and the cost in USD; None for what is not known.

    ``cost_at_least_usd`` adds up what is known where a model has no price, or an answer no tokens.
    """
    model_costs = list(batch.model_costs.all())
    costs = [row.cost_usd for row in model_costs] if batch.is_over else []
    known = [cost for cost in costs if cost is not None]
    is_minimum = any(row.answers_without_usage for row in model_costs)
    exact = batch.actual_cost_usd if batch.is_over and not is_minimum else None
    return {
        "id": str(batch.pk),
        "name": batch.name,
        "url": settings.PUBLIC_URL + batch.get_absolute_url(),
        "status": batch.status,
        "window": batch.window,
        "created_at": batch.created_at.isoformat(),
        "finished_at": batch.finished_at.isoformat() if batch.finished_at else None,
        "requests": batch.requests + batch.reused,
        "reused": batch.reused,
        "answered": batch.succeeded,
        "usable": batch.usable if batch.is_over else None,
        "failed": batch.failed,
        "cancelled": batch.cancelled,
        "missing": batch.missing,
        "cost_usd": _amount(exact),
        "cost_at_least_usd": _amount(sum(known, Decimal(0)) if known else None),
        "estimate_usd": _amount(batch.estimated_cost_usd),
        "estimate_low_usd": _amount(_total([row.estimated_low_usd for row in model_costs])),
        "estimate_most_usd": _amount(
            _total(
                [
                    None if row.unbounded_requests else row.estimated_ceiling_usd
                    for row in model_costs
                ]
            )
        ),
    }


def _total(amounts: list[Decimal | None]) -> Decimal | None:
    return total_or_unknown(amounts) if amounts else None


def _amount(amount: Decimal | None) -> str | None:
    """Return an exact decimal number as text, since programs read JSON numbers as floats."""
    if amount is None:
        return None
    normal = amount.normalize()
    return f"{normal:f}"
