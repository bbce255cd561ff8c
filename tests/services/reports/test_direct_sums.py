"""Sums of money are of batches and of single requests, exactly, wherever they are shown."""

import csv
import io
from collections.abc import Iterable
from datetime import date
from decimal import Decimal

import pytest
from django.test import Client

from batchapp.domain.money.unit_prices import Usage
from batchapp.models import Batch, DirectRequest, ModelCost, Project, Reservation
from batchapp.services.reports import cost_report, cost_rows
from batchapp.services.reports.cost_report import sum_all
from batchapp.services.reports.cross_tab import TIME, cross_tab
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.services.reports.direct_sums import direct_requests, direct_sum
from batchapp.services.reports.line import Line
from batchapp.services.reports.scope import Scope
from tests.direct import DirectRequests
from tests.html import page_of
from tests.make import (
    bearer,
    join,
    make_administrator,
    make_portal_key,
    make_project,
    make_user,
)
from tests.statements import PaidBatches, at, utc

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FIRST, LAST = date(2026, 1, 1), date(2026, 1, 31)
NOW = utc(2026, 1, 20)
LINE = "Including 3 single requests: at least $1.75 and 1 cost without a price."
State = DirectRequest.State


@pytest.fixture
def sent(project: Project) -> DirectRequests:
    """January has 1.5 + 0.25 and one without a price; all others belong to no sum of it."""
    project.connection.is_sandbox = False
    project.connection.save()
    sent = DirectRequests(project, join(make_user(), project))
    sent.make(utc(2026, 1, 1), "1.5")
    sent.make(utc(2026, 1, 19, 23, 59, 59), "0.25", model="other")
    sent.make(utc(2026, 1, 10), None)
    sent.make(utc(2025, 12, 31, 23, 59, 59), "8")
    sent.make(utc(2026, 2, 1), "16")
    sent.make(None, None)
    sent.make(utc(2026, 1, 10), "0", status_code=429)
    return sent


def figures(scope: Scope) -> tuple[int, Decimal, int]:
    found = direct_sum(scope)
    return found.requests, found.cost_usd, found.unpriced


def test_the_sum_is_of_the_days_the_groups_and_the_projects_of_the_viewer(
    sent: DirectRequests,
) -> None:
    person, project = sent.person, sent.project
    key = make_portal_key(person, project, scope="submit").key
    sent.make(utc(2026, 1, 5), "0.5", portal_key=key)
    other = make_project(make_user(), name="Theirs")
    other.connection.is_sandbox = False
    other.connection.save()
    DirectRequests(other, make_user()).make(utc(2026, 1, 5), "32")
    everything = (4, Decimal("2.25"), 1)
    expected: list[tuple[dict[str, object], tuple[int, Decimal, int]]] = [
        ({}, everything),
        ({"project": project.slug}, everything),
        ({"user": person.email}, everything),
        ({"user": "nobody@example.com"}, (0, Decimal(0), 0)),
        ({"model": "other"}, (1, Decimal("0.25"), 0)),
        ({"key": str(sent.key.pk)}, everything),
        ({"portal_key": str(key.pk)}, (1, Decimal("0.5"), 0)),
        ({"without": "portal_key"}, (3, Decimal("1.75"), 1)),
        ({"without": "tag,cost_centre"}, everything),
        ({"connection": str(project.connection_id)}, everything),
        ({"tag": "night"}, (0, Decimal(0), 0)),
        ({"cost_centre": "4711"}, (0, Decimal(0), 0)),
        ({"window": "24h"}, (0, Decimal(0), 0)),
        ({"window": "realtime"}, everything),
        ({"window": "flex"}, (0, Decimal(0), 0)),
        ({"kind": "single"}, everything),
        ({"kind": "batch"}, (0, Decimal(0), 0)),
        ({"only": "unpriced"}, (1, Decimal(0), 1)),
        ({"only": "failed"}, (0, Decimal(0), 0)),
        ({"project": other.slug}, (0, Decimal(0), 0)),
    ]

    for narrowing, sums in expected:
        assert figures(Scope(FIRST, LAST, person, **narrowing)) == sums, narrowing  # type: ignore[arg-type]
    assert figures(Scope(FIRST, LAST, make_administrator())) == (5, Decimal("34.25"), 1)


def test_requests_to_a_sandbox_were_not_paid(sent: DirectRequests) -> None:
    sent.project.connection.is_sandbox = True
    sent.project.connection.save()

    assert figures(Scope(FIRST, LAST, sent.person)) == (0, Decimal(0), 0)
    assert figures(Scope(FIRST, LAST, sent.person, with_sandbox=True)) == (3, Decimal("1.75"), 1)


def test_each_page_of_sums_has_both_and_says_how_much_is_of_single_requests(
    client: Client, sent: DirectRequests
) -> None:
    PaidBatches(sent.project).make(utc(2026, 1, 10), "4")
    client.force_login(sent.person)
    pages = [
        *("/", "/report/?first=2026-01-01&last=2026-01-31", "/projects/"),
        sent.project.get_absolute_url(),
    ]

    with at(NOW):
        texts = [page_of(client, page).text for page in pages]
        client.force_login(make_administrator())
        texts.append(page_of(client, "/administration/projects/").text)
        total = sum_all(Scope(FIRST, LAST, sent.person))

    assert (total.batches, total.requests, total.unpriced) == (1, 6, 1)
    assert total.cost_usd == Decimal("5.75")
    for page, text in zip([*pages, "all projects"], texts, strict=True):
        assert LINE in text, page
        assert "≥ $5.75" in text, page


