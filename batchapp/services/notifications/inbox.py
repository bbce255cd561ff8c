"""Read the inbox of a person, and mark what was read."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Q
from django.utils import timezone

from batchapp import access
from batchapp.models import Batch, InboxItem, User
from batchapp.models.notifications.inbox_item import InboxItemQuerySet

MOST_COUNTED = 100  # unread items; a badge says "99+" from there on


class Unread(NamedTuple):
    """``newest`` is the id of the newest unread item, 0 if there is none."""

    number: int
    newest: int

    @property
    def badge(self) -> str:
        return f"{MOST_COUNTED - 1}+" if self.number == MOST_COUNTED else str(self.number or "")


def unread_of(user: User) -> Unread:
    """Count the unread items of ``user``, up to ``MOST_COUNTED``, by one query."""
    rows = InboxItem.objects.visible_to(user).unread().order_by("-pk")
    pks = list(rows.values_list("pk", flat=True)[:MOST_COUNTED])
    return Unread(len(pks), pks[0] if pks else 0)


def news_of(user: User, after: int, most: int) -> InboxItemQuerySet:
    """Return the newest items after ``after`` that ``user`` wants to see in the browser."""
    rows = InboxItem.objects.visible_to(user).unread().filter(pk__gt=after, in_browser=True)
    return rows.select_related("notice__project", "notice__batch").order_by("-pk")[:most]


def items_of(user: User, *, project: str = "", kind: str = "") -> InboxItemQuerySet:
    """Return the items of ``user``, unread ones first, then the newest.

    ``project`` is the slug of a project, and ``kind`` a kind of notices.
    """
    access.require_in_person(user)
    items = InboxItem.objects.visible_to(user)
    if project:
        items = items.filter(notice__project__slug=project)
    if kind:
        items = items.filter(notice__kind=kind)
    is_read = ExpressionWrapper(Q(read_at__isnull=False), BooleanField())
    return items.select_related("notice__project", "notice__batch").order_by(is_read, "-pk")


def mark(user: User, pk: int, *, is_read: bool) -> None:
    """Mark one item read, or unread again."""
    access.require_in_person(user)
    rows = InboxItem.objects.visible_to(user).filter(pk=pk)
    rows.filter(read_at__isnull=is_read).update(read_at=timezone.now() if is_read else None)


def mark_all_read(user: User, *, project: str = "", kind: str = "") -> tuple[int, datetime]:
    """Mark the unread items read; return how many, and the time by which ``undo`` knows them."""
    now = timezone.now()
    rows = items_of(user, project=project, kind=kind).unread().order_by().select_related(None)
    pks = rows.values("pk")
    return InboxItem.objects.filter(pk__in=pks).update(read_at=now), now


def undo(user: User, read_at: datetime) -> int:
    """Make unread what was marked read at this moment; return how many."""
    access.require_in_person(user)
    return InboxItem.objects.filter(person=user, read_at=read_at).update(read_at=None)


def mark_batch_read(user: User, batch: Batch) -> None:
    """Mark read what ``user`` was told of ``batch``, whose page he or she opens."""
    unread = InboxItem.objects.filter(person=user.pk, read_at=None, notice__batch=batch)
    # Most pages have none, and an UPDATE would wait for whoever writes to SQLite.
    if unread.exists():
        unread.update(read_at=timezone.now())
