"""A deleted project is gone for people, with all that was stored, and its costs stay."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from batchapp.access import NotAllowed
from batchapp.domain.refused import Refusal, Refused
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    BatchImport,
    ModelCost,
    Project,
    PromptTemplate,
    ProviderKey,
    Purge,
    Result,
    ResultChunk,
    RetentionRule,
    SourceTable,
    Upload,
    User,
)
from batchapp.services.archive import project_deletion
from batchapp.services.files.checked_upload import receive_checked_file
from batchapp.services.files.upload_intake import receive_file
from batchapp.services.projects import projects
from batchapp.services.reports import cost_report
from batchapp.services.reports.scope import Scope
from batchapp.services.tables import requests_from_table
from tests.make import (
    MODEL,
    OWNER,
    VIEWER,
    finish,
    join,
    make_administrator,
    make_batch,
    make_import,
    make_key,
    make_portal_key,
    make_project,
    make_table,
    make_upload,
    make_user,
    request_file,
)
from tests.steps import advance, race

pytestmark = pytest.mark.django_db

PROMPT = PromptSettings(model=MODEL, prompt="{text}")


@pytest.fixture
def owner() -> User:
    return make_user("owner@example.com")


@pytest.fixture
def team(owner: User) -> Project:
    project = make_project(owner, role=OWNER, name="Reviews")
    join(make_user(), project, VIEWER)
    return project


def run_due_rows(project: Project) -> None:
    """Run the deletion as workers do over the next hours."""
    for _ in range(3):
        for rule in RetentionRule.objects.filter(project=project):
            advance(rule)
        for purge in Purge.objects.filter(batch__project=project, status="deleting"):
            Purge.objects.filter(pk=purge.pk).update(next_check_at=timezone.now())
            advance(Purge.objects.get(pk=purge.pk))
        for table in SourceTable.objects.filter(project=project):
            advance(table)


def test_all_that_is_stored_goes_and_the_costs_stay_in_the_report(
    team: Project, owner: User, stored: Path
) -> None:
    finish(make_batch(make_project(owner)))
    of_others = {path for path in stored.rglob("*") if path.is_file()}
    batch = finish(make_batch(team, owner, key=make_key(team)))
    make_upload(team, owner)
    make_table(team, owner, prompt_settings=PROMPT)
    requests_from_table.save_template(team, owner, "Triage", PROMPT)
    make_import(team, owner)
    make_portal_key(owner, team)
    cost = ModelCost.objects.get(batch=batch).cost_usd

    rule = project_deletion.delete_project(team, owner)
    assert rule
    run_due_rows(team)

    assert not Project.objects.visible_to(owner).filter(pk=team.pk).exists()
    assert not team.memberships.exists()
    assert list(ProviderKey.objects.filter(project=team).values_list("ciphertext")) == [("",)]
    assert not team.portal_keys.kept().exists()
    for model in (Upload, SourceTable, PromptTemplate, BatchImport):
        left = model.objects.filter(project=team)
        assert [row for row in left if getattr(row, "purged_at", None) is None] == []
    assert not Result.objects.filter(batch=batch).exists()
    assert not ResultChunk.objects.filter(provider_batch__batch=batch).exists()
    assert not RetentionRule.objects.filter(project=team).exists()
    assert {path for path in stored.rglob("*") if path.is_file()} == of_others
    report = Scope(
        timezone.localdate() - timedelta(days=1), timezone.localdate(), make_administrator()
    )
    lines = {line.name: line for line in cost_report.sum_up(report, "project").lines}
    assert (lines["Reviews"].batches, lines["Reviews"].cost_usd) == (1, cost)
    mine = Scope(report.first, report.last, owner)
    assert "Reviews" not in {line.name for line in cost_report.sum_up(mine, "project").lines}


def test_a_deletion_is_recorded_with_what_was_there(team: Project, owner: User) -> None:
    finish(make_batch(team, owner))

    project_deletion.delete_project(team, owner)

    event = AuditEvent.objects.get(kind=AuditKind.PROJECT_DELETED)
    assert (event.actor, event.project) == (owner, team)
    assert event.data == {"name": "Reviews", "batches": 1, "answers": 3, "files": 1}


def test_nothing_is_deleted_while_a_batch_runs_or_is_on_hold(team: Project, owner: User) -> None:
    batch = make_batch(team, owner)

    with pytest.raises(Refused) as running:
        project_deletion.delete_project(team, owner)
    finish(batch)
    Batch.objects.filter(pk=batch.pk).update(held_at=timezone.now())
    with pytest.raises(Refused) as held:
        project_deletion.delete_project(team, owner)

    assert (running.value.code, held.value.code) == (
        Refusal.PROJECT_RUNS,
        Refusal.PROJECT_ON_HOLD,
    )
    team.refresh_from_db()
    assert team.deleted_at is None
    assert team.memberships.count() == 2
    assert not AuditEvent.objects.filter(kind=AuditKind.PROJECT_DELETED).exists()


def test_the_contents_are_counted_before(team: Project, owner: User) -> None:
    batch = finish(make_batch(team, owner, key=make_key(team)))
    make_batch(team, owner, upload=batch.upload, key=batch.key)

    contents = project_deletion.contents_of(team)

    assert (contents.batches, contents.running, contents.held) == (2, 1, 0)
    assert (contents.answers, contents.files, contents.keys, contents.members) == (3, 1, 1, 2)
    assert contents.cost_usd == ModelCost.objects.get(batch=batch).cost_usd
    assert contents.bytes > batch.upload.size
    assert contents.unpriced == 1


def test_a_project_is_deleted_once(team: Project, owner: User) -> None:
    assert project_deletion.delete_project(team, owner)

    with pytest.raises(NotAllowed):
        project_deletion.delete_project(team, owner)


@pytest.mark.django_db(transaction=True)
def test_an_order_at_the_moment_of_a_deletion_keeps_the_project_or_is_refused(
    team: Project, owner: User
) -> None:
    upload, key = make_upload(team, owner), make_key(team)
    refused: list[Exception] = []

    def attempt(call: object) -> None:
        try:
            call()  # type: ignore[operator]
        except (NotAllowed, Refused) as exc:
            refused.append(exc)

    race(
        lambda: attempt(lambda: make_batch(team, owner, upload=upload, key=key)),
        lambda: attempt(lambda: project_deletion.delete_project(team, owner)),
    )

    team.refresh_from_db()
    assert bool(team.deleted_at) != Batch.objects.exists()
    assert len(refused) == 1


class LongFile(ContentFile):  # type: ignore[type-arg]
    """A file that takes so long to read that something else happens meanwhile."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__(request_file(7), "long.jsonl")
        self._meanwhile: Callable[[], object] | None = meanwhile

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        if meanwhile := self._meanwhile:
            self._meanwhile = None
            meanwhile()
        return super().chunks(chunk_size)


@pytest.mark.parametrize("receive", [receive_file, receive_checked_file])
@pytest.mark.parametrize("end", [project_deletion.delete_project, projects.archive])
def test_a_file_that_arrives_after_the_end_of_its_project_is_not_kept(
    team: Project,
    owner: User,
    stored: Path,
    receive: Callable[..., Upload],
    end: Callable[[Project, User], object],
) -> None:
    file = LongFile(lambda: end(team, owner))

    with pytest.raises(NotAllowed):
        receive(team, owner, file, name="long.jsonl")

    assert not Upload.objects.exists()
    assert not [path for path in stored.rglob("*") if path.is_file()]
