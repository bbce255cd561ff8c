"""Members get their roles from owners, a project keeps an owner, and each change is recorded."""

from contextlib import suppress

import pytest

from batchapp import access
from batchapp.access import NotAllowed
from batchapp.models import AuditEvent, AuditKind, Membership, Project, User
from batchapp.services.portal_keys.authenticate import authenticate
from batchapp.services.projects import members
from tests.make import EDITOR, OWNER, VIEWER, join, make_portal_key, make_project, make_user
from tests.steps import race

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_user("owner@example.com")


@pytest.fixture
def team(owner: User) -> Project:
    return make_project(owner, role=OWNER)


@pytest.fixture
def editor(team: Project) -> Membership:
    return join(make_user("grace@example.com"), team, EDITOR).memberships.get()


def test_a_changed_role_is_recorded_with_both_roles(
    team: Project, owner: User, editor: Membership
) -> None:
    assert members.set_role(editor, owner, VIEWER)

    event = AuditEvent.objects.get()
    assert (event.kind, event.actor, event.project) == (AuditKind.ROLE_CHANGED, owner, team)
    assert event.data == {"person": "grace@example.com", "before": "editor", "after": "viewer"}


def test_the_same_role_again_is_no_change(owner: User, editor: Membership) -> None:
    assert members.set_role(editor, owner, EDITOR)

    assert not AuditEvent.objects.exists()


def test_an_editor_changes_no_role(owner: User, editor: Membership) -> None:
    with pytest.raises(NotAllowed):
        members.set_role(editor, editor.user, OWNER)

    editor.refresh_from_db()
    assert editor.role == EDITOR
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("way", ["removed", "left", "handed over"])
def test_whoever_comes_back_finds_no_old_portal_key_that_works(
    team: Project, owner: User, editor: Membership, way: str
) -> None:
    person = editor.user
    if way == "handed over":
        editor.role = OWNER
        editor.save()
    secret = make_portal_key(person, team).secret
    others = make_portal_key(owner, team).secret

    if way == "removed":
        assert members.remove_member(editor, owner)
    elif way == "left":
        assert members.leave(team, person)
    else:
        assert members.transfer(owner.memberships.get(), person, "")
    join(person, team, EDITOR)

    assert authenticate(secret, address="192.0.2.1") is None
    assert authenticate(others, address="192.0.2.1")


def test_the_audit_keeps_the_name_of_a_deleted_person(owner: User, editor: Membership) -> None:
    members.set_role(editor, owner, OWNER)
    owner.delete()

    event = AuditEvent.objects.get()
    assert event.actor_name == event.actor_email == "owner@example.com"


def owners(project: Project) -> set[str]:
    rows = project.memberships.filter(role=OWNER, user__is_active=True)
    return set(rows.values_list("user__email", flat=True))


def test_every_member_may_leave_and_the_last_owner_may_not(
    team: Project, owner: User, editor: Membership
) -> None:
    assert not members.leave(team, owner)
    assert members.leave(team, editor.user)

    assert owners(team) == {"owner@example.com"}
    event = AuditEvent.objects.get()
    assert (event.kind, event.data) == (
        AuditKind.MEMBER_LEFT,
        {"person": "grace@example.com", "role": "editor"},
    )


def test_a_deactivated_owner_does_not_let_the_last_active_one_go(
    team: Project, owner: User
) -> None:
    join(make_user(is_active=False), team, OWNER)

    assert not members.leave(team, owner)
    assert not members.set_role(team.memberships.get(user=owner), owner, EDITOR)
    assert owners(team) == {"owner@example.com"}


def test_who_lost_the_right_meanwhile_changes_nobody(
    team: Project, owner: User, editor: Membership
) -> None:
    second = join(make_user(), team, OWNER)
    access.keep_memberships(second)
    assert access.can_manage(second, team)
    members.set_role(team.memberships.get(user=second), owner, VIEWER)

    with pytest.raises(NotAllowed):
        members.set_role(editor, second, OWNER)

    assert owners(team) == {"owner@example.com"}


@pytest.mark.parametrize("own_role", [EDITOR, VIEWER, ""])
def test_a_transfer_makes_one_owner_of_another(
    team: Project, owner: User, editor: Membership, own_role: str
) -> None:
    assert members.transfer(editor, owner, own_role)

    assert owners(team) == {"grace@example.com"}
    assert access.role_in(owner, team) == own_role
    event = AuditEvent.objects.get()
    assert event.kind == AuditKind.PROJECT_TRANSFERRED
    assert event.data == {"person": "grace@example.com", "own_role": own_role}


def test_nobody_transfers_to_themselves_or_to_somebody_deactivated(
    team: Project, owner: User, editor: Membership
) -> None:
    User.objects.filter(pk=editor.user_id).update(is_active=False)

    assert not members.transfer(editor, owner, VIEWER)
    assert not members.transfer(team.memberships.get(user=owner), owner, VIEWER)

    assert owners(team) == {"owner@example.com"}
    assert not AuditEvent.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_owners_who_demote_each_other_at_once_leave_one(team: Project, owner: User) -> None:
    others = [join(make_user(), team, OWNER) for _ in range(2)]
    people = [owner, *others]
    own = {person.pk: team.memberships.get(user=person) for person in people}

    def demote(person: User, other: User) -> None:
        with suppress(NotAllowed):
            members.set_role(own[other.pk], User.objects.get(pk=person.pk), VIEWER)

    race(
        lambda: demote(people[0], people[1]),
        lambda: demote(people[1], people[2]),
        lambda: demote(people[2], people[0]),
    )

    assert owners(team)


@pytest.mark.django_db(transaction=True)
def test_owners_who_leave_at_once_leave_one(team: Project, owner: User) -> None:
    second = join(make_user(), team, OWNER)

    race(lambda: members.leave(team, owner), lambda: members.leave(team, second))

    assert len(owners(team)) == 1
