"""Portal keys, and the secrets that open the portal for them."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Self

from django.db import models
from django.db.models import F, Max, Q
from django.utils import timezone

from batchapp.domain import portal_keys
from batchapp.domain.refused import Refusal, Refused
from batchapp.models.people.project import Membership, Project
from batchapp.models.people.user import User
from batchapp.models.prepared_query import Parameter, PreparedQuery

USE_PERIOD = timedelta(minutes=1)  # the last use of a secret is written at most once in it
SOON = timedelta(days=7)  # pages warn of a key that expires within


class PortalKeyQuerySet(models.QuerySet["PortalKey"]):
    def kept(self) -> Self:
        """Return the keys that nobody has revoked; some may have expired."""
        return self.filter(revoked_at=None)

    def revoke(self, by: User) -> int:
        """Stop the keys for good, and return how many were not stopped before. One statement."""
        return self.kept().update(revoked_at=timezone.now(), revoked_by=by)

    def opening(self, at: datetime) -> Self:
        """Return the keys that open the portal at ``at``, whatever their secrets are."""
        return self.filter(_opens(at))

    def of_people(self) -> Self:
        return self.filter(user__is_service_account=False)

    def of_services(self) -> Self:
        return self.filter(user__is_service_account=True)

    def known_to(self, maker: User) -> Self:
        """Return the service keys in use whose secret ``maker`` was shown."""
        return self.kept().of_services().filter(created_by=maker)

    def with_use(self) -> Self:
        """Add ``used_at``, the last use of any of the secrets."""
        return self.annotate(used_at=Max("secrets__last_used_at"))


class PortalKey(models.Model):
    """A key with which scripts use the portal, in one project and as one person.

    A service key belongs to the project: its ``user`` is the service account of the project. A
    revoked key keeps its row, so that people see what there was.
    """

    class Scope(models.TextChoices):
        READ = "read", "Read"
        SUBMIT = "submit", "Read and submit"
        MANAGE = "manage", "Read, submit and manage"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="portal_keys")
    project = models.ForeignKey(Project, models.CASCADE, related_name="portal_keys")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=10, choices=Scope)
    model_names = models.JSONField(default=list, help_text="Empty for all models of the project.")
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    objects = PortalKeyQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "project", "name"],
                condition=Q(revoked_at=None),
                name="one_portal_key_of_a_name",
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def role(self) -> str:
        """Return the highest role that the scope allows; the person may have a lower one."""
        return {
            self.Scope.READ: Membership.Role.VIEWER,
            self.Scope.SUBMIT: Membership.Role.EDITOR,
            self.Scope.MANAGE: Membership.Role.OWNER,
        }[self.Scope(self.scope)].value

    @property
    def is_service_key(self) -> bool:
        return self.user.is_service_account

    @property
    def is_expired(self) -> bool:
        return self.expires_at is not None and self.expires_at <= timezone.now()

    @property
    def expires_soon(self) -> bool:
        soon = timezone.now() + SOON
        return self.expires_at is not None and not self.is_expired and self.expires_at <= soon

    def allows_model(self, model: str) -> bool:
        return not self.model_names or model in self.model_names

    def require_models(self, models: Iterable[str]) -> None:
        """Raise ``Refused`` if the key does not allow one of ``models``."""
        if refused := [model for model in models if not self.allows_model(model)]:
            raise Refused(Refusal.MODEL_NOT_ALLOWED, models=refused)


class PortalKeySecretQuerySet(models.QuerySet["PortalKeySecret"]):
    def find(self, digest: str, at: datetime) -> "PortalKeySecret | None":
        """Return the secret with ``digest`` if it opens the portal at ``at``, with its key.

        One query asks all conditions, so that an answer tells by neither text nor time which of
        them failed: the secret is unknown or has ended, the key is revoked or has expired, the
        person is deactivated or has left the project, or the project was deleted.
        """
        return _secrets.first(digest=digest, at=at)

    def record_use(self, secret: "PortalKeySecret", address: str, at: datetime) -> None:
        """Write that ``secret`` was used, at most once in ``USE_PERIOD``.

        The condition of the UPDATE makes one of several requests at once write.
        """
        latest = at - USE_PERIOD
        if secret.last_used_at and secret.last_used_at > latest:
            return
        rows = self.filter(Q(last_used_at=None) | Q(last_used_at__lte=latest), pk=secret.pk)
        rows.update(last_used_at=at, last_used_address=address)


class PortalKeySecret(models.Model):
    """A secret of a portal key, stored as its SHA-256 alone.

    A key has several while it is rotated: the new secret, and the old one until ``ends_at``.
    """

    key = models.ForeignKey(PortalKey, models.CASCADE, related_name="secrets")
    digest = models.CharField(max_length=64, unique=True)
    shown_part = models.CharField(max_length=9, help_text="The beginning, which pages show.")
    created_at = models.DateTimeField(auto_now_add=True)
    ends_at = models.DateTimeField(null=True, help_text="When an old secret stops to work.")
    last_used_at = models.DateTimeField(null=True)
    last_used_address = models.CharField(max_length=45, blank=True)

    objects = PortalKeySecretQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(ends_at=None), name="one_current_secret_of_a_key"
            )
        ]

    def __str__(self) -> str:
        return f"{self.shown_part}…"

    @property
    def has_ended(self) -> bool:
        return self.ends_at is not None and self.ends_at <= timezone.now()

    @classmethod
    def of(cls, key: PortalKey, secret: str, **fields: Any) -> Self:
        """Return an unsaved row for ``secret``, which is stored nowhere."""
        return cls(
            key=key,
            digest=portal_keys.digest_of(secret),
            shown_part=portal_keys.shown_part(secret),
            **fields,
        )


def _opens(at: Any, path: str = "") -> Q:
    """Match the keys that open the portal at ``at``; ``path`` leads to them."""
    fields = {
        "revoked_at": None,
        "user__is_active": True,
        "project__deleted_at": None,
        "project__memberships__user": F(f"{path}user"),
    }
    unexpired = Q(**{f"{path}expires_at": None}) | Q(**{f"{path}expires_at__gt": at})
    return unexpired & Q(**{f"{path}{name}": value for name, value in fields.items()})


def _opening_secrets() -> "models.QuerySet[PortalKeySecret]":
    """Return the query of ``find``, which every request by a portal key makes."""
    at = Parameter("at", models.DateTimeField())
    rows = PortalKeySecret.objects.filter(
        Q(ends_at=None) | Q(ends_at__gt=at),
        _opens(at, "key__"),
        digest=Parameter("digest", models.CharField()),
    )
    return rows.select_related("key__user", "key__project__connection").order_by()


_secrets = PreparedQuery(_opening_secrets)
