"""The report of the project of a portal key, as data."""

import csv
import json
import shlex
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest
from django.test import Client

from batchapp.models import AuditEvent, AuditKind, Batch, ModelCost, Project, User
from batchapp.presenters.audit_text import audit_text
from batchapp.services.reports.cost_report import portal_today
from tests.fixtures import Clock
from tests.make import (
    bearer,
    finish,
    make_batch,
    make_portal_key,
    make_project,
    make_user,
)
from tests.variables import ROOT

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def headers(project: Project, user: User) -> dict[str, str]:
    """The header of a key that reads, in a project with two batches; another project has one."""
    for cost in ("1.25", "0.00000001"):
        batch = finish(make_batch(project, user))
        ModelCost.objects.filter(batch=batch).update(cost_usd=Decimal(cost))
    finish(make_batch(make_project(make_user(), name="Their secret project")))
    return bearer(make_portal_key(user, project, scope="read").secret)


def test_a_key_reads_the_table_of_its_project_alone(
    client: Client, project: Project, headers: dict[str, str]
) -> None:
    response = client.get("/v1/report", headers=headers)

    body = response.json()
    today = portal_today()
    month = f"{today:%Y-%m}-01"
    assert response.status_code == 200
    assert (body["object"], body["by"], body["across"]) == ("report", "project", "time")
    assert (body["first"], body["last"]) == (month, today.isoformat())
    assert (body["currency"], body["time_zone"]) == ("USD", "UTC")
    (row,) = body["rows"]
    assert (row["key"], row["name"], row["cost_usd"]) == (project.slug, project.name, "1.25000001")
    assert row["cells"][month]["cost_usd"] == body["columns"][0]["cost_usd"] == "1.25000001"
    assert body["total"]["batches"] == 2
    assert "secret" not in json.dumps(body)


def test_a_cost_without_a_price_is_counted_and_never_zero(
    client: Client, headers: dict[str, str]
) -> None:
    ModelCost.objects.update(cost_usd=None)

    total = client.get("/v1/report", {"by": "model", "across": "window"}, headers=headers).json()[
        "total"
    ]

    assert (total["cost_usd"], total["costs_without_price"]) == (None, 2)


def test_the_table_has_the_figures_of_the_csv_of_the_page(
    client: Client, user: User, headers: dict[str, str]
) -> None:
    query = {"by": "user", "across": "window"}
    body = client.get("/v1/report", query, headers=headers).json()
    client.force_login(user)

    text = b"".join(client.get("/report/table.csv", query)).decode("utf-8-sig")

    header, person, total = csv.reader(text.splitlines())
    assert header == ["Person", "24 h", "Total", "Costs without a price"]
    assert person == [user.email, "1.25000001", "1.25000001", "0"]
    assert total == ["Total", "1.25000001", "1.25000001", "0"]
    assert body["rows"][0]["cells"]["24h"]["cost_usd"] == person[1]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ({"by": "colour"}, "by"),
        ({"across": "project"}, "across"),
        ({"by": "model", "across": "model"}, "across"),
        ({"first": "2026-02-30"}, "first"),
        ({"first": "2026-03-02", "last": "2026-03-01"}, None),
        ({"last": "9999-12-31"}, None),
        ({"key": "none"}, "key"),
        ({"only": "good"}, "only"),
        ({"model": "a\0"}, "model"),
    ],
)
def test_an_odd_parameter_is_an_error_that_names_it(
    client: Client, headers: dict[str, str], query: dict[str, str], param: str | None
) -> None:
    response = client.get("/v1/report", query, headers=headers)

    error = response.json()["error"]
    assert response.status_code == 400
    assert (error["code"], error["param"]) == ("invalid_parameter", param)
    assert error["message"]


def test_a_foreign_project_is_as_if_it_were_not_there(
    client: Client, headers: dict[str, str]
) -> None:
    foreign = Project.objects.get(name="Their secret project")

    bodies = [
        client.get("/v1/report", {"project": slug}, headers=headers).json()
        for slug in (foreign.slug, "no-such-project")
    ]

    assert bodies[0] == bodies[1]
    assert bodies[0]["rows"] == []


def test_a_day_of_a_leap_year_and_all_of_time_are_ranges_as_any(
    client: Client, headers: dict[str, str]
) -> None:
    Batch.objects.update(finished_at="2024-02-29T23:59:59Z")

    for first, last, columns in (
        ("2024-02-29", "2024-02-29", 1),
        ("2024-02-01", "2024-03-31", 2),
        ("2000-01-01", "2100-12-31", 101),
    ):
        query = {"first": first, "last": last}
        body = client.get("/v1/report", query, headers=headers).json()
        assert (len(body["columns"]), body["total"]["batches"]) == (columns, 2)
    later = (portal_today() + timedelta(days=400)).isoformat()
    empty = client.get("/v1/report", {"first": later, "last": later}, headers=headers).json()
    assert empty["total"]["batches"] == 0


def test_the_example_of_the_guide_works_as_it_is(client: Client, headers: dict[str, str]) -> None:
    guide = (ROOT / "docs/guide/scripts.md").read_text()
    example = guide.partition("```sh What each person spent")[2].partition("```")[0]
    command = shlex.split(example.partition("\n")[2].replace("\\\n", ""))

    url = urlsplit(command[-1])
    response = client.get(f"{url.path}?{url.query}", headers=headers)

    assert command[:2] == ["curl", "-H"]
    assert response.status_code == 200
    assert (response.json()["by"], response.json()["across"]) == ("user", "model")
    assert response.json()["last"] == "2026-10-31"


def test_a_script_that_asks_every_minute_is_in_the_audit_once_an_hour_for_each_report(
    client: Client, project: Project, user: User, headers: dict[str, str], clock: Clock
) -> None:
    other = bearer(make_portal_key(user, project, scope="read", name="other").secret)
    for _ in range(2):
        for minute in range(3):
            client.get("/v1/report", headers=headers)
            client.get(f"/v1/report?by=user&across=model&at={minute}", headers=headers)
            client.get("/v1/report?across=model&by=user&tag=%3D1%2B1", headers=headers)
            client.get("/v1/report", headers=other)
            client.get("/v1/report?by=nothing", headers=headers)
            clock.advance(minutes=1)
        clock.advance(minutes=61)

    events = AuditEvent.objects.filter(kind=AuditKind.DOWNLOADED)

    reports = Counter((event.key_name, event.data["parameters"]) for event in events)
    mine = next(name for name, _ in reports if name != "other")
    assert reports == {
        (mine, ""): 2,
        (mine, "across=model&by=user"): 2,
        (mine, "across=model&by=user&tag=%3D1%2B1"): 2,
        ("other", ""): 2,
    }
    assert {audit_text(event) for event in events} == {"Downloaded the report."}
    assert {event.project for event in events} == {project}
