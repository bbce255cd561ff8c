"""Invite people to the portal or to a project, and answer invitations.

An invitation counts once, until it expires, and only while the person who made it may make it.
People invite in person, never by a portal key: what a stolen key gave would outlive the key.
"""

from datetime import timedelta
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Invitation,
    Membership,
    Notice,
    NoticeKind,
    OutgoingEmail,
    Project,
    User,
)
from batchapp.models.people.invitation import hash_of, make_token


class InvitationGone(Exception):
    """The invitation was used, revoked or declined, has expired or counts no longer."""


class OpenInvitation(NamedTuple):
    """``counts`` until the inviter loses the right to invite; ``unsent`` waits to be mailed."""

    invitation: Invitation
    counts: bool
    unsent: OutgoingEmail | None


class AddressTaken(Exception):
    """Somebody has an account with the address; nothing was written."""


def invite_to_project(
    project: Project, user: User, *, role: str, email: str, days: int
) -> tuple[Invitation, str]:
    """Return an invitation to ``project`` and the token of its link, which is stored nowhere.

    An invitation of the same address to the same project that is still open is revoked.

    Raises:
        Refused: the address of ``user``, who may have taken an invitation of another person, is
            not verified; nothing was written.
    """
    access.require_manage_in_person(user, project)
    if not user.has_verified_address:
        raise Refused(Refusal.ADDRESS_NOT_CONFIRMED, email=user.email)
    return _invite(project, user, role=role, email=email, days=days)


def invite_to_portal(user: User, *, email: str, days: int) -> tuple[Invitation, str]:
    """Return an invitation to the portal alone, and the token of its link."""
    access.require_administer(user)
    return _invite(None, user, role="", email=email, days=days)


def _invite(
    project: Project | None, user: User, *, role: str, email: str, days: int
) -> tuple[Invitation, str]:
    now, token = timezone.now(), make_token()
    email = email.strip().lower()
    with transaction.atomic():
        if email:
            earlier = Invitation.objects.unanswered().filter(project=project, email=email)
            earlier.update(revoked_at=now)
        invitation = Invitation.objects.create(
            project=project,
            role=role,
            email=email,
            invitee=_person_with(email) if email else None,
            invited_by=user,
            token_hash=hash_of(token),
            days=days,
            expires_at=now + timedelta(days=days),
        )
        _record(AuditKind.INVITATION_MADE, user, invitation)
        if invitation.invitee:
            Notice.objects.record(
                NoticeKind.INVITED,
                project,
                person=invitation.invitee,
                inviter=str(user),
                role=invitation.get_role_display().lower(),
            )
    return invitation, token


def _person_with(email: str) -> User | None:
    """Return the person who reads the mailbox of ``email``, as far as that is proven."""
    user = User.objects.people().filter(email=email, is_active=True).first()
    return user if user and user.has_verified_address else None


def renew_link(invitation: Invitation, user: User) -> str:
    """Return the token of a new link; the old link is dead, and ``user`` now answers for it.

    Raises:
        InvitationGone: it was answered or revoked meanwhile; nothing was written.
    """
    _require_right(invitation, user)
    token = make_token()
    with transaction.atomic():
        rows = Invitation.objects.unanswered().filter(pk=invitation.pk)
        changed = rows.update(
            token_hash=hash_of(token),
            is_mailed=False,
            invited_by=user,
            expires_at=timezone.now() + timedelta(days=invitation.days),
        )
        if not changed:
            raise InvitationGone
        _record(AuditKind.INVITATION_RENEWED, user, invitation)
    return token


def mark_mailed(invitation: Invitation, user: User) -> None:
    """Note that the link went to the address of the invitation, and was shown to nobody.

    A link that was renewed meanwhile is another one, which somebody has seen.
    """
    _require_right(invitation, user)
    same_link = Invitation.objects.filter(pk=invitation.pk, token_hash=invitation.token_hash)
    same_link.update(is_mailed=True)


def revoke(invitation: Invitation, user: User) -> bool:
    """Revoke the invitation; return False if it was answered or revoked before."""
    _require_right(invitation, user)
    with transaction.atomic():
        rows = Invitation.objects.unanswered().filter(pk=invitation.pk)
        if not rows.update(revoked_at=timezone.now()):
            return False
        _record(AuditKind.INVITATION_REVOKED, user, invitation)
    return True


