"""What portal keys have created lately, so that a call that comes again creates nothing new."""

import uuid
from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.models.portal_keys.portal_key import PortalKey

KEPT = timedelta(hours=24)  # as long as OpenAI and Stripe keep the header of a caller
# Clients give up on a reply after ten minutes, and then send the same call again.
REPEAT_PERIOD = timedelta(minutes=15)
MAX_VALUE_LENGTH = 255  # characters of the header


class IdempotencyKeyQuerySet(models.QuerySet["IdempotencyKey"]):
    def outdated(self) -> Self:
        return self.filter(created_at__lt=timezone.now() - KEPT)

    def remember(
        self, portal_key: PortalKey, call: str, fingerprint: str, *, value: str = ""
    ) -> "IdempotencyKey":
        """Return the row of this call: a new one, or that of the same call before.

        ``value`` is the header ``Idempotency-Key``. Without it, a call with the same
        ``fingerprint`` is the same call for ``REPEAT_PERIOD``. Of several calls at once, one makes
        the row and the others get it.

        Raises:
            Refused: a call with the same ``value`` had another ``fingerprint``.
        """
        same: dict[str, Any] = {"portal_key": portal_key, "call": call, "value": value}
        if value:
            row, is_new = self.get_or_create(**same, defaults={"fingerprint": fingerprint})
        else:
            row, is_new = self.get_or_create(**same, fingerprint=fingerprint)
        if not is_new and row.created_at <= timezone.now() - (KEPT if value else REPEAT_PERIOD):
            row.renew(fingerprint)
        if row.fingerprint != fingerprint:
            raise Refused(Refusal.IDEMPOTENCY_KEY_USED, value=value)
        return row


class IdempotencyKey(models.Model):
    """One call that creates something by a portal key.

    What is created gets ``submission``, which is unique among all that is created. So two calls
    at once, and a call whose reply was lost, create one thing, wherever a process dies.
    """

    class Call(models.TextChoices):
        CREATE_FILE = "create_file", "Create a file"
        CREATE_BATCH = "create_batch", "Create a batch"

    portal_key = models.ForeignKey(
        PortalKey, models.CASCADE, related_name="idempotency_keys", db_index=False
    )
    call = models.CharField(max_length=20, choices=Call)
    value = models.CharField(
        max_length=MAX_VALUE_LENGTH, blank=True, help_text="The header; empty without one."
    )
    fingerprint = models.CharField(max_length=64, help_text="A hash of all that was sent.")
    submission = models.UUIDField(default=uuid.uuid4, editable=False)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = IdempotencyKeyQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["portal_key", "call", "value"],
                condition=~Q(value=""),
                name="one_call_per_idempotency_key",
            ),
            models.UniqueConstraint(
                fields=["portal_key", "call", "fingerprint"],
                condition=Q(value=""),
                name="one_call_per_fingerprint",
            ),
        ]

    def __str__(self) -> str:
        return self.value or self.fingerprint

    def renew(self, fingerprint: str = "") -> None:
        """Let the next thing that this call creates be a new one.

        Of several processes that renew the row at once, one does it and the others read it.
        """
        same = IdempotencyKey.objects.filter(pk=self.pk, submission=self.submission)
        same.update(
            submission=uuid.uuid4(),
            fingerprint=fingerprint or self.fingerprint,
            created_at=timezone.now(),
        )
        self.refresh_from_db()
