"""Send a test to an endpoint, and send messages again; only owners of the project may.

For others each function raises ``NotAllowed``, and nothing is written.
"""

from uuid import UUID

from django.db import transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, User, WebhookEndpoint, WebhookMessage
from batchapp.models.webhooks.webhook_message import TEST

Status = WebhookMessage.Status


def send_test(endpoint: WebhookEndpoint, user: User, body: str) -> WebhookMessage:
    """Let a worker send ``body`` to ``endpoint`` at once, whatever pause its failures have earned.

    Raises:
        Refused: the endpoint is disabled, or an earlier test waits for a worker.
    """
    access.require_manage_webhooks(user, endpoint.project)
    _require_active(endpoint)
    if endpoint.messages.filter(kind=TEST, status=Status.WAITING, attempts=0).exists():
        raise Refused(Refusal.WEBHOOK_TEST_WAITS)
    with transaction.atomic():
        message = WebhookMessage.objects.create(
            endpoint=endpoint,
            kind=TEST,
            body=body,
            next_attempt_at=timezone.now(),
            is_urgent=True,
            requested_by=user,
        )
        WebhookEndpoint.objects.filter(pk=endpoint.pk).wake(is_urgent=True)
        _record(AuditKind.WEBHOOK_TESTED, endpoint, user, messages=1)
    return message


def replay(message: WebhookMessage, user: User) -> bool:
    """Send ``message`` again with its id, at once; False if it is due at this moment anyway.

    Raises:
        Refused: the endpoint is disabled.
    """
    endpoint = message.endpoint
    access.require_manage_webhooks(user, endpoint.project)
    _require_active(endpoint)
    return bool(_replay(endpoint, [message.pk], user, is_urgent=True))


def replay_failed(endpoint: WebhookEndpoint, user: User) -> int:
    """Send all messages again that were given up, and return how many.

    Raises:
        Refused: the endpoint is disabled.
    """
    access.require_manage_webhooks(user, endpoint.project)
    _require_active(endpoint)
    return _replay(endpoint, None, user, is_urgent=False)


def _replay(
    endpoint: WebhookEndpoint, pks: list[UUID] | None, user: User, *, is_urgent: bool
) -> int:
    """Let these messages wait for an attempt as if they had none; without ``pks`` the failed."""
    now = timezone.now()
    rows = endpoint.messages.all()
    rows = rows.filter(status=Status.FAILED) if pks is None else rows.filter(pk__in=pks)
    with transaction.atomic():
        # What is due may be under way with a worker.
        replayed = rows.exclude(status=Status.WAITING, next_attempt_at__lte=now).update(
            status=Status.WAITING,
            attempts=0,
            next_attempt_at=now,
            is_urgent=is_urgent,
            requested_by=user,
        )
        if replayed:
            WebhookEndpoint.objects.filter(pk=endpoint.pk).wake(is_urgent=True)
            _record(AuditKind.WEBHOOK_REPLAYED, endpoint, user, messages=replayed)
    return replayed


def _require_active(endpoint: WebhookEndpoint) -> None:
    if not endpoint.is_active:
        raise Refused(Refusal.WEBHOOK_DISABLED, name=endpoint.name)


def _record(kind: AuditKind, endpoint: WebhookEndpoint, user: User, *, messages: int) -> None:
    AuditEvent.objects.record(
        kind,
        user,
        endpoint.project,
        webhook=str(endpoint.pk),
        name=endpoint.name,
        messages=messages,
    )
