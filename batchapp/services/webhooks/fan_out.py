"""Turn a notice into one message for each webhook endpoint that wants it."""

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from batchapp.domain.webhooks.chat import ChatText, slack_message, teams_message
from batchapp.models import Notice, WebhookEndpoint, WebhookMessage
from batchapp.services.webhooks.payload import as_json, notice_payload, payload_of_test

Format, Status = WebhookEndpoint.Format, WebhookEndpoint.Status
Compose = Callable[[Notice], ChatText]


def fan_out(notice: Notice, compose: Compose) -> list[WebhookEndpoint]:
    """Store a message of ``notice`` for each active endpoint that wants its kind.

    Returns the endpoints, which are due now unless their last attempt failed. A notice that is
    delivered twice gives each endpoint one message. ``compose`` writes the text for chat programs.
    """
    project = notice.project
    if project is None or project.deleted_at:
        return []
    active = project.webhook_endpoints.filter(status=Status.ACTIVE)
    endpoints = [endpoint for endpoint in active if notice.kind in endpoint.events]
    if not endpoints:
        return []
    bodies = {
        chosen: _body(notice, chosen, compose)
        for chosen in {Format(endpoint.format) for endpoint in endpoints}
    }
    now = timezone.now()
    rows = WebhookEndpoint.objects.filter(pk__in=[endpoint.pk for endpoint in endpoints])
    with transaction.atomic():
        WebhookMessage.objects.bulk_create(
            [
                _message(notice, endpoint, bodies[Format(endpoint.format)], now)
                for endpoint in endpoints
            ],
            ignore_conflicts=True,
        )
        rows.wake()
    return list(rows)


def body_of_test(endpoint: WebhookEndpoint, sent_by: str, text: ChatText) -> str:
    """Return the body of a test of ``endpoint``; ``text`` is for chat programs."""
    if endpoint.format == Format.STANDARD:
        return as_json(payload_of_test(endpoint, sent_by))
    return _chat_body(text, Format(endpoint.format))


def _body(notice: Notice, chosen: WebhookEndpoint.Format, compose: Compose) -> str:
    if chosen == Format.STANDARD and notice.project:
        return as_json(notice_payload(notice, notice.project))
    return _chat_body(compose(notice), chosen)


def _chat_body(text: ChatText, chosen: WebhookEndpoint.Format) -> str:
    return as_json(slack_message(text) if chosen == Format.SLACK else teams_message(text))


def _message(
    notice: Notice, endpoint: WebhookEndpoint, body: str, now: datetime
) -> WebhookMessage:
    return WebhookMessage(
        endpoint=endpoint, notice=notice, kind=notice.kind, body=body, next_attempt_at=now
    )
