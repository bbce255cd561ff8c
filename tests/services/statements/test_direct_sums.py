"""Statements say what single requests have cost, and what all cost with them."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from batchapp.models import REALTIME, Notice, NoticeKind, Project
from batchapp.models.direct.direct_request import FLEX
from batchapp.services.statements.direct_sums import direct_sum, direct_sums
from batchapp.services.statements.part import Part
from batchapp.services.statements.statement_lines import csv_rows
from batchapp.services.statements.sums import sum_by_each, total_of
from tests.direct import DirectRequests
from tests.html import page_of
from tests.make import (
    MODEL,
    OWNER,
    bearer,
    join,
    make_administrator,
    make_portal_key,
    make_project,
    make_user,
)
from tests.statements import PaidBatches, at, close_due_months, open_first_month, utc

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

DECEMBER, JANUARY, FEBRUARY = date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)
LINE = "Single requests: 2 requests, $1.50000001. Batches and single requests in all: $5.50000001."


@pytest.fixture
def sent(project: Project) -> DirectRequests:
    """January has a batch of 4 USD, and 1.5 + 0.00000001; December has 8, and February 16."""
    project.connection.is_sandbox = False
    project.connection.save()
    sent = DirectRequests(project, join(make_user(), project, OWNER))
    PaidBatches(project).make(utc(2026, 1, 10), "4")
    sent.make(utc(2025, 12, 31, 23, 59, 59), "8")
    sent.make(utc(2026, 1, 1), "1.5")
    sent.make(utc(2026, 1, 31, 23, 59, 59), "0.00000001")
    sent.make(utc(2026, 1, 10), "0", status_code=400)
    sent.make(utc(2026, 2, 1), "16")
    sent.make(utc(2026, 2, 2), None)
    other = make_project(make_user(), name="Theirs")
    other.connection.is_sandbox = False
    other.connection.save()
    DirectRequests(other, make_user()).make(utc(2026, 1, 5), "32")
    return sent


def test_the_sums_are_of_the_month_the_projects_and_no_cost_centre(sent: DirectRequests) -> None:
    own = frozenset({sent.project.pk})

    months = {month: found.cost_usd for month, found in direct_sums(own).items()}

    assert months == {DECEMBER: 8, JANUARY: Decimal("1.50000001"), FEBRUARY: 16}
    assert direct_sum(Part(JANUARY, own)).cost_usd == Decimal("1.50000001")
    assert direct_sum(Part(JANUARY, own, "")).requests == 2
    assert direct_sum(Part(JANUARY, own, "4711")).requests == 0
    assert direct_sum(Part(JANUARY)).cost_usd == Decimal("33.50000001")


def test_each_table_adds_up_to_the_same_sum_with_single_requests(sent: DirectRequests) -> None:
    own, names = frozenset({sent.project.pk}), ["project", "cost_centre", "model", "person"]
    colleague = DirectRequests(sent.project, join(make_user("bea@acme.test"), sent.project))
    colleague.make(utc(2026, 1, 20), "0.25", model="other-model")
    colleague.make(utc(2026, 1, 21), None, model="other-model")

    with at(utc(2026, 2, 1, 12)):
        open_first_month()
        before = sum_by_each(Part(JANUARY, own), names)
    with at(utc(2026, 2, 5)):
        close_due_months()
        after = sum_by_each(Part(JANUARY, own), names)

    assert before == after
    for totals in after.values():
        together = total_of(totals)
        assert together.direct == direct_sum(Part(JANUARY, own))
        assert together.in_all.cost_usd == Decimal("5.75000001")
        assert (together.direct.requests, together.direct.unpriced) == (4, 1)
    of = {by: {row.name: row.direct.cost_usd for row in rows} for by, rows in after.items()}
    assert of["person"]["bea@acme.test"] == of["model"]["other-model"] == Decimal("0.25")
    assert of["person"][sent.person.email] == of["model"][MODEL] == Decimal("1.50000001")
    assert of["cost_centre"] == {"": Decimal("1.75000001")}


def test_the_csv_adds_up_to_what_was_charged(sent: DirectRequests) -> None:
    sent.make(utc(2026, 1, 21), "0.125", tier=FLEX, created_by=make_user("=cmd()@acme.test"))
    sent.make(utc(2026, 1, 22), None)
    own = frozenset({sent.project.pk})
    with at(utc(2026, 2, 1, 12)):
        open_first_month()

        head, *rows = csv_rows(Part(JANUARY, own))

    lines = [dict(zip(head, row, strict=True)) for row in rows]
    singles = [line for line in lines if line["kind"] == "single_requests"]
    assert sum(Decimal(str(line["cost_usd"] or 0)) for line in lines) == Decimal("5.62500001")
    assert [(line["person"], line["window"], line["requests"]) for line in singles] == [
        ("'=cmd()@acme.test", FLEX, 1),
        (sent.person.email, REALTIME, 2),
        (sent.person.email, REALTIME, 1),
    ]
    assert [line["cost_usd"] for line in singles] == ["0.12500000", "1.50000001", ""]
    assert {line["line"] for line in singles} == {""}
    assert not [row for row in csv_rows(Part(JANUARY, None, "4711")) if "single_requests" in row]


def test_a_project_that_sent_single_requests_alone_has_a_statement(
    client: Client, sent: DirectRequests
) -> None:
    theirs = Project.objects.get(name="Theirs")
    client.force_login(make_administrator())
    with at(utc(2026, 2, 5)):
        close_due_months()

        page = page_of(client, f"/statements/2026-01/{theirs.slug}/")
        month = page_of(client, "/statements/2026-01/")
        nothing = client.get(f"/statements/2026-01/{make_project(make_user()).slug}/")

    assert "Statement of Theirs" in page.text
    assert "$32.00" in page.text
    assert "Nothing was charged" not in page.text
    assert f"/statements/2026-01/{theirs.slug}/" in str(month)
    assert nothing.status_code == 404
    notice = Notice.objects.get(kind=NoticeKind.STATEMENT_READY, project=theirs)
    assert (notice.data["batches"], notice.data["direct_usd"]) == (0, "32.00000000")


def test_a_statement_has_the_line_before_and_after_its_close(
    client: Client, sent: DirectRequests
) -> None:
    page = f"/statements/2026-01/{sent.project.slug}/"
    headers = bearer(make_portal_key(sent.person, sent.project, scope="manage").secret)

    client.force_login(sent.person)
    with at(utc(2026, 2, 1, 12)):
        open_first_month()
        before = page_of(client, page)
    with at(utc(2026, 2, 5)):
        close_due_months()
        after = page_of(client, page)
        months = page_of(client, "/statements/")
        client.logout()
        data = client.get("/v1/statements/2026-01", headers=headers).json()

    for shown in (before, after):
        assert LINE in shown.text
        assert shown.one("#sum").text == "$4.00"
    assert data["total"]["cost_usd"] == "4.00000000"
    assert data["single_requests"]["cost_usd"] == "1.50000001"
    assert data["in_all"]["cost_usd"] == "5.50000001"
    (of_model,) = data["groups"]["model"]
    assert of_model["cost_usd"] == "4.00000000"
    assert of_model["single_requests"]["cost_usd"] == "1.50000001"
    assert "$5.50000001" in months.text
    assert [row.text.split() for row in months.all("#direct tbody tr")] == [
        ["February", "2026", "2", "requests", "at", "least", "$16.00"],
        ["January", "2026", "2", "requests", "$1.50000001"],
        ["December", "2025", "1", "request", "$8.00"],
    ]
    notice = Notice.objects.get(kind=NoticeKind.STATEMENT_READY, project=sent.project)
    assert (notice.data["direct_requests"], notice.data["direct_usd"]) == (2, "1.50000001")


def test_who_closes_a_month_reads_what_it_costs_in_all(
    client: Client, sent: DirectRequests
) -> None:
    client.force_login(make_administrator())
    line = "Single requests: 3 requests, $33.50000001. "
    line += "Batches and single requests in all: $37.50000001."

    with at(utc(2026, 2, 1, 12)):
        open_first_month()
        month = page_of(client, "/statements/2026-01/")
        dialog = page_of(client, "/statements/close/2026-01/")

    assert line in month.text
    assert line in dialog.text
