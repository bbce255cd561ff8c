"""Mail the statement of each closed month to the addresses that confirmed to get it."""

import csv
import io
from datetime import date, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from batchapp.models import MonthClosing, StatementRecipient
from batchapp.pipeline.runner import DueRows
from batchapp.services.mail import outbox
from batchapp.services.statements import closing, recipients, statement_lines
from batchapp.services.statements.part import Part
from batchapp.services.statements.sums import sum_by_each, total_of

MAX_ATTACHED = 5_000_000  # characters; many mail servers refuse e-mails of 10 MB
BOM = "\N{BYTE ORDER MARK}"  # by which Excel reads a CSV as UTF-8


def mail_statement(recipient: StatementRecipient) -> DueRows:
    """Leave the e-mail of the oldest month that is not mailed with the outbox, once.

    The address is due again for the next month. A month without a cost has no e-mail.
    """
    month = recipients.next_month(recipient)
    if month is None:
        recipient.rest()
        # A month that was closed meanwhile is seen here, or makes the address due itself.
        if recipients.next_month(recipient):
            recipients.make_due()
        return ()
    email = _email(recipient, month) if _is_wanted(recipient, month) else None
    with transaction.atomic():
        recipient.postpone(timedelta(), mailed_until=month)
        if email:
            outbox.keep(email)
            recipients.record_mailed(recipient, month)
    return [recipient]


def _is_wanted(recipient: StatementRecipient, month: date) -> bool:
    """Return False for a month that is long past, a deleted project, and no mail server."""
    is_gone = recipient.project is not None and recipient.project.deleted_at is not None
    return bool(settings.EMAIL_SERVER) and closing.is_news(month) and not is_gone


def _email(recipient: StatementRecipient, month: date) -> EmailMessage | None:
    """Return the e-mail with the figures and the lines; None if nothing was charged.

    It has no link but the one to unsubscribe, so that whoever reads it needs no account, and
    whoever gets it from the reader can open nothing.
    """
    part = recipients.part_of(recipient, month)
    by = ["project" if recipient.project is None else "cost_centre", "model", "person"]
    groups = sum_by_each(part, by)
    if not any(groups.values()):
        return None
    total = total_of(groups[by[0]])  # of models a batch has several
    lines = _csv(part)
    off_url = settings.PUBLIC_URL + reverse(
        "statement_mail_stop", args=[recipients.stop_token(recipient)]
    )
    context = {
        "recipient": recipient,
        "month": month,
        "closing": MonthClosing.objects.get(month=month),
        "total": total,
        "groups": list(groups.items()),
        "is_attached": len(lines) <= MAX_ATTACHED,
        "portal": settings.PUBLIC_URL,
        "off_url": off_url,
    }
    subject = render_to_string("batchapp/statements/mail_subject.txt", context)
    email = EmailMessage(
        " ".join(subject.split()),
        render_to_string("batchapp/statements/mail_text.txt", context),
        settings.DEFAULT_FROM_EMAIL,
        [recipient.email],
        headers={
            "List-Unsubscribe": f"<{off_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    if context["is_attached"]:
        name = recipient.project.slug if recipient.project else "cost-centre"
        email.attach(f"statement-{name}-{month:%Y-%m}.csv", lines, "text/csv")
    return email


def _csv(part: Part) -> str:
    """Return the lines as the page gives them, up to a little more than may be attached."""
    text = io.StringIO()
    text.write(BOM)
    writer = csv.writer(text)
    for row in statement_lines.csv_rows(part):
        writer.writerow(row)
        if text.tell() > MAX_ATTACHED:
            break
    return text.getvalue()
