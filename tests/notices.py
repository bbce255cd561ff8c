"""Record and deliver notices as the portal does."""

from collections.abc import Mapping
from typing import Any

from batchapp.models import Batch, Mailbox, Notice, NoticeKind, OutgoingEmail, Project, User
from batchapp.services.mail import outbox
from tests.steps import advance

ENDED: Mapping[str, Any] = {
    "name": "Reviews",
    "state": "with_errors",
    "requests": 10_000,
    "usable": 9_871,
    "doubtful": 0,
    "failed": 102,
    "missing": 27,
    "cancelled": 0,
    "cost": "0.69",
    "unpriced": 0,
    "is_minimum": False,
    "estimate": "4.88",
    "is_sandbox": False,
    "cancelled_by": None,
}
BUDGET: Mapping[str, Any] = {
    "budget_name": "November",
    "amount": "100.00",
    "spent": "75.00",
    "reserved": "6.00",
    "month": "2026-11-01",
    "level": 80,
}


def record(
    kind: NoticeKind,
    project: Project | None,
    *,
    batch: Batch | None = None,
    person: User | None = None,
    **data: Any,
) -> Notice:
    notice = Notice.objects.record(kind, project, batch=batch, person=person, **data)
    assert notice is not None
    return notice


def record_end(batch: Batch, **data: Any) -> Notice:
    """Record that ``batch`` is over, as its settling does."""
    return record(
        NoticeKind.BATCH_FINISHED,
        batch.project,
        batch=batch,
        **{**ENDED, "name": batch.name} | data,
    )


def deliver(*notices: Notice) -> None:
    """Run the step of each notice, and write the e-mails that are due then."""
    for notice in notices:
        advance(notice)
        notice.refresh_from_db()
        assert notice.status == Notice.Status.DELIVERED
    write_emails()


def write_emails() -> None:
    for mailbox in Mailbox.objects.exclude(next_check_at=None):
        advance(mailbox)


def emails_to(person: User) -> list[OutgoingEmail]:
    return list(OutgoingEmail.objects.filter(recipient=person.email).order_by("created_at"))


def let_out() -> None:
    """Send what is due, as often as a worker would in a row."""
    while outbox.is_due():
        outbox.send_due()
