"""Decide to which addresses the statement of each month is mailed, also of people without account.

Owners of a project add addresses to its list, and administrators to those of cost centres. An
address counts once its reader confirmed it by a link, and until the reader stops it by another.
"""

from datetime import date
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    MonthClosing,
    Project,
    StatementRecipient,
    User,
)
from batchapp.services.statements.part import Part

MAX_RECIPIENTS = 10  # of one project, or of one cost centre
CONFIRM_SALT = "batchapp.statements.recipients.confirm"
STOP_SALT = "batchapp.statements.recipients.stop"
Status = StatementRecipient.Status


def recipients_of(project: Project | None, user: User) -> QuerySet[StatementRecipient]:
    """Return the addresses of ``project``, or with None those of all cost centres."""
    access.require_mail_statements(user, project)
    rows: QuerySet[StatementRecipient] = StatementRecipient.objects.filter(project=project)
    return rows.order_by("cost_centre", "email")


def add(
    project: Project | None, user: User, email: str, *, cost_centre: str = ""
) -> StatementRecipient:
    """Add an address, to which nothing is mailed until its reader confirms it.

    Raises:
        Refused: the list is full or has the address, or the portal cannot send e-mails.
    """
    access.require_mail_statements(user, project)
    if not settings.EMAIL_SERVER:
        raise Refused(Refusal.RECIPIENTS_NEED_MAIL_SERVER)
    with transaction.atomic():
        if project:
            access.require_open(project)  # it also lets nobody else add to the list meanwhile
        rows = StatementRecipient.objects.filter(project=project, cost_centre=cost_centre)
        if rows.count() >= MAX_RECIPIENTS:
            raise Refused(Refusal.RECIPIENTS_TOO_MANY, limit=MAX_RECIPIENTS)
        recipient = StatementRecipient(
            project=project,
            cost_centre=cost_centre,
            email=email.strip().lower(),
            added_by=user,
            added_by_name=_name(user),
        )
        try:
            with transaction.atomic():
                recipient.save(force_insert=True)
        except IntegrityError:
            raise Refused(Refusal.RECIPIENT_EXISTS, email=recipient.email) from None
        _record(AuditKind.STATEMENT_RECIPIENT_ADDED, user, recipient)
    return recipient


def remove(recipient: StatementRecipient, user: User) -> None:
    """Mail nothing to the address any more; it can be added again, and confirmed anew."""
    access.require_mail_statements(user, recipient.project)
    with transaction.atomic():
        # A worker that writes an e-mail at this moment finds no row, and keeps none.
        if StatementRecipient.objects.filter(pk=recipient.pk).delete()[0]:
            _record(AuditKind.STATEMENT_RECIPIENT_REMOVED, user, recipient)


def confirm_token(recipient: StatementRecipient) -> str:
    return signing.dumps(str(recipient.pk), salt=CONFIRM_SALT)


def stop_token(recipient: StatementRecipient) -> str:
    """Return a token that does not end: an old e-mail can still be unsubscribed from."""
    return signing.dumps(str(recipient.pk), salt=STOP_SALT)


def asked_by(token: str) -> StatementRecipient | None:
    """Return the recipient of a link to confirm; None if it is too old, not ours, or removed."""
    recipient = _read(token, CONFIRM_SALT, max_age=StatementRecipient.CONFIRMED_WITHIN)
    is_gone = recipient and recipient.project and recipient.project.deleted_at
    return None if is_gone else recipient


def stopped_by(token: str) -> StatementRecipient | None:
    """Return the recipient of a link to unsubscribe; None if it is not ours, or removed."""
    return _read(token, STOP_SALT)


def _read(token: str, salt: str, **limits: Any) -> StatementRecipient | None:
    try:
        pk = UUID(signing.loads(token, salt=salt, **limits))
    except signing.BadSignature:
        return None
    rows: QuerySet[StatementRecipient] = StatementRecipient.objects.select_related("project")
    return rows.filter(pk=pk).first()


def confirm(recipient: StatementRecipient) -> bool:
    """Let the months that are closed from now on be mailed; False if the reader answered before.

    The link of the e-mail is the right.
    """
    closed = MonthClosing.objects.filter(status=MonthClosing.Status.CLOSED).order_by("-month")
    newest = closed.values_list("month", flat=True).first()
    asked = {Status.ASKED}
    return _answer(recipient, asked, Status.CONFIRMED, mailed_until=newest, next_check_at=None)


def stop(recipient: StatementRecipient) -> bool:
    """Mail nothing any more; False if the reader stopped it before. The link is the right."""
    before = {Status.ASKED, Status.CONFIRMED}
    return _answer(recipient, before, Status.STOPPED, next_check_at=None)


def _answer(
    recipient: StatementRecipient, before: set[Status], status: Status, **fields: Any
) -> bool:
    kinds = {
        Status.CONFIRMED: AuditKind.STATEMENT_RECIPIENT_CONFIRMED,
        Status.STOPPED: AuditKind.STATEMENT_RECIPIENT_STOPPED,
    }
    with transaction.atomic():
        rows = StatementRecipient.objects.filter(pk=recipient.pk, status__in=before)
        # Without its lease, a worker that writes an e-mail at this moment keeps none.
        fields |= {"answered_at": timezone.now(), "leased_until": None, "claims": 0}
        if not rows.update(status=status, **fields):
            return False
        _record(kinds[status], None, recipient)
    recipient.refresh_from_db()
    return True


def make_due() -> None:
    """Let workers mail the month that is closed; call this in the transaction of the close.

    Every row is written, so that a worker who ends its step at this moment sees the month.
    """
    StatementRecipient.objects.filter(status=Status.CONFIRMED).update(next_check_at=timezone.now())


def next_month(recipient: StatementRecipient) -> date | None:
    """Return the oldest closed month that is not mailed yet; None if there is none."""
    closed = MonthClosing.objects.filter(status=MonthClosing.Status.CLOSED)
    if recipient.mailed_until:
        closed = closed.filter(month__gt=recipient.mailed_until)
    return closed.order_by("month").values_list("month", flat=True).first()


def part_of(recipient: StatementRecipient, month: date) -> Part:
    """Return the part of ``month`` that the address gets."""
    if recipient.project:
        return Part(month, frozenset({recipient.project.pk}))
    return Part(month, None, recipient.cost_centre)


def record_mailed(recipient: StatementRecipient, month: date) -> None:
    """Record that a statement leaves the portal; call this in the transaction of the e-mail."""
    _record(AuditKind.STATEMENT_MAILED, None, recipient, month=month.isoformat())


def _record(
    kind: AuditKind, user: User | None, recipient: StatementRecipient, **facts: str
) -> None:
    cost_centre = recipient.cost_centre
    AuditEvent.objects.record(
        kind, user, recipient.project, email=recipient.email, cost_centre=cost_centre, **facts
    )


def _name(user: User) -> str:
    name = str(user)
    return (name if name == user.email else f"{name} ({user.email})")[:254]
