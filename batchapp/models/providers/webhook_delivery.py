"""Webhooks that providers sent."""

from django.db import models

from batchapp.models.providers.provider_key import ProviderKey
from batchapp.providers.json_values import MAX_ID_LENGTH


class WebhookDelivery(models.Model):
    """One webhook with a valid signature, stored so that it acts once and people see it."""

    class Effect(models.TextChoices):
        IGNORED = "ignored", "ignored"
        NOT_OURS = "not_ours", "not a batch of this key"
        NOT_UNDERSTOOD = "not_understood", "not understood"
        OVER = "over", "already over"
        POLLED = "polled", "polled at once"
        POLLED_AGAIN = "polled_again", "already over, polled again"
        UNDER_WAY = "under_way", "already under way"

    key = models.ForeignKey(ProviderKey, models.CASCADE, related_name="deliveries")
    message_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=100)
    remote_id = models.CharField(max_length=MAX_ID_LENGTH, blank=True)
    effect = models.CharField(max_length=20, choices=Effect, blank=True)
    received_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint("key", "message_id", name="one_delivery_per_message")
        ]
        indexes = [models.Index(fields=["key", "-received_at"], name="delivery_list")]

    def __str__(self) -> str:
        return f"{self.kind} {self.message_id}"
