"""Put a notice into the inboxes of its recipients, and among the e-mails that wait for them."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from batchapp.domain.notifications.digest_times import next_daily, next_weekly
from batchapp.models import InboxItem, Mailbox, Notice, NoticeSettings, User, WaitingEmail
from batchapp.services.notifications.recipients import Recipient, recipients_of

KEPT = timedelta(days=90)  # in an inbox, and in the log of webhooks
FORGOTTEN_AT_ONCE = 200  # notices; more than one goes for each that comes
WOKEN_AT_ONCE = 10  # mailboxes; the next ticks wake the others, so that no queue fills up
Digest = NoticeSettings.Digest


def deliver(notice: Notice) -> list[Mailbox]:
    """Store what each recipient of ``notice`` gets; return some of the mailboxes that are due.

    All is stored or nothing. A second delivery stores nothing more.
    """
    recipients = recipients_of(notice)
    items = [
        InboxItem(person=row.person, notice=notice, in_browser=row.chosen.channels.in_browser)
        for row in recipients
        if row.chosen.channels.in_inbox or row.chosen.channels.in_browser
    ]
    with transaction.atomic():
        InboxItem.objects.bulk_create(items, ignore_conflicts=True)
        if not settings.EMAIL_SERVER:  # an e-mail would be old news when there is one
            return []
        return _let_wait(notice, [row for row in recipients if row.chosen.channels.by_email])


def _let_wait(notice: Notice, recipients: Sequence[Recipient]) -> list[Mailbox]:
    if not recipients:
        return []
    now = timezone.now()
    mailboxes = [Mailbox(person=row.person) for row in recipients]
    Mailbox.objects.bulk_create(mailboxes, ignore_conflicts=True)
    due: defaultdict[datetime, list[int]] = defaultdict(list)
    emails = []
    for row in recipients:
        at = _due_at(row.chosen.digest, row.person, now)
        due[at].append(row.person.pk)
        emails.append(
            WaitingEmail(
                mailbox_id=row.person.pk, notice=notice, digest=row.chosen.digest, due_at=at
            )
        )
    WaitingEmail.objects.bulk_create(emails, ignore_conflicts=True)
    for at, pks in due.items():
        Mailbox.objects.filter(pk__in=pks).make_due(at)
    return list(Mailbox.objects.filter(pk__in=due.get(now, [])[:WOKEN_AT_ONCE]))


def _due_at(digest: str, person: User, now: datetime) -> datetime:
    zone = ZoneInfo(person.time_zone or settings.TIME_ZONE)
    if digest == Digest.DAILY:
        return next_daily(now, zone)
    return next_weekly(now, zone) if digest == Digest.WEEKLY else now


def forget_old() -> None:
    """Delete some of the notices that are older than 90 days, with all that was made of them."""
    old = Notice.objects.filter(created_at__lt=timezone.now() - KEPT).order_by("created_at")
    if pks := list(old.values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]):
        Notice.objects.filter(pk__in=pks).delete()
