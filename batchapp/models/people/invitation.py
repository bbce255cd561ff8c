"""Invitations to the portal, or to a project of it."""

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from batchapp.models.people.project import Membership, Project
from batchapp.models.people.user import User


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def unanswered(self) -> Self:
        """Select what was neither accepted nor declined nor revoked, expired ones included."""
        return self.filter(accepted_at=None, declined_at=None, revoked_at=None)

    def pending(self, now: datetime) -> Self:
        return self.unanswered().filter(expires_at__gt=now)


class Invitation(models.Model):
    """A link by which one person gets an account, a role in ``project``, or both.

    Without a ``project`` the invitation is to the portal alone. Only the hash of the token of the
    link is stored. An invitation counts as long as the person who made it may still make one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="invitations")
    role = models.CharField(
        max_length=10, blank=True, choices=Membership.Role, help_text="In the project."
    )
    email = models.EmailField(
        blank=True, help_text="In lower case; empty if the link is for anybody who has it."
    )
    # The person who had this address, verified, when the invitation was made, and so sees it on
    # the home page. Whoever makes an account with this address later needs the link.
    invitee = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, related_name="invitations"
    )
    invited_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="invitations_made"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    # The link was sent to ``email`` and shown to nobody, so who has it reads that mailbox.
    is_mailed = models.BooleanField(default=False)
    days = models.PositiveSmallIntegerField(help_text="For how long a link of it counts.")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+"
    )
    declined_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(project=None, role="")
                | (models.Q(project__isnull=False) & ~models.Q(role="")),
                name="role_only_in_a_project",
            )
        ]

    def __str__(self) -> str:
        return f"{self.email or 'a link'} to {self.project or 'the portal'}"

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()

    def is_for(self, user: User) -> bool:
        """Return True if ``user`` may accept, who has the link or sees the home page."""
        return not self.email or self.email == user.email


def make_token() -> str:
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """Return the hash of a token; a token of 256 random bits needs no salt and no slow hash."""
    return hashlib.sha256(token.encode()).hexdigest()
