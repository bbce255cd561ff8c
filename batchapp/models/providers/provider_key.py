"""Provider keys, encrypted at rest."""

import uuid
from typing import Self

from django.db import models
from django.db.models import Q

from batchapp.models.fields.encryption import UnreadableKey, reseal, seal, unseal
from batchapp.models.people.project import Membership, Project
from batchapp.models.people.user import User
from batchapp.models.providers.connection import Connection


class ProviderKeyQuerySet(models.QuerySet["ProviderKey"]):
    def usable_by(self, user: User, project: Project) -> Self:
        """Keys that ``user`` may run a batch of ``project`` on: their own and the project's."""
        return self.filter(
            Q(user=user) | Q(project=project), connection_id=project.connection_id
        ).exclude(ciphertext="")


class ProviderKey(models.Model):
    """A key to a provider, of one person or of one project; only its last four characters show.

    A removed key keeps its row, for the batches that ran on it, and loses its ciphertext.
    ``tried_at``, ``is_refused`` and ``trouble`` are what the provider last said of the secret that
    is stored now; a key that is not refused may still have trouble, such as no answer.
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
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    tried_at = models.DateTimeField(null=True, blank=True, editable=False)
    is_refused = models.BooleanField("refused", default=False, editable=False)
    trouble = models.TextField(blank=True, editable=False)

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
        """Encrypt ``secret`` into this row, unsaved; nothing is known of it yet."""
        self.ciphertext = seal(secret)
        self.last_four = secret[-4:]
        self.tried_at, self.is_refused, self.trouble = None, False, ""

    def secret(self) -> str:
        """Return the key in the clear, for the provider's client only.

        Raises:
            UnreadableKey: nothing in ``ENCRYPTION_KEYS`` opens it, or the key was removed.
        """
        return unseal(self.ciphertext)

    def set_webhook_secret(self, secret: str) -> None:
        """Encrypt what the provider signs its webhooks with into this row, unsaved."""
        self.webhook_ciphertext = seal(secret) if secret else ""

    def webhook_secret(self) -> str:
        """Return that secret in the clear, "" if there is none.

        Raises:
            UnreadableKey: nothing in ``ENCRYPTION_KEYS`` opens it.
        """
        return unseal(self.webhook_ciphertext) if self.webhook_ciphertext else ""

    @property
    def is_readable(self) -> bool:
        """Whether ``ENCRYPTION_KEYS`` still opens it."""
        try:
            self.secret()
        except UnreadableKey:
            return False
        return True

    def may_be_spent_by(self, user: User, project: Project) -> bool:
        """Whether ``user`` may have more of a batch of ``project`` that runs on it run.

        A personal key serves its project for as long as its owner is a member.
        """
        if self.user_id in (None, user.pk):
            return True
        return Membership.objects.filter(user=self.user_id, project=project).exists()

    def rotate(self) -> None:
        """Encrypt again with the first of ``ENCRYPTION_KEYS``, unsaved."""
        self.ciphertext = reseal(self.ciphertext)
        if self.webhook_ciphertext:
            self.webhook_ciphertext = reseal(self.webhook_ciphertext)
