"""Each person reads the events that concern the person, in pages that stay fast."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from batchapp.access import NotAllowed
from batchapp.models import AuditArea, AuditEvent, AuditKind, Project, User
from batchapp.services.audit import browse
from batchapp.services.audit.browse import AuditScope, read_all, read_page
from tests.make import (
    EDITOR,
    OWNER,
    join,
    make_administrator,
    make_auditor,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner() -> User:
    return make_user("owner@example.com", first_name="Olga")


@pytest.fixture
def team(owner: User) -> Project:
    return make_project(owner, role=OWNER, name="Support")


def record(
    actor: User | None, project: Project | None = None, kind: AuditKind = AuditKind.ROLE_CHANGED
) -> AuditEvent:
    return AuditEvent.objects.record(
        kind, actor, project, person="bob@example.com", before="viewer", after="owner"
    )


def pks(scope: AuditScope) -> list[int]:
    return [event.pk for event in read_page(scope).events]


def of_portal(**filters: Any) -> AuditScope:
    return AuditScope(make_auditor(), is_of_portal=True, **filters)


def test_an_auditor_reads_all_and_an_owner_the_events_of_the_project(
    owner: User, team: Project
) -> None:
    ours = record(owner, team)
    others = record(make_user(), make_project())

    assert pks(AuditScope(make_auditor(), is_of_portal=True)) == [others.pk, ours.pk]
    assert pks(AuditScope(make_administrator(), is_of_portal=True)) == [others.pk, ours.pk]
    assert pks(AuditScope(owner, team)) == [ours.pk]


def test_nobody_else_reads_the_audit(owner: User, team: Project) -> None:
    editor = join(make_user(), team, EDITOR)

    for scope in (
        AuditScope(editor, team),
        AuditScope(make_user(), team),
        AuditScope(owner, is_of_portal=True),
    ):
        with pytest.raises(NotAllowed):
            read_page(scope)


def test_every_filter_leaves_its_events(owner: User, team: Project) -> None:
    role = record(owner, team)
    archived = record(owner, team, AuditKind.PROJECT_ARCHIVED)
    command = record(None)
    today = timezone.localdate()

    assert pks(of_portal(person=owner.pk)) == [archived.pk, role.pk]
    assert pks(of_portal(person=browse.NOBODY)) == [command.pk]
    assert pks(of_portal(area=AuditArea.PROJECTS)) == [archived.pk]
    assert pks(of_portal(project=team)) == [archived.pk, role.pk]
    assert pks(of_portal(first=today, last=today)) == [command.pk, archived.pk, role.pk]
    assert pks(of_portal(last=today - timedelta(days=1))) == []


@pytest.mark.parametrize("text", ["olga", "SUPPORT", "bob@", "olga support"])
def test_a_search_finds_names_of_people_projects_and_things(
    owner: User, team: Project, text: str
) -> None:
    wanted = record(owner, team)
    AuditEvent.objects.record(AuditKind.PROJECT_ARCHIVED, make_user("x@example.com"))

    assert pks(of_portal(text=text)) == [wanted.pk]


def test_pages_follow_each_other_without_gap_or_repetition(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(browse, "PAGE_SIZE", 3)
    stored = [record(None).pk for _ in range(8)]
    AuditEvent.objects.all()
    scope, seen, after = of_portal(), [], None

    for _ in range(3):
        page = read_page(scope, after)
        seen += [event.pk for event in page.events]
        record(None)  # what happens meanwhile stands on the first page
        after = page.next

    assert after is None
    assert seen == stored[::-1]


def test_a_search_stops_after_some_events_and_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch, owner: User, team: Project
) -> None:
    monkeypatch.setattr(browse, "SEARCHED_AT_ONCE", 4)
    wanted = record(owner, team)
    for _ in range(6):
        record(None)
    scope = of_portal(text="support")

    first = read_page(scope)
    assert first.events == []
    assert first.searched_to is not None

    second = read_page(scope, first.next)
    assert [event.pk for event in second.events] == [wanted.pk]
    assert (second.next, second.searched_to) == (None, None)
    assert [event.pk for event in read_all(scope)] == [wanted.pk]


def test_a_page_after_an_event_that_is_gone_is_empty() -> None:
    assert read_page(of_portal(), after=2**62).events == []


def test_people_who_acted_can_be_chosen_also_after_they_are_deleted(owner: User) -> None:
    make_user("idle@example.com")
    record(owner)
    pk = owner.pk
    assert browse.people(of_portal()) == [(pk, "Olga")]

    owner.delete()

    assert browse.people(of_portal(person=pk)) == [(pk, "Olga")]


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "audit_by_time"),
        ({"person": 1}, "audit_by_actor"),
        ({"area": "prices"}, "audit_by_area"),
        ({"first": timezone.localdate()}, "audit_by_time"),
    ],
    ids=["nothing", "person", "area", "days"],
)
def test_a_page_reads_an_index_in_the_order_of_the_page(
    filters: dict[str, Any], index: str
) -> None:
    plan = explain(of_portal(**filters))

    assert index in plan


def test_the_audit_of_a_project_reads_its_index(owner: User, team: Project) -> None:
    assert "audit_by_project" in explain(AuditScope(owner, team))


def explain(scope: AuditScope) -> str:
    """Return how the database reads the first page of a table that is not tiny."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
    return scope.events()[: browse.PAGE_SIZE + 1].explain()
