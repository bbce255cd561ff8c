"""What is sent to a webhook endpoint, and each attempt to deliver it."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models

from batchapp.domain.webhooks.attempts import AttemptError
from batchapp.models.notifications.notice import Notice
from batchapp.models.people.user import User
from batchapp.models.webhooks.webhook_endpoint import WebhookEndpoint

TEST = "test"  # the kind of a message that a person sends to try an endpoint


class WebhookMessageQuerySet(models.QuerySet["WebhookMessage"]):
    def due(self, now: datetime) -> Self:
        """Return the messages to send now, those that a person waits for first."""
        waiting = self.filter(status=WebhookMessage.Status.WAITING, next_attempt_at__lte=now)
        return waiting.order_by("-is_urgent", "next_attempt_at", "pk")


class WebhookMessage(models.Model):
    """One notice, or a test, for one endpoint; every attempt has the same id and the same body.

    Attributes:
        body: the JSON that is sent, kept as text: a database may sort the fields of a JSON value.
        attempts: since the message was made, or since a person replayed it.
        next_attempt_at: empty unless the message waits.
        is_urgent: a person waits for it, so that it is sent before others.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DELIVERED = "delivered", "Delivered"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    endpoint = models.ForeignKey(WebhookEndpoint, models.CASCADE, related_name="messages")
    notice = models.ForeignKey(Notice, models.SET_NULL, null=True, related_name="webhook_messages")
    kind = models.CharField(max_length=40)
    body = models.TextField()
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True)
    is_urgent = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    requested_by = models.ForeignKey(
        User,
        models.SET_NULL,
        null=True,
        related_name="+",
        help_text="Who tests, or replays.",
    )

    objects = WebhookMessageQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint("endpoint", "notice", name="one_message_per_notice")
        ]
        indexes = [
            # Few messages wait, among all that are kept.
            models.Index(
                fields=["endpoint", "-is_urgent", "next_attempt_at"],
                condition=models.Q(status="waiting"),
                name="message_due",
            ),
            models.Index(fields=["endpoint", "-created_at"], name="message_list"),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """Return the id that the receiver gets, by which it knows a message that comes again."""
        return f"msg_{self.pk.hex}"


class WebhookAttempt(models.Model):
    """One attempt to deliver a message, and what came of it.

    Attributes:
        status: of the answer; None if there was none.
        error: a value of ``AttemptError``; "" if the receiver took the message.
        detail: what the system said of a connection that failed.
        answer: the beginning of what the receiver answered.
    """

    message = models.ForeignKey(WebhookMessage, models.CASCADE, related_name="attempt_rows")
    at = models.DateTimeField()
    milliseconds = models.PositiveIntegerField()
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=20, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    answer = models.TextField(blank=True)

    class Meta:
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"{self.message_id}: {self.status or self.error}"

    @property
    def why(self) -> AttemptError | None:
        return AttemptError(self.error) if self.error else None
