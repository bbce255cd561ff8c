"""The report by the portal keys that ordered the batches, on the page, as CSV and as JSON."""

import csv

import pytest
from django.test import Client
from django.utils import timezone

from batchapp.models import PortalKey, Project
from tests.html import page_of
from tests.make import (
    OWNER,
    bearer,
    join,
    make_portal_key,
    make_project,
    make_service_key,
    make_user,
)
from tests.statements import PaidBatches

pytestmark = pytest.mark.django_db


@pytest.fixture
def keys(project: Project) -> list[PortalKey]:
    """Two keys of one name by two people, and a service key.

    Each has ordered one batch, and so has a person without a key.
    """
    ann, bob = (join(make_user(f"{name}@example.com"), project, OWNER) for name in ("ann", "bob"))
    made = [make_portal_key(person, project, name="Nightly").key for person in (ann, bob)]
    made.append(make_service_key(project, ann, name="Server").key)
    paid = PaidBatches(project)
    for key, cost in zip([*made, None], ("1.10", "2.20", "4.40", "8.80"), strict=True):
        paid.make(timezone.now(), cost, portal_key_id=key and key.pk)
    return made


def test_each_key_has_its_line_which_opens_its_batches(
    client: Client, keys: list[PortalKey]
) -> None:
    client.force_login(keys[0].user)

    page = page_of(client, "/report/", by="portal_key")
    lines = page.all("#table tbody tr")
    rows = {line.one("td.lead").text: line.one("td.cost").text for line in lines}
    opened = {
        name: page_of(client, f"/report/{page.links[name]}").one("tfoot td.cost").text
        for name in rows
    }

    assert (
        rows
        == opened
        == {
            "No portal key": "$8.80",
            "Server (service key)": "$4.40",
            "Nightly (bob@example.com)": "$2.20",
            "Nightly (ann@example.com)": "$1.10",
        }
    )
    assert page.one("tfoot td.cost").text == "$16.50"


def test_the_files_and_the_api_have_the_same_groups(client: Client, keys: list[PortalKey]) -> None:
    headers = bearer(make_portal_key(keys[0].user, keys[0].project).secret)
    query = {"by": "portal_key", "across": "project"}

    body = client.get("/v1/report", query, headers=headers).json()
    table = b"".join(client.get("/report/table.csv", query, headers=headers))  # type: ignore[arg-type]
    narrowed = {"portal_key": str(keys[1].pk)}
    batches = b"".join(client.get("/report/batches.csv", narrowed, headers=headers))  # type: ignore[arg-type]

    sums = [(row["key"], row["cost_usd"]) for row in body["rows"]]
    assert sums == [
        ("", "8.80000000"),
        (str(keys[2].pk), "4.40000000"),
        (str(keys[1].pk), "2.20000000"),
        (str(keys[0].pk), "1.10000000"),
    ]
    assert body["total"]["cost_usd"] == "16.50000000"
    rows = list(csv.reader(table.decode("utf-8-sig").splitlines()))
    assert [row[-2] for row in rows[1:]] == [*(cost for _, cost in sums), "16.50000000"]
    (line,) = csv.DictReader(batches.decode("utf-8-sig").splitlines())
    assert (line["portal_key"], line["cost_usd"]) == ("Nightly", "2.20000000")


def test_a_key_of_another_project_tells_nothing(client: Client, keys: list[PortalKey]) -> None:
    stranger = make_user()
    make_project(stranger, role=OWNER)
    client.force_login(stranger)

    page = page_of(client, "/report/", portal_key=str(keys[0].pk))

    assert "Nothing was paid for in these days" in page.text
    assert "Nightly" not in page.text


def test_batches_of_service_keys_are_told_by_their_project(
    client: Client, project: Project, keys: list[PortalKey]
) -> None:
    account = keys[2].user
    PaidBatches(project).make(timezone.now(), "3.30", created_by_id=account.pk)
    client.force_login(keys[0].user)

    page = page_of(client, "/report/", by="user")
    opened = page_of(client, "/report/", user=account.email)

    names = [line.one("td.lead").text for line in page.all("#table tbody tr")]
    assert f"Service keys of {project.name}" in names
    assert opened.one("tfoot td.cost").text == "$3.30"
    assert account.email not in page.text + opened.text
