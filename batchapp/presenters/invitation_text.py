"""What pages and e-mails say of an invitation."""

from dataclasses import dataclass

from django.conf import settings
from django.urls import reverse

from batchapp.models import Invitation
from batchapp.presenters.mail_text import trouble_text
from batchapp.services.people.invitations import OpenInvitation


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """An invitation in a list, with its state in words; ``tone`` is a colour of the pages."""

    invitation: Invitation
    addressee: str
    state: str
    tone: str


def open_invitation(row: OpenInvitation) -> InvitationRow:
    state, tone = _state(row)
    invitation = row.invitation
    return InvitationRow(invitation, invitation.email or "Anybody with the link", state, tone)


def _state(row: OpenInvitation) -> tuple[str, str]:
    invitation = row.invitation
    if not row.counts:
        return f"no longer valid: {invitation.invited_by} may not invite any more", "warn"
    if invitation.is_expired:
        return "expired", "warn"
    if invitation.is_mailed and row.unsent:
        return f"not sent: {trouble_text(row.unsent.trouble, row.unsent.server_said)}", "warn"
    if invitation.is_mailed:
        return "sent by e-mail", "muted"
    if invitation.invitee_id:
        return "on their home page", "muted"
    return "waits for its link to be used", "muted"


def invitation_link(token: str) -> str:
    return f"{settings.PUBLIC_URL}{reverse('invitation_accept', args=[token])}"


def invitation_mail(invitation: Invitation, link: str) -> tuple[str, str]:
    """Return the subject and the text of the e-mail, the subject on one line."""
    inviter = _on_one_line(str(invitation.invited_by))
    place = _on_one_line(str(invitation.project or "the portal"))
    role = f" as {invitation.get_role_display().lower()}" if invitation.role else ""
    where = f"the project {place}{role}" if invitation.project else f"Batchapp at {_host()}"
    text = (
        f"{inviter} invites you to {where}.\n\n"
        f"Open this link to accept; it works once, for {_days(invitation.days)}:\n\n{link}\n\n"
        "If you did not expect this, do nothing: without the link nobody gets an account.\n"
    )
    return f"{inviter} invites you to {place}", text


def _host() -> str:
    return settings.PUBLIC_URL.partition("://")[2]


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


def _on_one_line(text: str) -> str:
    return " ".join(text.split())
