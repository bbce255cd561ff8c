"""Send what waits for an endpoint: in bounded time, and again later what was not taken.

A message may arrive twice, with the same id, if a worker dies after the receiver took it. The
order of messages is not promised, since one that failed waits while later ones are sent.
"""

import random
import time
from datetime import datetime, timedelta
from math import ceil

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from batchapp.domain.webhooks import retries
from batchapp.domain.webhooks.attempts import AttemptError
from batchapp.domain.webhooks.signature import signed_headers
from batchapp.models import (
    Notice,
    NoticeKind,
    UnreadableKey,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.outbound.sender import Outcome, Sender

Status, Reason = WebhookMessage.Status, WebhookEndpoint.Reason

# One worker sends to one endpoint at a time, so that other work of the portal, of which a small
# portal has two workers, goes on beside receivers that are slow.
MAX_AT_ONCE = 1
BUSY_PAUSE = timedelta(seconds=1)  # at least, before an endpoint asks again for its turn
ATTEMPT_SECONDS = 10.0
STEP_SECONDS = 5.0  # after which a step begins no further attempt
MESSAGES_PER_STEP = 50
LEASE_SECONDS = 30.0  # longer than one attempt and the look-up of its name take
IDLE_PAUSE = timedelta(hours=1)
KEPT = timedelta(days=30)  # messages that do not wait, with their attempts
DELETED_AT_ONCE = 1000


def has_turn(endpoint: WebhookEndpoint) -> bool:
    """Return True if ``endpoint``, which a worker has leased, may be sent to now.

    Otherwise it is postponed for a moment, of random length, so that none comes too late always.
    """
    leased = WebhookEndpoint.objects.filter(leased_until__gt=timezone.now())
    if leased.exclude(pk=endpoint.pk).count() < MAX_AT_ONCE:
        return True
    endpoint.postpone(BUSY_PAUSE * random.uniform(1, 2))  # noqa: S311  # no secret
    return False


def deliver_due(endpoint: WebhookEndpoint) -> Notice | None:
    """Send the messages that are due, until one fails or the time of the step is over.

    Returns the notice that the endpoint was disabled, if it was. Afterwards the endpoint rests for
    as long as the step took, so that a slow receiver keeps a worker busy half of the time at most;
    after a failure, for longer and longer.
    """
    began, requested = time.monotonic(), None
    due = list(endpoint.messages.due(timezone.now())[:MESSAGES_PER_STEP])
    if not due:
        _clean_up(endpoint)
    with Sender(settings.WEBHOOK_PRIVATE_NETWORKS, total_seconds=ATTEMPT_SECONDS) as sender:
        for message in due:
            endpoint.renew_lease(leases=ceil(LEASE_SECONDS / settings.LEASE.total_seconds()))
            outcome = _attempt(endpoint, message, sender)
            if not outcome.is_delivered:
                if reason := _reason_to_disable(endpoint, outcome):
                    return _disable(endpoint, reason, outcome)
                requested = outcome.retry_after
                break
            if time.monotonic() - began > STEP_SECONDS:
                break
    _postpone(endpoint, timedelta(seconds=time.monotonic() - began), requested)
    return None


def _attempt(endpoint: WebhookEndpoint, message: WebhookMessage, sender: Sender) -> Outcome:
    """Send ``message`` once, and record what came of it."""
    at = timezone.now()
    body = message.body.encode()
    try:
        address, secrets = endpoint.address, endpoint.secrets_at(at)
    except UnreadableKey:
        outcome = Outcome(0, error=AttemptError.UNREADABLE)
    else:
        signed = signed_headers(message.public_id, body, int(at.timestamp()), secrets)
        outcome = sender.post(address, body, signed if secrets else {})
    _record(message, outcome, at)
    if outcome.is_delivered:
        endpoint.renew_lease(failures=0, failing_since=None, delivered_at=timezone.now())
    else:
        since = endpoint.failing_since or at
        endpoint.renew_lease(failures=endpoint.failures + 1, failing_since=since)
    return outcome


def _record(message: WebhookMessage, outcome: Outcome, at: datetime) -> None:
    """Write the attempt, and when there is another one.

    That the receiver took the message is written in any case. A failure changes no message that a
    person stopped or replayed meanwhile.
    """
    attempts = message.attempts + 1
    rows = WebhookMessage.objects.filter(pk=message.pk)
    wait = retries.wait_after(attempts, outcome.retry_after)
    with transaction.atomic():
        if not rows.update(attempts=attempts):
            return  # the endpoint was deleted
        if outcome.is_delivered:
            rows.update(status=Status.DELIVERED, next_attempt_at=None, is_urgent=False)
        elif wait is None:
            rows.filter(status=Status.WAITING).update(
                status=Status.FAILED, next_attempt_at=None, is_urgent=False
            )
        else:
            rows.filter(status=Status.WAITING).update(
                next_attempt_at=timezone.now() + wait, is_urgent=False
            )
        WebhookAttempt.objects.create(
            message=message,
            at=at,
            milliseconds=outcome.milliseconds,
            status=outcome.status,
            error=outcome.error or "",
            detail=outcome.detail,
            answer=outcome.answer,
        )


def _reason_to_disable(
    endpoint: WebhookEndpoint, outcome: Outcome
) -> WebhookEndpoint.Reason | None:
    if outcome.error == AttemptError.GONE:
        return Reason.GONE
    since = endpoint.failing_since or timezone.now()
    if retries.is_given_up(endpoint.failures, timezone.now() - since):
        return Reason.FAILING
    return None


def _disable(
    endpoint: WebhookEndpoint, reason: WebhookEndpoint.Reason, outcome: Outcome
) -> Notice | None:
    """Send nothing more to ``endpoint`` until a person enables it, and tell people of it."""
    now = timezone.now()
    with transaction.atomic():
        endpoint.move_to(WebhookEndpoint.Status.DISABLED, disabled_reason=reason, disabled_at=now)
        stop_waiting(endpoint)
        return Notice.objects.record(
            NoticeKind.WEBHOOK_DISABLED,
            endpoint.project,
            once=f"{endpoint.pk}/{now.isoformat()}",
            endpoint=str(endpoint.pk),
            name=endpoint.name,
            reason=reason,
            status=outcome.status,
            error=outcome.error,
        )


def stop_waiting(endpoint: WebhookEndpoint) -> int:
    """Let no message wait for ``endpoint``; a person may replay them later."""
    waiting = endpoint.messages.filter(status=Status.WAITING)
    return waiting.update(status=Status.FAILED, next_attempt_at=None, is_urgent=False)


def _postpone(endpoint: WebhookEndpoint, took: timedelta, requested: timedelta | None) -> None:
    """Return the lease until a message is due, the pause is over and ``took`` has passed.

    A receiver that ``requested`` a wait gets no other message meanwhile. There is no pause before
    a message that a person waits for.
    """
    next_at = _next_attempt_at(endpoint)
    delay = next_at - timezone.now() if next_at else IDLE_PAUSE
    pause = retries.pause_after(endpoint.failures, requested) if endpoint.failures else took
    if _is_awaited(endpoint):
        pause = took
    endpoint.postpone(min(max(delay, pause), IDLE_PAUSE))
    # A message that came in between found the endpoint leased, and its wake-up was overwritten.
    later = _next_attempt_at(endpoint)
    if later and (next_at is None or later < next_at):
        WebhookEndpoint.objects.filter(pk=endpoint.pk).wake(is_urgent=_is_awaited(endpoint))


def _is_awaited(endpoint: WebhookEndpoint) -> bool:
    return endpoint.messages.due(timezone.now()).filter(is_urgent=True).exists()


def _next_attempt_at(endpoint: WebhookEndpoint) -> datetime | None:
    waiting = endpoint.messages.filter(status=Status.WAITING).order_by("next_attempt_at")
    return waiting.values_list("next_attempt_at", flat=True).first()


def _clean_up(endpoint: WebhookEndpoint) -> None:
    """Delete old messages, and an old secret that signs nothing any more."""
    now = timezone.now()
    old = endpoint.messages.exclude(status=Status.WAITING).filter(created_at__lt=now - KEPT)
    outdated = list(old.values_list("pk", flat=True)[:DELETED_AT_ONCE])
    WebhookMessage.objects.filter(pk__in=outdated).delete()
    if endpoint.rotation_ends_at and endpoint.rotation_ends_at <= now:
        endpoint.renew_lease(sealed_old_secret="", rotation_ends_at=None)
