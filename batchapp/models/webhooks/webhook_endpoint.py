"""Addresses to which a project sends its notices."""

import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from batchapp.models.fields.encryption import SecretField, seal, unseal
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.people.project import Project
from batchapp.models.people.user import User

MAX_NAME_LENGTH = 100
LONGEST_REST = timedelta(seconds=15)  # after a step that sent messages: as long as the step took


class WebhookEndpointQuerySet(LeasedRowQuerySet["WebhookEndpoint"]):
    def visible_to(self, user: User) -> Self:
        return self.filter(project__in=Project.objects.visible_to(user))

    def wake(self, *, is_urgent: bool = False) -> int:
        """Make the endpoints due now, and return how many are.

        An endpoint whose last attempt failed keeps its pause, and one that rests for a moment or
        whose message is in the queue its place, unless a person ``is_urgent``.
        """
        now = timezone.now()
        rows = self.filter(status=WebhookEndpoint.Status.ACTIVE)
        if not is_urgent:
            waits = Q(next_check_at__gt=now + LONGEST_REST) | Q(next_check_at=None)
            rows = rows.filter(waits, failures=0)
        return rows.update(next_check_at=now)


class WebhookEndpoint(LeasedRow):
    """An address outside of the portal, and the kinds of notices of a project that it gets.

    The row is what workers move: one worker at a time sends what waits for an endpoint, so that a
    slow receiver keeps no second worker busy. The address is encrypted as well as the secret,
    because the addresses of chat programs let whoever knows them write there.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        DISABLED = "disabled", "Disabled"

    class Format(models.TextChoices):
        STANDARD = "standard", "Signed JSON (Standard Webhooks)"
        SLACK = "slack", "Slack"
        TEAMS = "teams", "Microsoft Teams"

    class Reason(models.TextChoices):
        """Why an endpoint is disabled."""

        PERSON = "person"
        GONE = "gone"  # the receiver answered 410
        FAILING = "failing"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.ACTIVE: {Status.DISABLED},
        Status.DISABLED: {Status.ACTIVE},
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.DISABLED}
    PAST_TIMES = ("failing_since",)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="webhook_endpoints")
    name = models.CharField(max_length=MAX_NAME_LENGTH)
    format = models.CharField(max_length=10, choices=Format, default=Format.STANDARD)
    events = models.JSONField(default=list, help_text="The kinds of notices that are sent.")
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    sealed_address = SecretField()
    shown_address = models.CharField(max_length=300, help_text="What pages show of the address.")
    sealed_secret = SecretField()
    sealed_old_secret = SecretField()
    rotation_ends_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.CharField(max_length=10, choices=Reason, blank=True)
    disabled_at = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(
        default=0, editable=False, help_text="Failed attempts since the last success."
    )
    failing_since = models.DateTimeField(null=True, editable=False)
    delivered_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    objects = WebhookEndpointQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint("project", "name", name="one_webhook_endpoint_of_a_name")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.status == self.Status.ACTIVE

    @property
    def address(self) -> str:
        """Return the decrypted address, for the sender only.

        Raises:
            UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts it.
        """
        return unseal(self.sealed_address)

    @address.setter
    def address(self, address: str) -> None:
        self.sealed_address = seal(address)

    def secrets_at(self, moment: datetime) -> list[str]:
        """Return the decrypted secrets to sign with, the newest first; none of chat programs.

        Raises:
            UnreadableKey: no key of ``ENCRYPTION_KEYS`` decrypts one of them.
        """
        sealed = [self.sealed_secret]
        if self.rotation_ends_at and self.rotation_ends_at > moment:
            sealed.append(self.sealed_old_secret)
        return [unseal(secret) for secret in sealed if secret]

    def set_secret(self, secret: str, overlap: timedelta = timedelta()) -> dict[str, Any]:
        """Encrypt ``secret`` into this row, unsaved, and return the fields that have changed.

        The secret before goes on for ``overlap``.
        """
        fields: dict[str, Any] = {
            "sealed_secret": seal(secret),
            "sealed_old_secret": self.sealed_secret if overlap else "",
            "rotation_ends_at": timezone.now() + overlap if overlap else None,
        }
        for name, value in fields.items():
            setattr(self, name, value)
        return fields
