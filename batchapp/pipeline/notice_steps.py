"""Deliver notices to people, and write the e-mails that wait for a person."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template.loader import render_to_string
from django.urls import reverse

from batchapp.models import Mailbox, Notice
from batchapp.pipeline import webhook_steps
from batchapp.pipeline.runner import DueRows
from batchapp.services.mail import outbox
from batchapp.services.notifications import deliver, email_links, mailboxes
from batchapp.services.notifications.mailboxes import Letter


def deliver_notice(notice: Notice) -> DueRows:
    """Store what each recipient gets, and the end of the delivery, or neither."""
    with transaction.atomic():
        endpoints = webhook_steps.fan_out_notice(notice)
        due = deliver.deliver(notice)
        notice.move_to(Notice.Status.DELIVERED)
    deliver.forget_old()
    return [*endpoints, *due]


def write_emails(mailbox: Mailbox) -> DueRows:
    """Leave the e-mails that are due with the outbox, once, and wait for the next ones."""
    with transaction.atomic():
        result = mailboxes.plan(mailbox)
        for letter in result.letters:
            outbox.keep(_email(letter))
        mailboxes.finish(mailbox, result)
    mailboxes.make_due_again(mailbox)
    return ()


def _email(letter: Letter) -> EmailMessage:
    """Return the e-mail of ``letter``; a program that reads mail can switch such ones off."""
    token = email_links.make_token(
        letter.person, email_links.ALL if letter.is_summary else letter.notices[0].kind
    )
    off_url = settings.PUBLIC_URL + reverse("notice_email_off", args=[token])
    context = {
        "letter": letter,
        "off_url": off_url,
        "preferences_url": settings.PUBLIC_URL + reverse("notice_preferences"),
        "inbox_url": settings.PUBLIC_URL + reverse("inbox_list"),
    }
    subject = render_to_string("batchapp/notifications/email_subject.txt", context)
    return EmailMessage(
        " ".join(subject.split()),
        render_to_string("batchapp/notifications/email_text.txt", context),
        settings.DEFAULT_FROM_EMAIL,
        [letter.person.email],
        headers={
            "List-Unsubscribe": f"<{off_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
