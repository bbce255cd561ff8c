"""The log of a webhook: its messages and their attempts, tests, and messages sent again."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, Q
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from batchapp import access
from batchapp.domain.refused import Refused
from batchapp.forms.webhooks.webhooks import MessageFilterForm
from batchapp.http import Request, render_partial
from batchapp.models import Batch, WebhookEndpoint, WebhookMessage
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.webhook_text import (
    attempt_text,
    event_label,
    message_state,
    rotation_text,
    text_of_test,
    webhook_state,
)
from batchapp.services.webhooks import fan_out
from batchapp.services.webhooks import messages as webhook_messages
from batchapp.tasks import wake
from batchapp.views.webhooks.webhooks import endpoint_of, webhook_page

PAGE_SIZE = 50
Status = WebhookMessage.Status


@require_safe
def webhook_detail(request: Request, pk: UUID) -> HttpResponse:
    """Show a webhook with its messages, the newest first."""
    endpoint = endpoint_of(request, pk)
    form = MessageFilterForm(request.GET)
    rows = endpoint.messages.select_related("notice__batch").defer("body")
    counts = endpoint.messages.aggregate(
        waiting=Count("pk", filter=Q(status=Status.WAITING)),
        failed=Count("pk", filter=Q(status=Status.FAILED)),
    )
    if form.status:
        rows = rows.filter(status=form.status)
    page = Paginator(rows, PAGE_SIZE).get_page(request.GET.get("page"))
    context = webhook_page(request, endpoint.project) | {
        "endpoint": endpoint,
        "state": webhook_state(endpoint),
        "events": [event_label(kind) for kind in endpoint.events],
        "rotates_until": rotation_text(endpoint),
        "form": form,
        "page": page,
        "rows": [(row, message_state(row), event_label(row.kind)) for row in page],
        "counts": counts,
    }
    return render_partial(request, "batchapp/webhooks/webhook_detail.html", "log", context)


@require_safe
def webhook_message_detail(request: Request, pk: UUID) -> HttpResponse:
    """Show what is sent, and what came of each attempt; a message that waits reloads itself."""
    message = _message_of(request, pk)
    attempts = message.attempt_rows.order_by("-at", "-pk")[:PAGE_SIZE]
    batch = message.notice.batch if message.notice else None
    if batch and not Batch.objects.visible_to(request.user).filter(pk=batch.pk).exists():
        batch = None
    context = webhook_page(request, message.endpoint.project) | {
        "message": message,
        "endpoint": message.endpoint,
        "state": message_state(message),
        "label": event_label(message.kind),
        "attempts": [(attempt, attempt_text(attempt)) for attempt in attempts],
        "batch": batch,
        "is_waiting": message.status == Status.WAITING,
    }
    return render_partial(
        request, "batchapp/webhooks/webhook_message_detail.html", "state", context
    )


@require_POST
def webhook_test(request: Request, pk: UUID) -> HttpResponse:
    """Send a test, and show its page."""
    endpoint = endpoint_of(request, pk)
    link = settings.PUBLIC_URL + reverse("webhook_detail", args=[pk])
    sent_by = str(request.user)
    body = fan_out.body_of_test(endpoint, sent_by, text_of_test(endpoint, sent_by, link))
    try:
        message = webhook_messages.send_test(endpoint, request.user, body)
    except Refused as exc:
        messages.error(request, refusal_text(exc))
        return redirect("webhook_detail", pk)
    _wake(endpoint)
    return redirect("webhook_message_detail", message.pk)


@require_POST
def webhook_message_replay(request: Request, pk: UUID) -> HttpResponse:
    """Send one message again."""
    message = _message_of(request, pk)
    try:
        is_replayed = webhook_messages.replay(message, request.user)
    except Refused as exc:
        messages.error(request, refusal_text(exc))
    else:
        if not is_replayed:
            messages.info(request, "The message is being sent at this moment.")
        _wake(message.endpoint)
    return redirect("webhook_message_detail", pk)


@require_http_methods(["GET", "HEAD", "POST"])
def webhook_replay(request: Request, pk: UUID) -> HttpResponse:
    """Ask for confirmation, then send all failed messages again."""
    endpoint = endpoint_of(request, pk)
    if request.method == "POST":
        try:
            replayed = webhook_messages.replay_failed(endpoint, request.user)
        except Refused as exc:
            messages.error(request, refusal_text(exc))
        else:
            text = {0: "No message has failed.", 1: "1 message is sent again."}
            several = f"{replayed:,} messages are sent again."
            messages.success(request, text.get(replayed, several))
            _wake(endpoint)
        return redirect("webhook_detail", pk)
    failed = endpoint.messages.filter(status=Status.FAILED)
    context = webhook_page(request, endpoint.project) | {
        "endpoint": endpoint,
        "number": failed.count(),
        "oldest": failed.order_by("created_at").first(),
    }
    return render_partial(request, "batchapp/webhooks/webhook_replay.html", "dialog", context)


def _message_of(request: Request, pk: UUID) -> WebhookMessage:
    rows = WebhookMessage.objects.filter(
        endpoint__in=WebhookEndpoint.objects.visible_to(request.user)
    )
    related = rows.select_related("endpoint__project__connection", "notice__batch", "requested_by")
    message = get_object_or_404(related, pk=pk)
    access.require_manage_webhooks(request.user, message.endpoint.project)
    return message


def _wake(endpoint: WebhookEndpoint) -> None:
    endpoint.refresh_from_db()
    wake(endpoint)
