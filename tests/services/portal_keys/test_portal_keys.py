"""Portal keys are made, rotated and revoked, and open the portal as long as they should."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate as sign_in
from django.utils import timezone

from batchapp import access
from batchapp.access import NotAllowed
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, Membership, PortalKey, Project, User
from batchapp.services.people import accounts
from batchapp.services.portal_keys import portal_keys
from batchapp.services.portal_keys.authenticate import authenticate
from batchapp.services.portal_keys.portal_keys import KeySettings
from tests.fixtures import Clock
from tests.make import (
    EDITOR,
    OWNER,
    PASSWORD,
    VIEWER,
    join,
    make_batch,
    make_portal_key,
    make_project,
    make_service_key,
    make_user,
)

pytestmark = pytest.mark.django_db

READ = KeySettings("nightly", PortalKey.Scope.READ)


def opens(secret: str) -> bool:
    return authenticate(secret, "192.0.2.7") is not None


def test_a_secret_is_stored_nowhere(project: Project, user: User) -> None:
    made = portal_keys.create(project, user, READ)

    stored = str([*PortalKey.objects.values(), *made.key.secrets.values()])
    assert made.secret not in stored
    assert made.secret.removeprefix("ba_")[6:] not in stored
    assert made.secret not in str(list(AuditEvent.objects.values()))
    assert opens(made.secret)


@pytest.mark.parametrize("make", [portal_keys.create, portal_keys.create_service_key])
def test_a_key_is_made_only_by_somebody_whose_address_is_proven(make: Any) -> None:
    """A key would go on after the owner of the address ended the session of somebody else."""
    eve = User.objects.create_user("eve@example.com", PASSWORD, is_verified=False)
    project = make_project(eve, role=OWNER)

    with pytest.raises(Refused) as refused:
        make(project, eve, READ)

    assert refused.value.code == Refusal.ADDRESS_NOT_CONFIRMED
    assert not PortalKey.objects.exists()
    accounts.verify_address(eve)
    assert opens(make(project, eve, READ).secret)


def test_a_use_is_recorded_with_its_address(project: Project, user: User) -> None:
    made = portal_keys.create(project, user, READ)

    acting = authenticate(made.secret, "192.0.2.7")

    secret = made.key.secrets.get()
    assert secret.last_used_address == "192.0.2.7"
    assert secret.last_used_at is not None
    assert acting == user
    assert acting is not None
    assert acting.portal_key == made.key


def test_a_name_is_taken_once_for_each_person_and_project(project: Project, user: User) -> None:
    made = portal_keys.create(project, user, READ)

    with pytest.raises(Refused) as refusal:
        portal_keys.create(project, user, READ)
    assert refusal.value.code == Refusal.PORTAL_KEY_NAME_TAKEN
    portal_keys.create(project, join(make_user(), project), READ)
    portal_keys.create(make_project(user), user, READ)
    portal_keys.revoke([made.key], user)
    portal_keys.create(project, user, READ)


def test_an_owner_gets_no_secret_by_which_a_colleague_acts(project: Project, user: User) -> None:
    owner = join(make_user(), project, OWNER)
    made = portal_keys.create(project, user, READ)
    current = made.key.secrets.get().pk

    with pytest.raises(NotAllowed):
        portal_keys.rotate(made.key, owner, hours=0, current=current)
    assert opens(made.secret)
    assert portal_keys.revoke([made.key], owner) == 1

    service = make_service_key(project, owner)
    other = join(make_user(), project, OWNER)
    current = service.key.secrets.get().pk
    assert opens(portal_keys.rotate(service.key, other, hours=0, current=current).secret)


def test_nobody_takes_the_place_of_the_service_account(project: Project, user: User) -> None:
    outsider = make_user(f"service-keys.{project.pk}@batchapp.invalid")

    keys = [make_service_key(project).key for _ in range(2)]

    accounts = {key.user for key in keys}
    assert len(accounts) == 1
    assert accounts.pop().is_service_account
    assert not Membership.objects.filter(user=outsider).exists()


@pytest.mark.parametrize("hours", [0, 1, 24, 72])
def test_the_old_secret_goes_on_for_the_hours_that_were_chosen(
    clock: Clock, project: Project, user: User, hours: int
) -> None:
    clock.stop()
    old = portal_keys.create(project, user, READ)

    new = portal_keys.rotate(old.key, user, hours=hours, current=old.key.secrets.get().pk)

    assert opens(new.secret)
    assert opens(old.secret) is (hours > 0)
    if hours:
        clock.advance(hours=hours, seconds=-1)
        assert opens(old.secret)
        clock.advance(seconds=1)
    assert not opens(old.secret)
    assert opens(new.secret)


def test_a_form_that_is_sent_twice_rotates_once(project: Project, user: User) -> None:
    old = portal_keys.create(project, user, READ)
    current = old.key.secrets.get().pk
    new = portal_keys.rotate(old.key, user, hours=24, current=current)

    with pytest.raises(Refused) as refusal:
        portal_keys.rotate(old.key, user, hours=0, current=current)

    assert refusal.value.code == Refusal.PORTAL_KEY_CHANGED
    assert opens(old.secret)
    assert opens(new.secret)


def test_a_key_that_has_ended_gets_no_new_secret(project: Project, user: User) -> None:
    expired = make_portal_key(user, project, expires_at=timezone.now() - timedelta(days=1)).key
    revoked = portal_keys.create(project, user, READ).key
    portal_keys.revoke([revoked], user)

    for key in (expired, revoked):
        with pytest.raises(Refused):
            portal_keys.rotate(key, user, hours=24, current=key.secrets.get().pk)
        assert key.secrets.count() == 1


def test_revoking_stops_both_secrets_at_once(project: Project, user: User) -> None:
    old = portal_keys.create(project, user, READ)
    new = portal_keys.rotate(old.key, user, hours=72, current=old.key.secrets.get().pk)

    assert portal_keys.revoke([old.key], user) == 1
    assert portal_keys.revoke([old.key], user) == 0

    assert not opens(old.secret)
    assert not opens(new.secret)


def test_all_or_none_of_several_keys_are_revoked(project: Project, user: User) -> None:
    own = portal_keys.create(project, user, READ)
    foreign = make_portal_key(join(make_user(), project), project)

    with pytest.raises(NotAllowed):
        portal_keys.revoke([own.key, foreign.key], user)

    assert opens(own.secret)
    assert opens(foreign.secret)


def test_a_key_expires_to_the_second(clock: Clock, project: Project, user: User) -> None:
    clock.stop()
    expires_at = timezone.now() + timedelta(days=30)
    chosen = KeySettings("nightly", PortalKey.Scope.READ, expires_at=expires_at)
    made = portal_keys.create(project, user, chosen)

    clock.advance(days=30, seconds=-1)
    assert opens(made.secret)
    clock.advance(seconds=1)
    assert not opens(made.secret)


def test_a_key_stops_with_the_membership_and_the_account_of_its_person(
    project: Project, user: User
) -> None:
    made = portal_keys.create(project, user, READ)

    User.objects.filter(pk=user.pk).update(is_active=False)
    assert not opens(made.secret)
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert opens(made.secret)
    user.memberships.all().delete()
    assert not opens(made.secret)


def test_the_keys_of_a_deleted_project_stop(project: Project, user: User) -> None:
    made, service = portal_keys.create(project, user, READ), make_service_key(project)

    Project.objects.filter(pk=project.pk).update(deleted_at=timezone.now())

    assert not opens(made.secret)
    assert not opens(service.secret)


def test_a_service_key_goes_on_when_its_maker_is_gone(project: Project) -> None:
    owner = join(make_user(), project, OWNER)
    made = portal_keys.create_service_key(project, owner, READ)

    owner.memberships.all().delete()
    User.objects.filter(pk=owner.pk).update(is_active=False)

    assert opens(made.secret)
    assert made.key.is_service_key


def test_the_service_keys_of_a_project_share_an_account_that_nobody_signs_in_as(
    project: Project,
) -> None:
    owner = join(make_user(), project, OWNER)
    keys = [
        portal_keys.create_service_key(
            project, owner, KeySettings(name, PortalKey.Scope.SUBMIT)
        ).key
        for name in ("one", "two")
    ]

    (account,) = {key.user for key in keys}
    assert account.is_service_account
    assert not account.has_usable_password()
    for password in ("", "!", account.password):
        assert sign_in(username=account.email, password=password) is None
    assert account.memberships.get().project == project
    assert account not in [row.user for row in Membership.objects.of_people()]
    with pytest.raises(Refused):
        portal_keys.create_service_key(project, owner, KeySettings("one", PortalKey.Scope.READ))


def test_a_service_key_does_not_manage(project: Project) -> None:
    owner = join(make_user(), project, OWNER)

    with pytest.raises(Refused) as refusal:
        portal_keys.create_service_key(project, owner, KeySettings("all", PortalKey.Scope.MANAGE))

    assert refusal.value.code == Refusal.SERVICE_KEY_MANAGES


def test_a_batch_by_a_service_key_is_of_the_service_account(project: Project) -> None:
    made = make_service_key(project, scope="submit")
    acting = authenticate(made.secret, "")
    assert acting is not None

    batch = make_batch(project, acting)

    assert str(batch.created_by) == "Service keys"


def test_what_was_done_to_a_key_is_recorded(project: Project, user: User) -> None:
    made = portal_keys.create(project, user, READ)
    portal_keys.rotate(made.key, user, hours=24, current=made.key.secrets.get().pk)
    portal_keys.revoke([made.key], user)

    events = list(AuditEvent.objects.order_by("pk").values_list("kind", "actor", "project"))
    kinds = ["PORTAL_KEY_MADE", "PORTAL_KEY_ROTATED", "PORTAL_KEY_REVOKED"]
    assert events == [(AuditKind[kind], user.pk, project.pk) for kind in kinds]
    assert AuditEvent.objects.first().data["name"] == "nightly"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("role", "scope", "effective"),
    [
        (VIEWER, "read", VIEWER),
        (VIEWER, "manage", VIEWER),
        (EDITOR, "read", VIEWER),
        (EDITOR, "submit", EDITOR),
        (EDITOR, "manage", EDITOR),
        (OWNER, "read", VIEWER),
        (OWNER, "submit", EDITOR),
        (OWNER, "manage", OWNER),
    ],
)
def test_by_a_key_a_person_has_the_lower_of_role_and_scope(
    role: str, scope: str, effective: str
) -> None:
    user = make_user()
    project, other = make_project(user, role=role), make_project(user, role=OWNER)
    acting = authenticate(make_portal_key(user, project, scope=scope).secret, "")
    assert acting is not None

    assert access.role_in(acting, project) == effective
    assert access.role_in(acting, other) == ""
    assert list(Project.objects.visible_to(acting)) == [project]
    writable = [project] if effective in {EDITOR, OWNER} else []
    assert list(Project.objects.writable_by(acting)) == writable
    assert access.role_in(user, project) == role
    assert user.memberships.get(project=project).role == role


def test_an_administrator_is_none_by_a_key(project: Project) -> None:
    person = join(make_user(is_superuser=True, is_staff=True), project, OWNER)
    acting = authenticate(make_portal_key(person, project, scope="manage").secret, "")
    assert acting is not None

    assert access.can_administer(person)
    assert not access.can_administer(acting)
    assert not access.can_audit(acting)
    assert not access.can_create(acting)
