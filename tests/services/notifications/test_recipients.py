"""Who is told of what: roles and preferences decide, and nobody else is."""

import pytest

from batchapp.models import Batch, Membership, Notice, NoticeKind, Project, User
from batchapp.models.notifications.preferences import Channels
from batchapp.services.notifications import preferences
from batchapp.services.notifications.recipients import recipients_of
from tests.make import (
    EDITOR,
    OWNER,
    VIEWER,
    join,
    make_administrator,
    make_auditor,
    make_batch,
    make_project,
    make_user,
)
from tests.notices import BUDGET, record, record_end

pytestmark = pytest.mark.django_db
K = NoticeKind


@pytest.fixture
def team() -> Project:
    project = make_project(name="Support tickets", slug="support")
    for name, role in (("owner", OWNER), ("maker", EDITOR), ("viewer", VIEWER)):
        join(make_user(f"{name}@example.com"), project, role)
    make_administrator("admin@example.com")
    return project


@pytest.fixture
def batch(team: Project) -> Batch:
    return make_batch(team, person("maker"))


def person(name: str) -> User:
    return User.objects.get(email=f"{name}@example.com")


def told(notice: Notice) -> list[str]:
    return sorted(row.person.email.partition("@")[0] for row in recipients_of(notice))


@pytest.mark.parametrize(
    "kind", [K.BATCH_FINISHED, K.BATCH_FAILED, K.BATCH_NEEDS_ATTENTION, K.BATCH_LATE]
)
def test_the_maker_is_told_of_a_batch_and_nobody_else(batch: Batch, kind: NoticeKind) -> None:
    assert told(record(kind, batch.project, batch=batch)) == ["maker"]


def test_the_owners_are_told_of_trouble_with_a_batch_whose_maker_has_left(batch: Batch) -> None:
    Membership.objects.filter(user=person("maker")).delete()

    assert told(record(K.BATCH_FAILED, batch.project, batch=batch)) == ["owner"]
    assert told(record_end(batch)) == []


@pytest.mark.parametrize(
    "kind", [K.BUDGET_THRESHOLD, K.BUDGET_EXCEEDED, K.STATEMENT_READY, K.WEBHOOK_DISABLED]
)
def test_the_owners_are_told_of_what_concerns_the_project(team: Project, kind: NoticeKind) -> None:
    assert told(record(kind, team, **BUDGET)) == ["owner"]
    assert told(record(kind, team, person=person("maker"))) == ["maker", "owner"]


def test_an_approval_is_asked_of_other_owners_and_told_to_who_asked(batch: Batch) -> None:
    join(make_user("second@example.com"), batch.project, OWNER)
    asked = record(K.APPROVAL_ASKED, batch.project, batch=batch, person=person("owner"))

    assert told(asked) == ["second"]
    assert told(record(K.APPROVAL_DECIDED, batch.project, batch=batch)) == ["maker"]
    decided = record(K.APPROVAL_DECIDED, batch.project, batch=batch, person=person("viewer"))
    assert told(decided) == ["viewer"]


def test_a_refused_key_is_told_to_its_owner_or_to_the_owners_of_its_project(team: Project) -> None:
    assert told(record(K.KEY_REFUSED, team)) == ["owner"]
    assert told(record(K.KEY_REFUSED, team, person=person("maker"))) == ["maker"]


def test_an_invitation_is_told_to_a_person_outside(team: Project) -> None:
    make_user("guest@example.com")

    assert told(record(K.INVITED, team, person=person("guest"))) == ["guest"]


def test_what_is_of_no_project_is_told_to_auditors_and_administrators() -> None:
    make_user("nobody@example.com")
    make_auditor("auditor@example.com")
    make_administrator("admin@example.com")

    assert told(record(K.STATEMENT_READY, None)) == ["admin", "auditor"]


def test_nobody_is_told_of_the_own_cancellation(batch: Batch) -> None:
    maker = person("maker")

    assert told(record_end(batch, state="cancelled", cancelled_by=maker.pk)) == []
    assert told(record_end(batch, state="cancelled", cancelled_by=None)) == ["maker"]


def test_a_small_batch_ends_in_silence_for_who_wants_that_and_its_trouble_does_not(
    batch: Batch,
) -> None:
    preferences.save_settings(person("maker"), digest="at_once", quiet_below=100)

    assert told(record_end(batch, requests=99)) == []
    assert told(record_end(batch, requests=100)) == ["maker"]
    assert told(record(K.BATCH_FAILED, batch.project, batch=batch, requests=99)) == ["maker"]


def test_a_member_can_ask_to_be_told_of_the_batches_of_others(batch: Batch) -> None:
    viewer, outsider = person("viewer"), make_user("outsider@example.com")
    for user in (viewer, outsider):
        channels = {K.BATCH_FINISHED: Channels(of_others=True)}
        preferences.save_channels(user, None, channels)

    assert told(record_end(batch)) == ["maker", "viewer"]
    quiet = {K.BATCH_FINISHED: Channels(of_others=False)}
    preferences.save_channels(viewer, batch.project, quiet)
    assert told(record_end(batch)) == ["maker"]


def test_whoever_is_deactivated_or_whose_project_is_deleted_is_told_nothing(batch: Batch) -> None:
    User.objects.filter(email="maker@example.com").update(is_active=False)
    assert told(record_end(batch)) == []

    User.objects.update(is_active=True)
    Project.objects.update(deleted_at="2026-11-01T00:00Z")
    assert told(record_end(batch)) == []
    assert told(record(K.INVITED, Project.objects.get(), person=person("admin"))) == []
