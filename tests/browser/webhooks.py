"""Webhooks of a project in every state, with messages that arrived, wait and failed."""

from datetime import timedelta

from django.utils import timezone

from batchapp.models import (
    Batch,
    Notice,
    NoticeKind,
    Project,
    User,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.services.webhooks import endpoints, fan_out
from tests.webhook_rows import TEXT, make_endpoint

Format, Status = WebhookEndpoint.Format, WebhookMessage.Status
SLACK = "https://hooks.slack.com/services/T0000/B0000/0123456789abcdef"


def seed(project: Project, owner: User, completed: Batch, failed: Batch) -> dict[str, str]:
    """Make the webhooks, and return the ids that addresses need."""
    now = timezone.now()
    program = make_endpoint(project, owner, name="Nightly import of the data warehouse")
    slack = make_endpoint(
        project, owner, name="#batches", address=SLACK, format=Format.SLACK, delivered_at=now
    )
    gone = make_endpoint(project, owner, name="Former pager", format=Format.TEAMS)
    current = endpoints.state_of_secret(program)
    endpoints.rotate_secret(program, owner, hours=72, current=current)
    for batch in (completed, failed):
        notice = Notice(project=project, batch=batch, kind=NoticeKind.BATCH_FINISHED)
        notice.status, notice.next_check_at = Notice.Status.DELIVERED, None
        notice.save()
        fan_out.fan_out(notice, lambda _: TEXT)
    notice = Notice(project=project, batch=failed, kind=NoticeKind.BATCH_NEEDS_ATTENTION)
    notice.status, notice.next_check_at = Notice.Status.DELIVERED, None
    notice.save()
    fan_out.fan_out(notice, lambda _: TEXT)
    far = now + timedelta(days=1)  # no worker sends while pictures are taken
    first, second, third = program.messages.order_by("created_at", "pk")
    _over(first, Status.DELIVERED, [(500, "refused", "<html>Bad gateway</html>"), (204, "", "")])
    _over(second, Status.FAILED, [(None, "too_slow", "")] * 8)
    _attempts(third, [(503, "refused", '{"error": "maintenance until 22:00"}')])
    WebhookMessage.objects.filter(pk=third.pk).update(attempts=1, next_attempt_at=far)
    for message in slack.messages.all():
        _over(message, Status.DELIVERED, [(200, "", "ok")])
    gone.messages.all().delete()
    WebhookEndpoint.objects.filter(pk=program.pk).update(
        failures=3, failing_since=now, next_check_at=far, delivered_at=now - timedelta(hours=3)
    )
    WebhookEndpoint.objects.filter(pk=slack.pk).update(next_check_at=far)
    WebhookEndpoint.objects.filter(pk=gone.pk).update(
        status=WebhookEndpoint.Status.DISABLED,
        disabled_reason=WebhookEndpoint.Reason.GONE,
        disabled_at=now,
        next_check_at=None,
    )
    return {
        "webhook": str(program.pk),
        "webhook_off": str(gone.pk),
        "webhook_message": str(second.pk),
        "webhook_waiting": str(third.pk),
    }


def _over(
    message: WebhookMessage, status: str, attempts: list[tuple[int | None, str, str]]
) -> None:
    _attempts(message, attempts)
    WebhookMessage.objects.filter(pk=message.pk).update(
        status=status, attempts=len(attempts), next_attempt_at=None
    )


def _attempts(message: WebhookMessage, attempts: list[tuple[int | None, str, str]]) -> None:
    for number, (status, error, answer) in enumerate(attempts, start=1):
        WebhookAttempt.objects.create(
            message=message,
            at=timezone.now() - timedelta(hours=len(attempts) - number),
            milliseconds=10_003 if error == "too_slow" else 84,
            status=status,
            error=error,
            answer=answer,
        )
