"""Decide which e-mails one person gets now: few as they are, many folded into one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Case, Count, When
from django.utils import timezone

from batchapp.models import Mailbox, Notice, NoticeSettings, User, WaitingEmail
from batchapp.models.notifications.inbox_item import visible_notices

MAX_PER_HOUR = 10  # single e-mails to one person; a mail server may take more for spam
HOUR = timedelta(hours=1)
SHOWN = 50  # notices that a summary names; it counts the others
IDS_AT_ONCE = 500  # SQLite takes no more in one query on older systems
Digest = NoticeSettings.Digest


class Total(NamedTuple):
    """The number of notices of one kind in a summary."""

    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class Letter:
    """One e-mail to ``person``: of one notice, or a summary of ``total``, newest first.

    ``digest`` says of which time it is the summary; "at_once" stands for a busy hour.
    """

    person: User
    notices: Sequence[Notice]
    total: int = 1
    totals: Sequence[Total] = ()
    digest: str = Digest.AT_ONCE

    @property
    def is_summary(self) -> bool:
        return bool(self.totals)


@dataclass(slots=True)
class Plan:
    """What a worker does with a mailbox: write ``letters``, hold some e-mails, forget others."""

    letters: list[Letter] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    hour_began_at: datetime | None = None
    sent_in_hour: int = 0


def plan(mailbox: Mailbox) -> Plan:
    """Return what is due for ``mailbox``; nothing is written.

    A person who is deactivated gets nothing, and nobody is told of a project that he or she has
    left. Above ``MAX_PER_HOUR`` single e-mails, the others wait for the end of the hour, and are
    one summary then.
    """
    now, person = timezone.now(), mailbox.person
    due = WaitingEmail.objects.filter(mailbox=mailbox, due_at__lte=now)
    # One query tells which are visible and which are done: of two, the second would also see what
    # is delivered in between, which would be written twice or not at all.
    due = due.annotate(
        is_visible=Case(When(visible_notices(person, "notice__"), then=True), default=False)
    )
    all_rows = list(due.values_list("pk", "notice", "digest", "is_held", "is_visible"))
    rows = [row[:-1] for row in all_rows if row[-1] and person.is_active]
    result = Plan(hour_began_at=mailbox.hour_began_at, sent_in_hour=mailbox.sent_in_hour)
    for digest in (Digest.DAILY, Digest.WEEKLY):
        if notices := [notice for _, notice, its, _ in rows if its == digest]:
            result.letters.append(_summary(person, notices, digest))
    _plan_single(result, person, [row for row in rows if row[2] == Digest.AT_ONCE], now)
    held = set(result.held)
    result.done = [pk for pk, *_ in all_rows if pk not in held]
    return result


def _plan_single(result: Plan, person: User, rows: list[tuple[Any, ...]], now: datetime) -> None:
    if not rows:
        return
    began = result.hour_began_at
    if began is None or now - began >= HOUR:
        result.hour_began_at, result.sent_in_hour = now, 0
        if any(is_held for *_, is_held in rows):
            notices = [notice for _, notice, _, _ in rows]
            result.letters.append(_summary(person, notices, Digest.AT_ONCE))
            result.sent_in_hour = 1
            return
    room = max(0, MAX_PER_HOUR - result.sent_in_hour)
    result.held = [pk for pk, *_ in rows[room:]]
    result.sent_in_hour += len(rows[:room])
    notices_of = _read([notice for _, notice, _, _ in rows[:room]])
    result.letters += [Letter(person, [notice]) for notice in notices_of]


def _summary(person: User, pks: list[Any], digest: str) -> Letter:
    if len(pks) == 1:
        return Letter(person, _read(pks), digest=digest)
    totals: dict[str, int] = {}
    for some in _chunks(pks):
        rows = Notice.objects.filter(pk__in=some).order_by().values_list("kind")
        for kind, number in rows.annotate(number=Count("pk")):
            totals[kind] = totals.get(kind, 0) + number
    # They are in the order in which they were delivered, so the last ones are the newest.
    newest = _read(pks[-SHOWN:])[::-1]
    listed = [Total(kind, number) for kind, number in sorted(totals.items())]
    return Letter(person, newest, len(pks), listed, digest)


def _read(pks: list[Any]) -> list[Notice]:
    rows = Notice.objects.select_related("project", "batch").in_bulk(pks)
    return [rows[pk] for pk in pks if pk in rows]


def finish(mailbox: Mailbox, result: Plan) -> None:
    """Write that the letters of ``result`` are kept; call this in their transaction.

    Raises:
        StaleRow: another worker has the mailbox; roll back, so that no letter is kept twice.
    """
    for pks in _chunks(result.done):
        WaitingEmail.objects.filter(pk__in=pks).delete()
    if result.held and result.hour_began_at:
        until = result.hour_began_at + HOUR
        for pks in _chunks(result.held):
            WaitingEmail.objects.filter(pk__in=pks).update(is_held=True, due_at=until)
    mailbox.rest(hour_began_at=result.hour_began_at, sent_in_hour=result.sent_in_hour)


def make_due_again(mailbox: Mailbox) -> None:
    """Make the mailbox due for what waits in it; call this after the transaction of ``finish``.

    What was delivered meanwhile is seen here, or makes the mailbox due itself.
    """
    waiting = WaitingEmail.objects.filter(mailbox=mailbox).order_by("due_at")
    if due_at := waiting.values_list("due_at", flat=True).first():
        Mailbox.objects.filter(pk=mailbox.pk).make_due(due_at)


def _chunks(pks: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(pks), IDS_AT_ONCE):
        yield pks[start : start + IDS_AT_ONCE]
