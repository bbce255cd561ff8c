"""Provider keys, which are stored encrypted."""

import uuid
from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from batchapp.models.fields.encryption import UnreadableKey, reseal, seal, unseal
from batchapp.models.fields.problem_field import ProblemField
from batchapp.models.people.project import Project
from batchapp.models.people.user import User
from batchapp.models.providers.connection import Connection

NEW_KEY_PERIOD = timedelta(minutes=3)  # after that all replicas of a provider know a new key


class ProviderKeyQuerySet(models.QuerySet["ProviderKey"]):
    def usable_by(self, user: User, project: Project) -> Self:
        """Return the keys of ``user`` and of ``project``, on which they may run a batch."""
        return self.filter(
            Q(user=user) | Q(project=project), connection_id=project.connection_id
        ).exclude(ciphertext="")


class ProviderKey(models.Model):
    """A key to a provider, of one person or of one project; pages show its last four characters.

    A removed key keeps its row, for the batches that ran on it, and loses its ciphertext.
    ``tested_at``, ``is_refused`` and ``problem`` are the result of the last test of the stored
    secret; a key that is not refused may still have a problem, such as no answer.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="keys")
    user = models.ForeignKey(
        User, models.CASCADE, null=True, blank=True, related_name="provider_keys"
    )
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, blank=True, related_name="provider_keys"
    )
    name = models.CharField(max_length=100)
    ciphertext = models.TextField(blank=True, editable=False)
    webhook_ciphertext = models.TextField(blank=True, editable=False)
    last_four = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    secret_set_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    tested_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_refused = models.BooleanField("refused", default=False, editable=False)
    problem = ProblemField(null=True, editable=False)

    objects = ProviderKeyQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user=None) ^ Q(project=None), name="key_has_one_owner"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"

    def set_secret(self, secret: str) -> None:
        """Encrypt ``secret`` into this row, unsaved, and clear the result of the last test."""
        self.ciphertext = seal(secret)
        self.last_four = secret[-4:]
        self.tested_at, self.is_refused, self.problem = None, False, None
        self.last_used_at, self.secret_set_at = None, timezone.now()

    def secret(self) -> str:
        """Return the decrypted key, for the provider's client only.

        Raises:
            UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts it, or the key was removed.
        """
        return unseal(self.ciphertext)

    def set_webhook_secret(self, secret: str) -> None:
        """Encrypt the secret with which the provider signs webhooks into this row, unsaved."""
        self.webhook_ciphertext = seal(secret) if secret else ""

    def webhook_secret(self) -> str:
        """Return the decrypted webhook secret, "" if there is none.

        Raises:
            UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts it.
        """
        return unseal(self.webhook_ciphertext) if self.webhook_ciphertext else ""

    @property
    def may_be_refused_by_mistake(self) -> bool:
        """Return True if the provider has accepted the secret before, or the secret is new.

        A provider refuses every key while its look-up of keys fails, and a new key until all its
        replicas know the key.
        """
        set_at = self.secret_set_at or self.created_at
        return self.last_used_at is not None or timezone.now() - set_at < NEW_KEY_PERIOD

    @property
    def is_readable(self) -> bool:
        """Return True if a key of ``ENCRYPTION_KEYS`` decrypts the secret."""
        try:
            self.secret()
        except UnreadableKey:
            return False
        return True

    def rotate(self) -> None:
        """Encrypt the secrets again with the first of ``ENCRYPTION_KEYS``, unsaved."""
        self.ciphertext = reseal(self.ciphertext)
        if self.webhook_ciphertext:
            self.webhook_ciphertext = reseal(self.webhook_ciphertext)
