"""The inbox of a person: one item for each notice that the person gets in the console."""

from typing import Self

from django.db import models
from django.db.models import Q

from batchapp.models.notifications.notice import Notice, NoticeKind
from batchapp.models.people.project import Project
from batchapp.models.people.user import AnyUser, User


def visible_notices(user: AnyUser, path: str = "") -> Q:
    """Match the notices that ``user`` may still see; ``path`` leads to the notice, as "notice__".

    Those of a project need a membership in it, but an invitation; a deleted project shows nothing.
    """
    return (
        Q(**{f"{path}project": None})
        | Q(**{f"{path}project__in": Project.objects.visible_to(user)})
        | Q(**{f"{path}kind": NoticeKind.INVITED, f"{path}project__deleted_at": None})
    )


class InboxItemQuerySet(models.QuerySet["InboxItem"]):
    def visible_to(self, user: AnyUser) -> Self:
        """Return the items of ``user``, but those of projects that ``user`` has left."""
        return self.filter(visible_notices(user, "notice__"), person=user.pk)

    def unread(self) -> Self:
        return self.filter(read_at=None)


class InboxItem(models.Model):
    """A notice in the inbox of one person, unread until ``read_at``."""

    person = models.ForeignKey(
        User, models.CASCADE, related_name="inbox_items", db_index=False, editable=False
    )
    notice = models.ForeignKey(Notice, models.CASCADE, related_name="inbox_items")
    in_browser = models.BooleanField(
        default=False, help_text="An open page shows a notification of the browser."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)

    objects = InboxItemQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint("person", "notice", name="one_item_per_person_and_notice")
        ]
        indexes = [
            models.Index(fields=["person", "-id"], name="inbox_list"),
            # Every page counts them.
            models.Index(fields=["person"], name="inbox_unread", condition=Q(read_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.notice} for {self.person}"
