"""The pages of the audit: who may see what, the filters, an event, and the CSV."""

import csv
import io
from datetime import UTC, datetime

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from batchapp.models import AuditEvent, AuditKind, AuditSeal, Project, User
from batchapp.models.audit.origin import AuditSource, coming_from
from batchapp.services.audit import browse, seal_events
from tests.make import (
    OWNER,
    bearer,
    join,
    make_administrator,
    make_auditor,
    make_portal_key,
    make_project,
    make_user,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def owner() -> User:
    return make_user("owner@example.com")


@pytest.fixture
def team(owner: User) -> Project:
    return make_project(owner, role=OWNER, name="Support", slug="support")


@pytest.fixture
def auditor(client: Client) -> Client:
    client.force_login(make_auditor())
    return client


def record(actor: User | None, project: Project | None, person: str = "bob") -> AuditEvent:
    with coming_from(AuditSource.PAGE, "192.0.2.7"):
        return AuditEvent.objects.record(
            AuditKind.ROLE_CHANGED, actor, project, person=person, before="viewer", after="owner"
        )


def text(response: object) -> str:
    return " ".join(response.content.decode().split())  # type: ignore[attr-defined]


def test_an_auditor_finds_an_event_and_what_changed(
    auditor: Client, owner: User, team: Project
) -> None:
    event = record(owner, team)

    page = text(auditor.get(reverse("audit_log")))
    detail = text(auditor.get(reverse("audit_event_detail", args=[event.pk])))

    assert "Changed the role of bob from viewer to owner." in page
    assert "192.0.2.7" in page
    assert "owner@example.com" in page
    assert "<bdi>viewer</bdi>" in detail
    assert "not sealed yet" in detail


def test_an_owner_sees_the_events_of_the_project_without_addresses_of_others(
    client: Client, owner: User, team: Project
) -> None:
    record(make_user("colleague@example.com"), team, "ours")
    record(owner, make_project(), "theirs")
    client.force_login(owner)

    page = text(client.get(reverse("project_audit_log", args=["support"])))
    csv_text = b"".join(client.get(reverse("project_audit_csv", args=["support"]))).decode()

    for shown in (page, csv_text):
        assert "role of ours" in shown
        assert "theirs" not in shown
        assert "192.0.2.7" not in shown
        assert "address not shown" in shown


def test_only_owners_and_auditors_open_an_event(
    client: Client, owner: User, team: Project
) -> None:
    event = reverse("audit_event_detail", args=[record(owner, team).pk])
    of_portal = reverse("audit_event_detail", args=[record(None, None).pk])

    statuses = {}
    for name, person in {
        "owner": owner,
        "editor": join(make_user(), team),
        "outsider": make_user(),
        "administrator": make_administrator(),
    }.items():
        client.force_login(person)
        statuses[name] = (client.get(event).status_code, client.get(of_portal).status_code)

    assert statuses == {
        "owner": (200, 404),
        "editor": (403, 404),
        "outsider": (404, 404),
        "administrator": (200, 200),
    }


def test_the_filters_are_in_the_address_and_an_invalid_one_is_told(
    auditor: Client, owner: User, team: Project
) -> None:
    record(owner, team, "wanted")
    record(None, None, "unwanted")

    found = text(auditor.get(reverse("audit_log"), {"q": "WANTED", "project": "support"}))
    assert "role of wanted" in found
    assert "role of unwanted" not in found
    assert "No event matches" in text(auditor.get(reverse("audit_log"), {"q": "nobody"}))
    odd = {"first": "2026-12-01", "last": "2026-11-01", "person": "9" * 40, "area": "moon"}
    assert "The range ends before it begins" in text(auditor.get(reverse("audit_log"), odd))
    assert auditor.get(reverse("audit_log"), {"after": "9" * 40}).status_code == 200


def test_pages_lead_on(auditor: Client, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browse, "PAGE_SIZE", 1)
    older, newer = record(owner, None, "older"), record(owner, None, "newer")

    first = text(auditor.get(reverse("audit_log")))
    second = text(auditor.get(reverse("audit_log"), {"after": newer.pk}))

    assert f"?after={newer.pk}" in first
    assert "role of older" not in first
    assert "role of older" in second
    assert f"after={older.pk}" not in second


def test_the_csv_has_all_events_and_no_formula(auditor: Client, owner: User) -> None:
    record(owner, None, "=1+1")
    event = AuditEvent.objects.record(
        AuditKind.PROJECT_DELETED, owner, name="=cmd()", batches=0, answers=0, files=0
    )
    response = auditor.get(reverse("audit_csv"))
    rows = list(csv.DictReader(io.StringIO(b"".join(response).decode("utf-8-sig"))))

    assert [row["kind"] for row in rows][-2:] == ["project_deleted", "role_changed"]
    assert all(not cell.startswith(("=", "+", "@")) for row in rows for cell in row.values())
    assert rows[-1]["before"] == "viewer"
    assert rows[-2]["time_utc"] == event.at.strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [("Pacific/Kiritimati", "2026-11-01", [10]), ("Pacific/Pago_Pago", "2026-10-30", [9, 10])],
)
def test_the_csv_has_the_events_of_the_page_in_every_time_zone(
    client: Client, zone: str, day: str, hours: list[int]
) -> None:
    client.force_login(make_auditor(time_zone=zone))
    for hour in (9, 10):  # there 23:30 and 0:30, or 22:30 and 23:30 on the day before
        with time_machine.travel(datetime(2026, 10, 31, hour, 30, tzinfo=UTC)):
            record(None, None, f"event at {hour}")

    days = {"first": day, "last": day}
    page = text(client.get(reverse("audit_log"), days))
    content = b"".join(client.get(reverse("audit_csv"), days)).decode()

    assert [hour for hour in (9, 10) if f"role of event at {hour}" in page] == hours
    assert [hour for hour in (9, 10) if f"event at {hour}" in content] == hours


def test_a_csv_of_invalid_filters_is_refused_by_the_page(auditor: Client) -> None:
    response = auditor.get(reverse("audit_csv"), {"first": "2026-12-01", "last": "2026-11-01"})

    assert response["Location"].startswith(reverse("audit_log"))


def test_a_portal_key_that_may_manage_downloads_the_audit_of_its_project(
    client: Client, owner: User, team: Project
) -> None:
    record(owner, team, "ours")
    manage = make_portal_key(owner, team, scope="manage")
    read = make_portal_key(owner, team, scope="read")
    url = reverse("project_audit_csv", args=["support"])

    assert "role of ours" in b"".join(client.get(url, headers=bearer(manage.secret))).decode()
    assert client.get(url, headers=bearer(read.secret)).status_code == 403


def test_the_page_shows_the_newest_digest_and_both_time_zones(
    client: Client,
) -> None:
    client.force_login(make_auditor(time_zone="Asia/Tokyo"))
    assert "None is sealed yet" in text(client.get(reverse("audit_log")))
    record(None, None)
    seal_events.seal_all()

    page = text(client.get(reverse("audit_log")))

    assert AuditSeal.objects.get().digest in page
    assert "Times are those of Asia/Tokyo; the portal's time zone is UTC" in page


def test_a_full_page_takes_a_fixed_number_of_queries(
    auditor: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(60):
        record(make_user(), make_project(), f"person {number}")

    with django_assert_max_num_queries(12):
        auditor.get(reverse("audit_log"))
