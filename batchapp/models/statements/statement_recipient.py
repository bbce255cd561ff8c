"""Addresses, also of people without an account, to which statements are mailed each month."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.db import models

from batchapp.domain.batch_labels import MAX_COST_CENTRE_LENGTH
from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.people.project import Project
from batchapp.models.people.user import User


class StatementRecipient(LeasedRow):
    """One address that gets the statement of ``project``, or else of ``cost_centre``.

    Nothing is mailed before the reader of the address confirms it, nor after the reader stops it.
    ``mailed_until`` is the newest month that needs no e-mail any more.
    """

    class Status(models.TextChoices):
        ASKED = "asked", "Not confirmed yet"
        CONFIRMED = "confirmed", "Confirmed"
        STOPPED = "stopped", "Unsubscribed"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {
        Status.ASKED: {Status.CONFIRMED, Status.STOPPED},
        Status.CONFIRMED: {Status.STOPPED},
        Status.STOPPED: set(),
    }
    WAITS_FOR_PEOPLE: ClassVar[set[str]] = {Status.ASKED}
    CONFIRMED_WITHIN = timedelta(days=7)  # as long as the link of the first e-mail counts

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(
        Project, models.CASCADE, null=True, related_name="statement_recipients", db_index=False
    )
    cost_centre = models.CharField(max_length=MAX_COST_CENTRE_LENGTH, blank=True)
    email = models.EmailField()
    status = models.CharField(max_length=10, choices=Status, default=Status.ASKED)
    added_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    added_by_name = models.CharField(max_length=254, help_text="As it was then.")
    added_at = models.DateTimeField(auto_now_add=True)
    answered_at = models.DateTimeField(null=True)
    mailed_until = models.DateField(null=True, help_text="The first day of a month.")

    objects: Any = models.Manager.from_queryset(LeasedRowQuerySet["StatementRecipient"])()

    class Meta:
        ordering = ["email"]
        constraints = [
            models.UniqueConstraint(
                "project",
                "email",
                condition=models.Q(project__isnull=False),
                name="one_recipient_per_project",
            ),
            models.UniqueConstraint(
                "cost_centre",
                "email",
                condition=models.Q(project__isnull=True),
                name="one_recipient_per_cost_centre",
            ),
            models.CheckConstraint(
                condition=models.Q(project__isnull=True) ^ models.Q(cost_centre=""),
                name="recipient_of_project_or_cost_centre",
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def subject(self) -> str:
        """Return the name of what the statements are about."""
        return self.project.name if self.project else self.cost_centre
