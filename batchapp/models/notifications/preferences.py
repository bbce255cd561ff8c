"""What a person wants to be told of, and by which way."""

from dataclasses import dataclass

from django.db import models
from django.db.models import Q

from batchapp.models.notifications.notice import NoticeKind
from batchapp.models.people.project import Project
from batchapp.models.people.user import User


@dataclass(frozen=True, slots=True)
class Channels:
    """The ways by which a person gets the notices of one kind.

    ``of_others`` means those about batches of other people in the project, too.
    """

    in_inbox: bool = True
    by_email: bool = True
    in_browser: bool = True
    of_others: bool = False


# The inviter's own e-mail has the link of an invitation, so that a second one would say less.
_WITHOUT_EMAIL = Channels(by_email=False)
DEFAULT_CHANNELS: dict[NoticeKind, Channels] = {
    kind: _WITHOUT_EMAIL if kind is NoticeKind.INVITED else Channels() for kind in NoticeKind
}


class NoticePreferences(models.Model):
    """The channels that a person chose for one kind of notices: of a project, or of all others."""

    person = models.ForeignKey(
        User, models.CASCADE, related_name="notice_preferences", db_index=False, editable=False
    )
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=40)
    in_inbox = models.BooleanField()
    by_email = models.BooleanField()
    in_browser = models.BooleanField()
    of_others = models.BooleanField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["person", "project", "kind"],
                condition=Q(project__isnull=False),
                name="one_preference_per_project_and_kind",
            ),
            models.UniqueConstraint(
                fields=["person", "kind"],
                condition=Q(project=None),
                name="one_preference_per_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.person}"

    @property
    def channels(self) -> Channels:
        return Channels(self.in_inbox, self.by_email, self.in_browser, self.of_others)


class NoticeSettings(models.Model):
    """When a person gets e-mails of notices, and how small a batch may be to end in silence."""

    class Digest(models.TextChoices):
        AT_ONCE = "at_once", "At once, one for each"
        DAILY = "daily", "One a day"
        WEEKLY = "weekly", "One a week"

    person = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="notice_settings", editable=False
    )
    digest = models.CharField(max_length=10, choices=Digest, default=Digest.AT_ONCE)
    quiet_below = models.PositiveIntegerField(
        default=0, help_text="Nobody is told of the end of a batch with fewer requests."
    )

    def __str__(self) -> str:
        return f"{self.digest} for {self.person}"
