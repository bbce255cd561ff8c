"""Statements say what single requests have cost, and what all cost with them."""

from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from batchapp.models import Notice, NoticeKind, Project
from batchapp.services.statements.direct_sums import direct_sum, direct_sums
from batchapp.services.statements.sums import Part
from tests.direct import DirectRequests
from tests.html import page_of
from tests.make import (
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
    assert "$5.50000001" in months.text
    assert [row.text.split() for row in months.all("#direct tbody tr")] == [
        ["February", "2026", "2", "requests", "at", "least", "$16.00"],
        ["January", "2026", "2", "requests", "$1.50000001"],
        ["December", "2025", "1", "request", "$8.00"],
    ]
    notice = Notice.objects.get(kind=NoticeKind.STATEMENT_READY)
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
