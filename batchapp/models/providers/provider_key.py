"""Provider keys, which are stored encrypted."""

import uuid
from datetime import timedelta
from typing import Any, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.models.fields.encryption import (
    SecretField,
    UnreadableKey,
    seal,
    seal_for,
    unseal,
    unseal_for,
)
from batchapp.models.fields.problem_field import ProblemField
from batchapp.models.people.project import Project
from batchapp.models.people.user import User
from batchapp.models.prepared_query import Parameter, PreparedQuery
from batchapp.models.providers.connection import Connection

NEW_KEY_PERIOD = timedelta(minutes=3)  # after that all replicas of a provider know a new key


class ProviderKeyQuerySet(models.QuerySet["ProviderKey"]):
    def usable_by(self, user: User, project: Project) -> Self:
        """Return the keys of ``user`` and of ``project``, on which they may run a batch."""
        return self._owned(user.pk, project.pk, project.connection_id)

    def _owned(self, user: Any, project: Any, connection: Any) -> Self:
        owned = Q(user=user) | Q(project=project)
        keys = self.filter(owned, connection=connection).exclude(ciphertext="")
        return keys.select_related("connection")  # a key is read for the connection's address

    def for_scripts(self, user: User, project: Project) -> "ProviderKey":
        """Return the key for calls of a portal key: the newest of the project, or of ``user``.

        Raises:
            Refused: neither has a key.
        """
        keys = _usable_keys.all(user=user.pk, project=project.pk, connection=project.connection_id)
        if not keys:
            raise Refused(
                Refusal.NO_PROVIDER_KEY,
                project=project.name,
                person=str(user),
                connection=project.connection.name,
            )
        return ([key for key in keys if key.project_id] or keys)[-1]


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
    ciphertext = SecretField()
    webhook_ciphertext = SecretField()
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
            ),
            # A removed key keeps its name, and another key may have the same.
            models.UniqueConstraint(
                fields=["user", "name"],
                condition=~Q(ciphertext="") & Q(project=None),
                name="one_stored_key_of_a_name_per_person",
            ),
            models.UniqueConstraint(
                fields=["project", "name"],
                condition=~Q(ciphertext="") & Q(user=None),
                name="one_stored_key_of_a_name_per_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"

    def set_secret(self, secret: str) -> None:
        """Encrypt ``secret`` into this row, unsaved, and clear the result of the last test.

        The secret is for the present address of the connection, and is sent to no other.
        """
        self.ciphertext = seal_for(self.connection.base_url, secret)
        self.last_four = secret[-4:]
        self.tested_at, self.is_refused, self.problem = None, False, None
        self.last_used_at, self.secret_set_at = None, timezone.now()

    def secret(self) -> str:
        """Return the decrypted key, for the provider's client only.

        Raises:
            MovedKey: the address of the connection was changed since the key was entered.
            UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts it, or the key was removed.
        """
        return unseal_for(self.connection.base_url, self.ciphertext)

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
        """Return True if the secret can be decrypted, and sent to the connection's address."""
        return self.reading_error() is None

    def reading_error(self) -> UnreadableKey | None:
        """Return why the secret cannot be used; None if it can."""
        try:
            self.secret()
        except UnreadableKey as exc:
            return exc
        return None


# Scripts make this query with each order and each single request.
_usable_keys = PreparedQuery(
    lambda: ProviderKey.objects.all()._owned(
        Parameter("user", User._meta.pk),
        Parameter("project", Project._meta.pk),
        Parameter("connection", Connection._meta.pk),
    )
)
