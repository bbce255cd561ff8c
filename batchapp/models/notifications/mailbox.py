"""E-mails of notices that are not written yet, and the row that writes those of one person."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import models
from django.db.models import F
from django.db.models.functions import Coalesce, Least

from batchapp.models.fields.leased_row import LeasedRow, LeasedRowQuerySet
from batchapp.models.notifications.notice import Notice
from batchapp.models.notifications.preferences import NoticeSettings
from batchapp.models.people.user import User

LONGEST_DIGEST = timedelta(days=8)  # a week, and a day of which the clock changes


class MailboxQuerySet(LeasedRowQuerySet["Mailbox"]):
    def make_due(self, at: datetime) -> int:
        """Make the mailboxes due at ``at``, unless they are due before.

        Every row is written, so that this waits for a worker that is ending its step, and the
        worker for this: whichever comes second sees what the first has stored.
        """
        earlier = Coalesce(Least(F("next_check_at"), at), at)
        return self.update(next_check_at=earlier)


class Mailbox(LeasedRow):
    """The e-mails of notices that wait for one person; a worker writes them one after another.

    ``hour_began_at`` and ``sent_in_hour`` count the single e-mails: above a limit they are folded.
    """

    class Status(models.TextChoices):
        WAITING = "waiting", "Waiting"

    TRANSITIONS: ClassVar[dict[str, set[str]]] = {Status.WAITING: set()}
    LONGEST_DELAYS: ClassVar[dict[str, timedelta]] = {Status.WAITING: LONGEST_DIGEST}
    PAST_TIMES: ClassVar[tuple[str, ...]] = ("hour_began_at",)

    person = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="mailbox", editable=False
    )
    status = models.CharField(max_length=10, choices=Status, default=Status.WAITING)
    hour_began_at = models.DateTimeField(null=True, editable=False)
    sent_in_hour = models.PositiveIntegerField(default=0, editable=False)

    objects: Any = models.Manager.from_queryset(MailboxQuerySet)()

    def __str__(self) -> str:
        return f"e-mails for {self.person}"


class WaitingEmail(models.Model):
    """A notice that one person gets by e-mail: alone, or in a digest at ``due_at``.

    ``is_held`` if it waits for the summary of an hour that had too many single e-mails.
    """

    mailbox = models.ForeignKey(
        Mailbox, models.CASCADE, related_name="waiting_emails", db_index=False
    )
    notice = models.ForeignKey(Notice, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=10, choices=NoticeSettings.Digest)
    due_at = models.DateTimeField()
    is_held = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint("mailbox", "notice", name="one_email_per_person_and_notice")
        ]
        indexes = [models.Index(fields=["mailbox", "due_at"], name="waiting_emails_due")]

    def __str__(self) -> str:
        return f"{self.notice} for {self.mailbox_id}"
