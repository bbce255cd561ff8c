"""A statement as data, for the keys of owners that may manage."""

import pytest
from django.test import Client

from batchapp.models import AuditEvent, Project
from tests.make import EDITOR, OWNER, bearer, join, make_portal_key, make_project, make_user
from tests.statements import PaidBatches, at, close_due_months, settle_again, utc

pytestmark = pytest.mark.django_db

NOW = utc(2026, 2, 20)  # January is closed, and February runs


@pytest.fixture
def paid(project: Project) -> PaidBatches:
    """January has two lines, one of which is adjusted in February; one cost is unknown there."""
    paid = PaidBatches(project)
    retried = paid.make(utc(2026, 1, 10), "1.5", name="Retried", cost_centre="4711")
    paid.make(utc(2026, 1, 11), "0.00000001", name="Tiny")
    other = PaidBatches(make_project(name="Their secret project", slug="secret"))
    other.make(utc(2026, 1, 12), "7")
    with at(utc(2026, 2, 5)):
        close_due_months()
    settle_again(retried, utc(2026, 2, 10), "1.25")
    paid.make(utc(2026, 2, 11), None, name="Of February")
    return paid


@pytest.fixture
def headers(project: Project) -> dict[str, str]:
    owner = join(make_user(), project, OWNER)
    return bearer(make_portal_key(owner, project, scope="manage").secret)


def test_a_closed_statement_has_exact_sums_groups_and_lines(
    client: Client, paid: PaidBatches, headers: dict[str, str]
) -> None:
    with at(NOW):
        response = client.get("/v1/statements/2026-01", headers=headers)

    body = response.json()
    assert (response.status_code, body["object"], body["month"]) == (200, "statement", "2026-01")
    assert (body["closed_at"], body["version"]) == ("2026-02-05T00:00:00Z", 1)
    assert (body["total"]["cost_usd"], body["total"]["batches"]) == ("1.50000001", 2)
    assert {row["name"]: row["cost_usd"] for row in body["groups"]["cost_centre"]} == {
        "": "0.00000001",
        "4711": "1.50000000",
    }
    assert [(line["number"], line["batch_name"], line["cost_usd"]) for line in body["lines"]] == [
        (1, "Retried", "1.50000000"),
        (2, "Tiny", "0.00000001"),
    ]
    assert (body["page"], body["pages"]) == (1, 1)
    assert b"secret" not in response.content
    assert AuditEvent.objects.filter(data__what="statement").count() == 1


def test_the_running_month_has_its_adjustments_and_unknown_costs(
    client: Client, paid: PaidBatches, headers: dict[str, str]
) -> None:
    with at(NOW):
        body = client.get("/v1/statements/2026-02", headers=headers).json()

    assert (body["closed_at"], body["version"]) == (None, None)
    assert body["total"]["adjustments_usd"] == body["total"]["cost_usd"] == "-0.25000000"
    assert body["total"]["lines_without_price"] == 1
    assert [
        (line["kind"], line["adjusts_month"], line["cost_usd"], line["total_usd"])
        for line in body["lines"]
    ] == [
        ("credit", "2026-01", "-0.25000000", "1.25000000"),
        ("batch", None, None, None),
    ]


def test_only_owners_read_it_and_only_by_a_key_that_may_manage(
    client: Client, paid: PaidBatches, project: Project
) -> None:
    with at(NOW):
        for role, scope, code in (
            (OWNER, "submit", "insufficient_scope"),
            (EDITOR, "manage", "insufficient_permissions"),
        ):
            person = join(make_user(), project, role)
            key = bearer(make_portal_key(person, project, scope=scope).secret)
            response = client.get("/v1/statements/2026-01", headers=key)
            assert (response.status_code, response.json()["error"]["code"]) == (403, code)


def test_a_month_that_is_none_or_has_no_statement_is_refused(
    client: Client, paid: PaidBatches, headers: dict[str, str]
) -> None:
    with at(NOW):
        for month, status in (("2026-13", 400), ("jan", 400), ("2026-03", 404), ("2025-12", 404)):
            response = client.get(f"/v1/statements/{month}", headers=headers)
            assert response.status_code == status, month
            assert response.json()["error"]["message"]


def test_pages_of_one_statement_are_one_event_of_its_project(
    client: Client, project: Project, paid: PaidBatches, headers: dict[str, str]
) -> None:
    with at(NOW):
        for address in ("2026-01", "2026-01?page=2", "2026-02", "2026-01"):
            assert client.get(f"/v1/statements/{address}", headers=headers).status_code == 200

    events = AuditEvent.objects.filter(data__what="statement").order_by("pk")

    assert [(event.project, event.data["name"]) for event in events] == [
        (project, f"{project.slug}, 2026-01"),
        (project, f"{project.slug}, 2026-02"),
    ]
