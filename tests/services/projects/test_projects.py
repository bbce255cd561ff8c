"""Nothing starts in an archived project, what runs goes on, and it can be restored."""

from contextlib import suppress

import pytest

from batchapp import access
from batchapp.access import NotAllowed
from batchapp.models import AuditEvent, AuditKind, Batch, Project, Upload, User
from batchapp.presenters.problem_text import problem_text
from batchapp.services.imports import start_import
from batchapp.services.lifecycle import controls
from batchapp.services.projects import projects
from tests.make import (
    OWNER,
    make_batch,
    make_import,
    make_key,
    make_project,
    make_upload,
    make_user,
)
from tests.provider import Provider
from tests.steps import advance, race, run_steps

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_user("owner@example.com")


@pytest.fixture
def team(owner: User) -> Project:
    return make_project(owner, role=OWNER)


def test_an_archived_project_is_restored_and_both_are_recorded_once(
    team: Project, owner: User
) -> None:
    assert projects.archive(team, owner)
    assert not projects.archive(team, owner)
    assert not access.can_write(owner, team)
    assert access.can_stop(owner, team)
    assert access.can_see(owner, team)

    assert projects.restore(team, owner)
    assert not projects.restore(team, owner)
    assert access.can_write(owner, team)
    kinds = AuditEvent.objects.order_by("pk").values_list("kind", "actor", "project")
    assert list(kinds) == [
        (AuditKind.PROJECT_ARCHIVED, owner.pk, team.pk),
        (AuditKind.PROJECT_RESTORED, owner.pk, team.pk),
    ]


def test_a_batch_under_way_goes_on_to_its_end(
    team: Project, owner: User, provider: Provider
) -> None:
    provider_batch = make_batch(team, owner).provider_batches.get()
    projects.archive(team, owner)

    batch = run_steps(provider_batch)

    assert batch.provider_batches.get().remote_id
    assert not batch.provider_batches.get().parked_reason


def test_a_batch_under_way_can_be_cancelled_and_not_paused(team: Project, owner: User) -> None:
    batch = make_batch(team, owner)
    projects.archive(team, owner)

    with pytest.raises(NotAllowed):
        controls.request_pause(batch, owner)
    assert controls.request_cancel(batch, owner)


def test_an_order_of_a_person_whose_rights_were_read_before_is_refused(
    team: Project, owner: User
) -> None:
    upload, key = make_upload(team, owner), make_key(team)
    access.keep_memberships(owner)
    assert access.can_write(owner, team)
    projects.archive(team, owner)

    with pytest.raises(NotAllowed):
        make_batch(team, owner, upload=upload, key=key)

    assert not Batch.objects.exists()


def test_an_import_under_way_ends_with_a_sentence(
    team: Project, owner: User, provider: Provider
) -> None:
    batch_import = make_import(team, owner)
    projects.archive(team, owner)

    advance(batch_import)

    batch_import.refresh_from_db()
    assert batch_import.status == "failed"
    assert "The project was archived" in problem_text(batch_import.problem)
    with pytest.raises(NotAllowed):
        start_import.retry_import(batch_import, owner)


@pytest.mark.django_db(transaction=True)
def test_no_batch_is_ordered_after_the_archive_is_stored(team: Project, owner: User) -> None:
    uploads, key = [make_upload(team, owner) for _ in range(3)], make_key(team)
    stored = []

    def order(upload: Upload) -> None:
        with suppress(NotAllowed):
            make_batch(team, User.objects.get(pk=owner.pk), upload=upload, key=key)

    def archive() -> None:
        projects.archive(team, owner)
        stored.append(Batch.objects.count())

    race(archive, *[lambda upload=upload: order(upload) for upload in uploads])

    assert stored == [Batch.objects.count()]
