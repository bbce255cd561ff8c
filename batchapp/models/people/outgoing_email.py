"""E-mails on their way out, or that could not be sent."""

import uuid
from datetime import datetime, timedelta
from typing import Self

from django.db import models

from batchapp.models.fields.encryption import SecretField, seal, unseal


class OutgoingEmailQuerySet(models.QuerySet["OutgoingEmail"]):
    def due(self, now: datetime) -> Self:
        return self.filter(next_attempt_at__lte=now)

    def under_way(self, now: datetime) -> Self:
        """Return what a worker hands to the mail server at this moment."""
        return self.filter(claimed_until__gt=now)

    def waiting_for_server(self, now: datetime) -> Self:
        """Return what is tried again later because the mail server takes nothing at all."""
        waiting = self.filter(next_attempt_at__gt=now, trouble__in=OutgoingEmail.OF_SERVER)
        return waiting.exclude(claimed_until__gt=now)


class OutgoingEmail(models.Model):
    """One e-mail to one person; the row is deleted once the mail server has taken it.

    The text is encrypted, since it may hold a link that lets whoever reads it sign in.
    ``next_attempt_at`` is empty where nobody will try: there is no mail server, it refused the
    e-mail for good, or it was away for too long. ``claimed_until`` is set while a worker tries.
    """

    class Trouble(models.TextChoices):
        """Why an e-mail was not sent."""

        NO_SERVER = "no_server"
        UNREACHABLE = "unreachable"
        SIGN_IN_REFUSED = "sign_in_refused"
        RECIPIENT_REFUSED = "recipient_refused"
        SENDER_REFUSED = "sender_refused"
        REFUSED = "refused"

    # What is the trouble of one e-mail is then that of all.
    OF_SERVER = (Trouble.UNREACHABLE, Trouble.SIGN_IN_REFUSED)
    LEASE = timedelta(minutes=2)  # longer than the mail server may take

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    recipient = models.CharField(max_length=254)
    subject = models.CharField(max_length=500)
    sealed_text = SecretField()
    headers = models.JSONField(default=dict, help_text="Beside those that every e-mail has.")
    created_at = models.DateTimeField(auto_now_add=True)
    attempts = models.PositiveIntegerField(default=0)
    next_attempt_at = models.DateTimeField(null=True, db_index=True)
    claimed_until = models.DateTimeField(null=True, editable=False, db_index=True)
    trouble = models.CharField(max_length=20, choices=Trouble.choices, blank=True)
    server_said = models.CharField(max_length=500, blank=True)

    objects = OutgoingEmailQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.subject} to {self.recipient}"

    @property
    def text(self) -> str:
        return unseal(self.sealed_text)

    @text.setter
    def text(self, text: str) -> None:
        self.sealed_text = seal(text)

    def claim(self, now: datetime) -> bool:
        """Take the e-mail for one attempt; False if another worker has it.

        A worker that dies gives it back after ``LEASE``. It may then be sent twice.
        """
        ours = OutgoingEmail.objects.filter(pk=self.pk, next_attempt_at=self.next_attempt_at)
        self.next_attempt_at = self.claimed_until = now + self.LEASE
        self.attempts += 1
        return bool(
            ours.update(
                next_attempt_at=self.next_attempt_at,
                claimed_until=self.claimed_until,
                attempts=self.attempts,
            )
        )


class OutgoingAttachment(models.Model):
    """A text file of an e-mail on its way out, apart so that lists of e-mails do not read it."""

    email = models.ForeignKey(OutgoingEmail, models.CASCADE, related_name="attachments")
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    content = models.TextField()

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name
