"""Webhook endpoints and their messages, for tests."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from batchapp.domain.webhooks.chat import ChatText
from batchapp.models import (
    Notice,
    NoticeKind,
    Project,
    User,
    WebhookAttempt,
    WebhookEndpoint,
    WebhookMessage,
)
from batchapp.services.webhooks import endpoints, fan_out
from batchapp.services.webhooks.endpoints import EndpointSettings
from tests.make import OWNER, join, make_project, make_user
from tests.steps import advance
from tests.variables import ROOT

Format, Status = WebhookEndpoint.Format, WebhookMessage.Status
ALL_EVENTS = list(NoticeKind)
TEXT = ChatText("Triage is over", ["9 of 10 usable"], "https://portal.test/batches/1/")


def make_endpoint(
    project: Project | None = None, owner: User | None = None, **fields: Any
) -> WebhookEndpoint:
    """Make an endpoint of all kinds of notices, then overwrite ``fields``."""
    project = project or make_project()
    owner = owner or join(make_user(), project, OWNER)
    number = WebhookEndpoint.objects.count() + 1
    chosen = EndpointSettings(
        name=fields.pop("name", f"Receiver {number}"),
        address=fields.pop("address", f"https://receiver{number}.example/hook"),
        format=fields.pop("format", Format.STANDARD),
        events=fields.pop("events", ALL_EVENTS),
    )
    endpoint = endpoints.create(project, owner, chosen).endpoint
    if fields:
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**fields)
        endpoint.refresh_from_db()
    return endpoint


def make_notice(
    project: Project, kind: NoticeKind = NoticeKind.KEY_REFUSED, **data: Any
) -> Notice:
    notice: Notice | None = Notice.objects.record(kind, project, **data)
    assert notice
    return notice


def notify(endpoint: WebhookEndpoint, number: int = 1) -> list[WebhookMessage]:
    """Let so many things happen that ``endpoint`` is told of; return the messages."""
    notices = [make_notice(endpoint.project, number=n) for n in range(number)]
    for notice in notices:
        fan_out.fan_out(notice, lambda _: TEXT)
    return list(endpoint.messages.filter(notice__in=notices).order_by("created_at", "pk"))


def send(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    """Do as the worker that gets the message of ``endpoint``, now, whatever the row waits for."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk, next_check_at__isnull=False).update(
        next_check_at=timezone.now()
    )
    advance(endpoint)
    endpoint.refresh_from_db()
    return endpoint


def hours_later(message: WebhookMessage) -> None:
    """Let the time have come for the next attempt of ``message``."""
    WebhookMessage.objects.filter(pk=message.pk, next_attempt_at__isnull=False).update(
        next_attempt_at=timezone.now()
    )


def fail_until_given_up(endpoint: WebhookEndpoint) -> None:
    """Let ``endpoint`` have failed for days, so that its next failure is the last."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(
        failures=100, failing_since=timezone.now() - timedelta(days=4)
    )


def attempts_of(message: WebhookMessage) -> list[WebhookAttempt]:
    return list(message.attempt_rows.all())


def code_of_guide(language: str) -> str:
    """Return the example of the article on webhooks that is in ``language``."""
    article = (ROOT / "docs/guide/webhooks.md").read_text()
    _, _, rest = article.partition(f"```{language} ")
    return rest.partition("\n")[2].partition("```")[0]
