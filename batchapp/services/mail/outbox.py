"""Keep each e-mail until the mail server has taken it, so that no page waits for that server.

Without a mail server the text goes to the log, and an administrator can read it for a week.
"""

import logging
import smtplib
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from batchapp.access import Actor, require_administer
from batchapp.models import AuditEvent, AuditKind, OutgoingEmail, User

logger = logging.getLogger(__name__)

KEPT = timedelta(days=7)
# After each attempt; a server that is away longer than all of them together, which is more than
# a day, is given up.
WAITS = [timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240, 720, 720)]
PER_RUN = 50
SHOWN = 100  # e-mails that the page about e-mail lists
RUN_SECONDS = 5.0  # after which a run begins no further attempt, so that other work goes on
PROBE_PAUSE = timedelta(minutes=1)  # at most, before an e-mail that is new tries a silent server
# Keeps programs that answer e-mails, such as those of people on leave, from answering ours.
AUTOMATIC = {"Auto-Submitted": "auto-generated"}
Trouble = OutgoingEmail.Trouble


class NotSent(Exception):
    """The mail server did not take the e-mail; ``said`` is its answer, or what the system said."""

    def __init__(self, trouble: OutgoingEmail.Trouble, said: str, *, is_final: bool) -> None:
        super().__init__(said)
        self.trouble = trouble
        self.said = said
        self.is_final = is_final


def keep(message: EmailMessage) -> None:
    """Store one e-mail for each recipient, to be sent soon by a worker."""
    has_server = bool(settings.EMAIL_SERVER)
    for recipient in message.recipients():
        email = OutgoingEmail(recipient=recipient[:254], subject=_said(str(message.subject))[:500])
        email.text = str(message.body)
        email.headers = dict(message.extra_headers)
        email.trouble = "" if has_server else Trouble.NO_SERVER
        email.next_attempt_at = _first_attempt_at() if has_server else None
        with transaction.atomic():
            email.save()
            _keep_attachments(email, message)
        if not has_server:
            logger.info(
                "There is no mail server, so this e-mail was not sent.\nTo: %s\nSubject: %s\n\n%s",
                recipient,
                email.subject,
                message.body,
            )


def _keep_attachments(email: OutgoingEmail, message: EmailMessage) -> None:
    """Store the attachments of ``message``, which are texts, each with a name and a type."""
    for name, content, content_type in message.attachments:
        email.attachments.create(name=name, content=content, content_type=content_type)


def _first_attempt_at() -> datetime:
    """Return when a new e-mail is tried: now, unless others wait for a server that is away."""
    now = timezone.now()
    waiting = OutgoingEmail.objects.waiting_for_server(now).order_by("next_attempt_at")
    probe = waiting.values_list("next_attempt_at", flat=True).first()
    return min(probe, now + PROBE_PAUSE) if probe else now


def is_due() -> bool:
    """Return True if there is something to send, and no worker sends already.

    One worker at a time waits for the mail server, so that others go on with batches.
    """
    now = timezone.now()
    emails = OutgoingEmail.objects.all()
    return emails.due(now).exists() and not emails.under_way(now).exists()


def send_due() -> None:
    """Send the e-mails that are due, and forget those that are older than a week.

    If the server does not answer, it is not asked for the other e-mails: all wait. As soon as it
    has taken an e-mail again, all of them are due.
    """
    began, now = time.monotonic(), timezone.now()
    OutgoingEmail.objects.filter(created_at__lt=now - KEPT).delete()
    for email in OutgoingEmail.objects.due(now).order_by("next_attempt_at")[:PER_RUN]:
        if not email.claim(timezone.now()):
            continue
        trouble = _attempt(email)
        if trouble in OutgoingEmail.OF_SERVER:
            _let_others_wait(email)
            return
        if not trouble:
            now = timezone.now()
            OutgoingEmail.objects.waiting_for_server(now).update(next_attempt_at=now)
        if time.monotonic() - began > RUN_SECONDS:
            return


def _attempt(email: OutgoingEmail) -> str:
    """Try ``email`` once; return the trouble, or "" if the server took the e-mail."""
    try:
        attached = email.attachments.values_list("name", "content", "content_type")
        _send(email.recipient, email.subject, email.text, email.headers, list(attached))
    except NotSent as exc:
        logger.warning("The e-mail %s was not sent: %s", email.pk, exc.said)
        is_over = exc.is_final or email.attempts > len(WAITS)
        email.trouble, email.server_said = exc.trouble, exc.said[:500]
        email.next_attempt_at = None if is_over else timezone.now() + WAITS[email.attempts - 1]
        email.claimed_until = None
        email.save(update_fields=["trouble", "server_said", "next_attempt_at", "claimed_until"])
        return exc.trouble
    email.delete()
    return ""