@pytest.mark.parametrize("by", DIMENSIONS)
def test_every_sum_of_a_report_is_that_of_its_costs_to_the_last_digit(
    sent: DirectRequests, by: str
) -> None:
    key = make_portal_key(sent.person, sent.project, scope="submit").key
    sent.make(utc(2026, 1, 31, 12), "0.00000007", portal_key=key, tier="flex")
    batches = PaidBatches(sent.project)
    costs = [batches.make(utc(2026, 1, 10), "4"), batches.make(utc(2025, 12, 9), "0.00000003")]
    batches.add_model(costs[0].batch, "0.25", model="other")
    add_tags(costs[0].batch, "night", "day")
    scope = Scope(date(2025, 12, 1), date(2026, 2, 28), sent.person)
    raw = sum(
        (row.cost_usd or Decimal(0) for row in [*ModelCost.objects.all(), *of_scope(sent)]),
        Decimal(0),
    )

    sums = cost_report.sum_up(scope, by)
    rows = list(cost_rows.csv_rows(scope.model_costs(), direct_requests(scope)))
    of_csv = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    assert raw == Decimal("30.00000010")
    assert sum_all(scope).cost_usd == sums.total.cost_usd == raw
    assert usd_of(sums.periods) == raw
    assert sum(Decimal(str(row["cost_usd"] or 0)) for row in of_csv) == raw
    if not DIMENSIONS[by].costs_overlap:
        assert usd_of(sums.lines) == raw
        assert sum(sum(row.costs.values(), Decimal(0)) for row in sums.groups) == raw
    for across in {TIME, *DIMENSIONS} - {by}:
        for table in (cross_tab(scope, by, across), cross_tab(scope, by, across, sums)):
            assert table.total.cost_usd == raw
            assert table.rows_overlap or usd_of(table.rows) == raw
            assert table.columns_overlap or usd_of(table.columns) == raw
            overlap = table.rows_overlap or table.columns_overlap
            assert overlap or usd_of(table.cells.values()) == raw
            assert cost_report.sum_groups(scope, by) == {row.key: row for row in table.rows}


def usd_of(lines: Iterable[Line]) -> Decimal:
    return sum((line.cost_usd for line in lines), Decimal(0))


def of_scope(sent: DirectRequests) -> list[DirectRequest]:
    return list(DirectRequest.objects.charged().filter(project=sent.project))


def add_tags(batch: Batch, *names: str) -> None:
    for name in names:
        batch.tags.create(project=batch.project, name=name)


def test_a_report_of_one_kind_has_its_part(client: Client, sent: DirectRequests) -> None:
    PaidBatches(sent.project).make(utc(2026, 1, 10), "4")
    client.force_login(sent.person)
    days = "/report/?first=2026-01-01&last=2026-01-31"

    with at(NOW):
        both = page_of(client, f"{days}&by=kind")
        single = page_of(client, f"{days}&kind=single")

    table = both.one("#table").text
    assert "Batches" in table
    assert "Single requests" in table
    assert "$4.00" in table
    assert "≥ $1.75" in table
    assert "Kind: Single requests" in single.text
    assert "The batches behind it" not in single.text
    assert "≥ $1.75" in single.text


def test_budgets_and_the_report_agree_also_on_a_request_that_ends_in_another_month(
    sent: DirectRequests,
) -> None:
    with at(utc(2026, 3, 31, 23, 50)):
        late = sent.make(
            None, None, created_at=utc(2026, 3, 31, 23, 50), reserved_usd=Decimal("0.5")
        )
        late.reserve()
    with at(utc(2026, 4, 1, 0, 10)):
        late.settle(
            Usage(1, 10, 20),
            Decimal("0.3"),
            utc(2026, 4, 1, 0, 10),
            State.ANSWERED,
            status_code=200,
        )
        spent = {
            month: Reservation.objects.uses([sent.project.pk], month).get(sent.project.pk)
            for month in (date(2026, 3, 1), date(2026, 4, 1))
        }
        report = {
            month: sum_all(Scope(month, month.replace(day=28), sent.person)).cost_usd
            for month in spent
        }

    assert report == {date(2026, 3, 1): 0, date(2026, 4, 1): Decimal("0.3")}
    assert {month: use.spent if use else 0 for month, use in spent.items()} == report
    assert all(use is None or not use.reserved for use in spent.values())


def test_the_table_and_the_data_of_the_report_have_them_in_the_sums(
    client: Client, sent: DirectRequests
) -> None:
    PaidBatches(sent.project).make(utc(2026, 1, 10), "4")
    days = "first=2026-01-01&last=2026-01-31"
    headers = bearer(make_portal_key(sent.person, sent.project).secret)

    with at(NOW):
        data = client.get(f"/v1/report?{days}", headers=headers).json()
        table = client.get(f"/report/table.csv?{days}", headers=headers)
    rows = list(csv.reader(io.StringIO(b"".join(table).decode("utf-8-sig"))))  # type: ignore[arg-type]

    assert data["total"]["cost_usd"] == "5.75000000"
    assert data["single_requests"] == {
        "requests": 3,
        "cost_usd": "1.75000000",
        "costs_without_price": 1,
    }
    assert rows[-1] == ["Total", "5.75000000", "5.75000000", "1"]