def list_open(project: Project | None, user: User) -> list[OpenInvitation]:
    """Return the invitations without an answer, the newest first.

    An invitation that has expired is listed, too: a new link makes it count again.
    """
    _require_inviter(project, user)
    queryset = Invitation.objects.unanswered().filter(project=project)
    rows = list(queryset.select_related("project", "invited_by"))
    of_each_inviter = {row.invited_by_id: row for row in rows}
    is_counted = {inviter: counts(row) for inviter, row in of_each_inviter.items()}
    unsent = OutgoingEmail.objects.filter(recipient__in=[row.email for row in rows if row.email])
    troubles = {email.recipient: email for email in unsent.exclude(trouble="")}
    return [
        OpenInvitation(row, is_counted[row.invited_by_id], troubles.get(row.email)) for row in rows
    ]


def find_invitation(token: str) -> Invitation | None:
    """Return the invitation of a link, if it counts."""
    rows = Invitation.objects.pending(timezone.now()).select_related("project", "invited_by")
    invitation = rows.filter(token_hash=hash_of(token)).first()
    return invitation if invitation and counts(invitation) else None


def invitations_of(user: User) -> list[Invitation]:
    """Return the invitations that wait for an answer of ``user``, the newest first."""
    rows = Invitation.objects.pending(timezone.now()).filter(invitee=user.pk)
    rows = rows.exclude(project__in=user.memberships.values("project"))
    return [row for row in rows.select_related("project", "invited_by") if counts(row)]


def counts(invitation: Invitation) -> bool:
    """Return True if the person who made the invitation may still make it."""
    inviter = User.objects.get(pk=invitation.invited_by_id)  # as the row is now
    if invitation.project:
        return access.can_manage(inviter, invitation.project)
    return access.can_administer(inviter)


def accept(invitation: Invitation, user: User) -> None:
    """Give ``user`` the role; whoever has one in the project already keeps it.

    Raises:
        InvitationGone: it counts no longer, or not for ``user``; nothing was written.
    """
    if not user.is_active or not invitation.is_for(user):
        raise InvitationGone
    with transaction.atomic():
        _use(invitation, user)


def accept_as_new_person(
    invitation: Invitation, *, email: str, password: str, first_name: str, last_name: str
) -> User:
    """Create a person with the address of the invitation, else with ``email``, and the role.

    The address counts as verified if the link was sent there, or if an administrator named it.
    An owner who names an address and then opens the link proves nothing.

    Raises:
        InvitationGone: it counts no longer; nothing was written.
        AddressTaken: nothing was written, and the invitation still counts.
    """
    names = {"first_name": first_name, "last_name": last_name}
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                invitation.email or email,
                password,
                is_verified=_proves_address(invitation),
                **names,
            )
            _use(invitation, user)
    except IntegrityError as exc:
        raise AddressTaken from exc
    return user


def _proves_address(invitation: Invitation) -> bool:
    inviter = User.objects.get(pk=invitation.invited_by_id)
    return bool(invitation.email) and (invitation.is_mailed or access.can_administer(inviter))


def decline(invitation: Invitation, user: User) -> None:
    """Decline an invitation that ``user`` was asked by.

    Raises:
        InvitationGone: it counts no longer, or not for ``user``; nothing was written.
    """
    if invitation.invitee_id != user.pk:
        raise InvitationGone
    rows = Invitation.objects.pending(timezone.now()).filter(pk=invitation.pk)
    with transaction.atomic():
        if not rows.update(declined_at=timezone.now()):
            raise InvitationGone
        _record(AuditKind.INVITATION_DECLINED, user, invitation)


def _use(invitation: Invitation, user: User) -> None:
    """Mark the invitation as used and give the role; of several calls at once one succeeds."""
    now = timezone.now()
    same_link = Invitation.objects.pending(now).filter(
        pk=invitation.pk, token_hash=invitation.token_hash
    )
    if not same_link.update(accepted_at=now, accepted_by=user) or not counts(invitation):
        raise InvitationGone
    if invitation.project:
        Membership.objects.get_or_create(
            project=invitation.project, user=user, defaults={"role": invitation.role}
        )
    _record(AuditKind.INVITATION_ACCEPTED, user, invitation)


def _require_right(invitation: Invitation, user: User) -> None:
    _require_inviter(invitation.project, user)


def _require_inviter(project: Project | None, user: User) -> None:
    if project:
        access.require_manage_in_person(user, project)
    else:
        access.require_administer(user)


def _record(kind: AuditKind, user: User, invitation: Invitation) -> None:
    AuditEvent.objects.record(
        kind,
        user,
        invitation.project,
        invitation=str(invitation.pk),
        email=invitation.email,
        role=invitation.role,
        invited_by=invitation.invited_by.email,
    )