def _let_others_wait(email: OutgoingEmail) -> None:
    """Count the attempt that failed for ``email`` for all e-mails that are due as well."""
    now = timezone.now()
    failed = {"trouble": email.trouble, "server_said": email.server_said}
    due = OutgoingEmail.objects.due(now)
    due.filter(attempts__gte=len(WAITS)).update(
        **failed, attempts=F("attempts") + 1, next_attempt_at=None
    )
    for attempts, wait in enumerate(WAITS):
        due.filter(attempts=attempts).update(
            **failed, attempts=attempts + 1, next_attempt_at=now + wait
        )


def unsent(actor: Actor) -> list[OutgoingEmail]:
    """Return the newest ``SHOWN`` e-mails of the last week that the mail server has not taken."""
    require_administer(actor)
    return list(_of_last_week()[:SHOWN])


def count_unsent(actor: Actor) -> int:
    """Count the e-mails of the last week that the mail server has not taken."""
    require_administer(actor)
    return _of_last_week().count()


def _of_last_week() -> QuerySet[OutgoingEmail]:
    return OutgoingEmail.objects.filter(created_at__gt=timezone.now() - KEPT)


def read(actor: User, pk: UUID) -> OutgoingEmail:
    """Return one e-mail with its text, and record that it was read: it may hold a link to sign in.

    Raises:
        OutgoingEmail.DoesNotExist: it was sent meanwhile, or is older than a week.
    """
    require_administer(actor)
    email = OutgoingEmail.objects.get(pk=pk)
    AuditEvent.objects.record(
        AuditKind.EMAIL_READ, actor, recipient=email.recipient, subject=email.subject
    )
    return email


def try_again(actor: User) -> int:
    """Let a worker try all e-mails again now; return how many."""
    require_administer(actor)
    if not settings.EMAIL_SERVER:
        return 0
    now = timezone.now()
    # What is under way may be taken at this moment, and would be sent twice.
    waiting = _of_last_week().exclude(claimed_until__gt=now)
    return waiting.update(next_attempt_at=now, attempts=0)


def send_test(actor: User) -> None:
    """Send an e-mail to the administrator who asks, at once.

    Raises:
        NotSent: the server did not take it, or there is none.
    """
    require_administer(actor)
    if not settings.EMAIL_SERVER:
        raise NotSent(Trouble.NO_SERVER, "", is_final=True)
    _send(
        actor.email,
        "A test from Batchapp",
        f"The portal at {settings.PUBLIC_URL} can send e-mails.\n",
        {},
    )


def _send(
    recipient: str,
    subject: str,
    text: str,
    headers: dict[str, str],
    attachments: Sequence[tuple[str, str, str]] = (),
) -> None:
    """Hand one e-mail to the mail server.

    Raises:
        NotSent: it did not take the e-mail.
    """
    if not settings.EMAIL_SERVER:
        raise NotSent(Trouble.NO_SERVER, "", is_final=True)
    server = EmailBackend(**settings.EMAIL_SERVER)
    try:
        EmailMessage(
            subject,
            text,
            settings.DEFAULT_FROM_EMAIL,
            [recipient],
            connection=server,
            headers=AUTOMATIC | headers,
            attachments=attachments,
        ).send()
    except smtplib.SMTPAuthenticationError as exc:
        raise NotSent(Trouble.SIGN_IN_REFUSED, _said(exc.smtp_error), is_final=False) from exc
    except smtplib.SMTPRecipientsRefused as exc:
        code, answer = next(iter(exc.recipients.values()))
        said = _said(answer)
        raise NotSent(Trouble.RECIPIENT_REFUSED, said, is_final=code >= 500) from exc
    except smtplib.SMTPSenderRefused as exc:
        raise NotSent(Trouble.SENDER_REFUSED, _said(exc.smtp_error), is_final=False) from exc
    except smtplib.SMTPServerDisconnected as exc:
        raise NotSent(Trouble.UNREACHABLE, str(exc), is_final=False) from exc
    except smtplib.SMTPResponseException as exc:
        is_final = exc.smtp_code >= 500
        raise NotSent(Trouble.REFUSED, _said(exc.smtp_error), is_final=is_final) from exc
    except smtplib.SMTPException as exc:  # such as a server without TLS
        raise NotSent(Trouble.REFUSED, str(exc), is_final=False) from exc
    except UnicodeError as exc:  # the address cannot be written, so no server is asked
        raise NotSent(Trouble.RECIPIENT_REFUSED, "", is_final=True) from exc
    except OSError as exc:
        raise NotSent(Trouble.UNREACHABLE, exc.strerror or str(exc), is_final=False) from exc
    finally:
        with suppress(smtplib.SMTPException, OSError):
            server.close()  # Django leaves it open after some errors


def _said(answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return " ".join(text.split())
