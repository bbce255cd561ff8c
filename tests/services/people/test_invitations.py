"""An invitation counts once, for the right person, and only while the inviter may invite."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.db import connection
from django.utils import timezone

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    Invitation,
    Membership,
    Notice,
    NoticeKind,
    Project,
    User,
)
from batchapp.services.people import invitations
from batchapp.services.people.invitations import AddressTaken, InvitationGone
from tests.make import (
    EDITOR,
    OWNER,
    PASSWORD,
    VIEWER,
    join,
    make_administrator,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_user("olga@example.com")


@pytest.fixture
def team(owner: User) -> Project:
    return make_project(owner, role=OWNER)


def invite(
    team: Project, owner: User, email: str = "", role: str = EDITOR
) -> tuple[Invitation, str]:
    return invitations.invite_to_project(team, owner, role=role, email=email, days=7)


def make_account(invitation: Invitation, email: str = "new@example.com") -> User:
    return invitations.accept_as_new_person(
        invitation, email=email, password=PASSWORD, first_name="Nina", last_name="New"
    )


def role_of(user: User, project: Project) -> str:
    return Membership.objects.get(user=user, project=project).role


def test_whoever_has_an_account_with_a_proven_address_is_told_in_the_portal(
    team: Project, owner: User
) -> None:
    proven, unproven = make_user("proven@example.com"), make_user("unproven@example.com")
    EmailAddress.objects.filter(user=unproven).update(verified=False)

    for email in (proven.email, unproven.email, "nobody@example.com", ""):
        invite(team, owner, email=email, role=VIEWER)

    notice = Notice.objects.get()
    assert (notice.kind, notice.project, notice.person) == (NoticeKind.INVITED, team, proven)
    assert notice.data == {"inviter": str(owner), "role": "viewer"}


def test_a_link_makes_an_account_with_its_role_once(team: Project, owner: User) -> None:
    _, token = invite(team, owner, role=VIEWER)
    invitation = invitations.find_invitation(token)
    assert invitation

    user = make_account(invitation)

    assert user.check_password(PASSWORD)
    assert (user.get_full_name(), role_of(user, team)) == ("Nina New", "viewer")
    assert (user.is_superuser, user.is_staff, user.is_auditor) == (False, False, False)
    assert invitations.find_invitation(token) is None
    with pytest.raises(InvitationGone):
        make_account(invitation, "another@example.com")
    assert not User.objects.filter(email="another@example.com").exists()


def test_the_token_is_stored_nowhere(team: Project, owner: User) -> None:
    invitation, token = invite(team, owner)
    renewed = invitations.renew_link(invitation, owner)

    rows = [*Invitation.objects.values(), *AuditEvent.objects.values()]

    assert len(token) == len(renewed) == 43  # 256 random bits
    assert token not in str(rows)
    assert renewed not in str(rows)


def test_a_person_with_an_account_accepts(team: Project, owner: User) -> None:
    bob = make_user("bob@example.com")
    invitation, token = invite(team, owner, "Bob@Example.com")
    assert invitations.invitations_of(bob) == [invitation]

    invitations.accept(invitation, bob)

    assert role_of(bob, team) == EDITOR
    assert invitations.invitations_of(bob) == []
    assert invitations.find_invitation(token) is None


def test_whoever_has_a_role_keeps_it(team: Project, owner: User) -> None:
    bob = make_user("bob@example.com")
    invitation, _ = invite(team, owner, bob.email, role=OWNER)
    join(bob, team, VIEWER)

    invitations.accept(invitation, bob)

    assert role_of(bob, team) == VIEWER


def test_an_invitation_of_an_address_is_for_nobody_else(team: Project, owner: User) -> None:
    invitation, _ = invite(team, owner, "bob@example.com")
    eve = make_user("eve@example.com")

    for answer in (invitations.accept, invitations.decline):
        with pytest.raises(InvitationGone):
            answer(invitation, eve)
    assert make_account(invitation, "eve@evil.test").email == "bob@example.com"


def test_a_link_for_anybody_is_declined_by_nobody(team: Project, owner: User) -> None:
    invitation, token = invite(team, owner)

    with pytest.raises(InvitationGone):
        invitations.decline(invitation, make_user())
    assert invitations.find_invitation(token)


def test_whoever_takes_an_address_later_is_not_asked_without_the_link(
    team: Project, owner: User
) -> None:
    invite(team, owner, "bob@example.com")

    assert invitations.invitations_of(make_user("bob@example.com")) == []


def test_a_declined_invitation_is_over(team: Project, owner: User) -> None:
    bob = make_user("bob@example.com")
    invitation, token = invite(team, owner, bob.email)

    invitations.decline(invitation, bob)

    assert invitations.find_invitation(token) is None
    with pytest.raises(InvitationGone):
        invitations.accept(invitation, bob)
    with pytest.raises(InvitationGone):
        invitations.renew_link(invitation, owner)
    assert not invitations.revoke(invitation, owner)


def expire(invitation: Invitation, owner: User) -> None:
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now())


def revoke(invitation: Invitation, owner: User) -> None:
    assert invitations.revoke(invitation, owner)


def renew(invitation: Invitation, owner: User) -> None:
    invitations.renew_link(invitation, owner)


def invite_again(invitation: Invitation, owner: User) -> None:
    assert invitation.project
    invite(invitation.project, owner, invitation.email)


def demote(invitation: Invitation, owner: User) -> None:
    Membership.objects.filter(user=owner).update(role=EDITOR)


def remove(invitation: Invitation, owner: User) -> None:
    Membership.objects.filter(user=owner).delete()


def deactivate(invitation: Invitation, owner: User) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)


ENDS = [expire, revoke, renew, invite_again, demote, remove, deactivate]


@pytest.mark.parametrize("end", ENDS)
def test_a_link_that_counts_no_longer_makes_nobody_a_member(
    team: Project, owner: User, end: Callable[[Invitation, User], None]
) -> None:
    bob = make_user("bob@example.com")
    invitation, token = invite(team, owner, bob.email)

    end(invitation, owner)

    assert invitations.find_invitation(token) is None
    if end not in {renew, invite_again}:  # both leave one that counts
        assert invitations.invitations_of(bob) == []
    for answer in (make_account, lambda row: invitations.accept(row, bob)):
        with pytest.raises((InvitationGone, AddressTaken)):
            answer(invitation)
    assert not Membership.objects.filter(user=bob).exists()
    assert User.objects.count() == 2


def test_a_renewed_link_counts_from_now_and_for_who_renewed_it(team: Project, owner: User) -> None:
    invitation, _ = invite(team, owner)
    expire(invitation, owner)
    demote(invitation, owner)
    other = join(make_user(), team, OWNER)

    renewed = invitations.find_invitation(invitations.renew_link(invitation, other))

    assert renewed == invitation
    assert renewed.expires_at > timezone.now() + timedelta(days=6)
    assert make_account(renewed).memberships.get().project == team


def test_an_address_that_has_an_account_leaves_the_invitation_open(
    team: Project, owner: User
) -> None:
    invitation, token = invite(team, owner)
    bob = make_user("bob@example.com")

    with pytest.raises(AddressTaken):
        make_account(invitation, "BOB@example.com")

    assert invitations.find_invitation(token)
    assert bob.check_password(PASSWORD)


def test_a_deactivated_person_accepts_nothing(team: Project, owner: User) -> None:
    bob = make_user("bob@example.com")
    invitation, _ = invite(team, owner, bob.email)
    bob.is_active = False
    bob.save()

    with pytest.raises(InvitationGone):
        invitations.accept(invitation, bob)


def test_an_invitation_to_the_portal_gives_no_project_and_no_right() -> None:
    administrator = make_administrator()
    invitation, token = invitations.invite_to_portal(administrator, email="", days=1)

    user = make_account(invitation)

    assert not user.memberships.exists()
    assert not user.is_superuser
    _, second = invitations.invite_to_portal(administrator, email="", days=1)
    User.objects.filter(pk=administrator.pk).update(is_superuser=False, is_staff=False)
    assert invitations.find_invitation(second) is None
    assert invitations.find_invitation(token) is None


def test_what_was_done_is_recorded(team: Project, owner: User) -> None:
    bob = make_user("bob@example.com")
    invitation, _ = invite(team, owner, bob.email)
    invitations.renew_link(invitation, owner)
    invitation.refresh_from_db()
    invitations.accept(invitation, bob)
    second, _ = invite(team, owner, "eve@example.com")
    invitations.revoke(second, owner)

    events = AuditEvent.objects.filter(project=team).order_by("pk")

    assert [(event.kind, event.actor_name, event.data["email"]) for event in events] == [
        ("invitation_made", "olga@example.com", "bob@example.com"),
        ("invitation_renewed", "olga@example.com", "bob@example.com"),
        ("invitation_accepted", "bob@example.com", "bob@example.com"),
        ("invitation_made", "olga@example.com", "eve@example.com"),
        ("invitation_revoked", "olga@example.com", "eve@example.com"),
    ]


def at_once(*calls: Callable[[], object]) -> list[str]:
    """Make the calls at the same time; return the name of what each raised, "" for nothing."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> str:
        start.wait(60)
        try:
            call()
        except (InvitationGone, AddressTaken) as exc:
            return type(exc).__name__
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(len(calls)) as threads:
        return sorted(threads.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_of_two_who_accept_at_once_one_gets_in(team: Project, owner: User) -> None:
    invitation, _ = invite(team, owner)
    ada, bob = make_user("ada@example.com"), make_user("bob@example.com")

    outcomes = at_once(
        lambda: invitations.accept(invitation, ada),
        lambda: invitations.accept(invitation, bob),
        lambda: make_account(invitation, "new@example.com"),
    )

    assert outcomes == ["", "InvitationGone", "InvitationGone"]
    assert team.memberships.count() == 2
    assert User.objects.count() <= 4


@pytest.mark.django_db(transaction=True)
def test_a_second_click_makes_no_second_person(team: Project, owner: User) -> None:
    invitation, _ = invite(team, owner, "new@example.com")

    outcomes = at_once(lambda: make_account(invitation), lambda: make_account(invitation))

    assert outcomes[0] == ""
    assert outcomes[1] in {"InvitationGone", "AddressTaken"}
    assert User.objects.filter(email="new@example.com").count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_invitation_is_accepted_or_revoked_and_never_both(team: Project, owner: User) -> None:
    bob = make_user("bob@example.com")
    invitation, _ = invite(team, owner, bob.email)

    at_once(
        lambda: invitations.accept(invitation, bob),
        lambda: invitations.revoke(invitation, owner),
    )

    invitation.refresh_from_db()
    assert (invitation.accepted_at is None) != (invitation.revoked_at is None)
    assert team.memberships.filter(user=bob).exists() == bool(invitation.accepted_at)


@pytest.mark.parametrize(
    ("email", "is_mailed", "is_by_administrator", "is_verified"),
    [
        ("nina@example.com", True, False, True),
        ("nina@example.com", False, True, True),
        ("nina@example.com", False, False, False),  # an owner may have opened the link
        ("", False, True, False),
    ],
)
def test_an_address_is_verified_if_the_link_was_sent_there_or_an_administrator_named_it(
    team: Project,
    owner: User,
    email: str,
    is_mailed: bool,
    is_by_administrator: bool,
    is_verified: bool,
) -> None:
    if is_by_administrator:
        owner.is_superuser = owner.is_staff = True
        owner.save()
    invitation, _ = invite(team, owner, email)
    if is_mailed:
        invitations.mark_mailed(invitation, owner)
        invitation.refresh_from_db()

    user = make_account(invitation, "nina@example.com")

    assert user.has_verified_address == is_verified
    assert user.email == "nina@example.com"


def test_nobody_with_an_unproven_address_invites_others(team: Project) -> None:
    """Whoever took the link of another person must not stay by an account of their own."""
    eve = User.objects.create_user("eve@example.com", PASSWORD, is_verified=False)
    join(eve, team, OWNER)

    with pytest.raises(Refused) as refused:
        invite(team, eve, "eve2@example.com")

    assert refused.value.code == Refusal.ADDRESS_NOT_CONFIRMED
    assert not Invitation.objects.exists()


def test_a_link_that_was_shown_while_the_e_mail_was_sent_proves_no_address(
    team: Project, owner: User
) -> None:
    invitation, _ = invite(team, owner, "nina@example.com")
    renewed = invitations.renew_link(Invitation.objects.get(pk=invitation.pk), owner)
    invitations.mark_mailed(invitation, owner)
    shown = invitations.find_invitation(renewed)
    assert shown

    assert not make_account(shown).has_verified_address


def test_a_link_that_was_shown_after_the_e_mail_proves_no_address(
    team: Project, owner: User
) -> None:
    invitation, _ = invite(team, owner, "nina@example.com")
    invitations.mark_mailed(invitation, owner)
    renewed = invitations.find_invitation(invitations.renew_link(invitation, owner))
    assert renewed

    assert not make_account(renewed).has_verified_address


def test_nobody_with_an_unproven_address_is_asked_for_another(team: Project, owner: User) -> None:
    eve = User.objects.create_user("bob@example.com", PASSWORD, is_verified=False)

    invitation, _ = invite(team, owner, "bob@example.com")

    assert invitation.invitee is None
    assert invitations.invitations_of(eve) == []
