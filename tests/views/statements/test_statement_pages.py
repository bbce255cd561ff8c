"""Owners, auditors and administrators read statements; what they say adds up and leads on."""

import csv
import io
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, ModelCost, MonthClosing, Project, Statement
from batchapp.services.statements import statement_lines
from batchapp.services.statements.part import Part
from tests.html import page_of
from tests.make import (
    EDITOR,
    OWNER,
    bearer,
    join,
    make_administrator,
    make_auditor,
    make_batch,
    make_portal_key,
    make_project,
    make_user,
)
from tests.statements import PaidBatches, at, close_due_months, settle_again, utc

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
NONE = "\N{EN DASH}"
NOW = utc(2026, 2, 20)  # January is closed, and February runs


@pytest.fixture
def paid(project: Project) -> PaidBatches:
    """January is closed with two batches, one of which was retried in place in February."""
    project.memberships.update(role=OWNER)
    paid = PaidBatches(project)
    retried = paid.make(utc(2026, 1, 10), "1.5", name="Retried", cost_centre="4711")
    paid.make(utc(2026, 1, 11), "0.00000001", name="=Tiny")
    with at(utc(2026, 2, 5)):
        close_due_months()
    settle_again(retried, utc(2026, 2, 10), "1.25")
    paid.make(utc(2026, 2, 11), "4", name="Of February")
    return paid


def csv_of(browser: Client, url: str, **headers: str) -> list[dict[str, str]]:
    response = browser.get(url, headers=headers)
    assert response.status_code == 200
    text = b"".join(response).decode("utf-8-sig")  # type: ignore[arg-type]  # it streams
    return list(csv.DictReader(io.StringIO(text)))


def test_the_list_has_the_running_month_and_the_closed_ones(
    browser: Client, paid: PaidBatches
) -> None:
    with at(NOW):
        page = page_of(browser, "/statements/")

    rows = [row.texts("td") for row in page.all("tbody tr")]
    assert rows == [
        ["February 2026", "Running total", "1 batch", "-$0.25", "$3.75"],
        ["January 2026", "Closed", "2 batches", NONE, "$1.50000001"],
    ]


def test_a_statement_shows_each_line_with_all_digits_and_a_link_to_its_batch(
    browser: Client, paid: PaidBatches
) -> None:
    with at(NOW):
        page = page_of(browser, "/statements/2026-01/support/")

    assert page.one("#sum").text == "$1.50000001"
    lines = page.all("#lines tbody tr")
    assert [line.texts("td")[-1] for line in lines] == ["$1.50", "$0.00000001"]
    assert [link.text for link in page.all("#lines td a")] == ["Retried", "=Tiny"]


def test_the_running_month_shows_what_would_be_adjusted(
    browser: Client, paid: PaidBatches
) -> None:
    with at(NOW):
        page = page_of(browser, "/statements/2026-02/support/")

    assert page.one("#sum").text == "$3.75"
    assert "To the statement of January 2026: $1.50 then, $1.25 now." in page.text
    assert "Not closed: this may still change. It is closed on 4 March 2026." in page.text


def test_a_closed_adjustment_says_what_the_running_one_said(
    browser: Client, paid: PaidBatches
) -> None:
    with at(utc(2026, 3, 5)):
        close_due_months()
        page = page_of(browser, "/statements/2026-02/support/")

    assert page.one("#sum").text == "$3.75"
    assert "Credit. To the statement of January 2026: $1.50 then, $1.25 now." in page.text


def test_a_batch_that_is_gone_stays_on_the_statement_without_a_link(
    browser: Client, paid: PaidBatches
) -> None:
    ModelCost.objects.all().delete()
    Batch.objects.exclude(pk=paid.first.pk).delete()

    with at(NOW):
        page = page_of(browser, "/statements/2026-01/support/")

    assert page.one("#sum").text == "$1.50000001"
    assert page.all("#lines td a") == []


def test_a_cost_centre_has_its_sums_over_all_projects(client: Client, paid: PaidBatches) -> None:
    other = PaidBatches(make_project(name="Other", slug="other"))
    other.make(utc(2026, 2, 12), "2", cost_centre="4711")
    other.make(utc(2026, 2, 13), "8")
    client.force_login(make_auditor())

    with at(NOW):
        centres = page_of(client, "/statements/2026-02/?by=cost_centre")
        one = page_of(client, "/statements/2026-02/?cost_centre=4711")
        none = page_of(client, "/statements/2026-02/?without=cost_centre")
        with at(utc(2026, 3, 5)):
            close_due_months()
            closed = page_of(client, "/statements/2026-02/?by=cost_centre")
            closed_one = page_of(client, "/statements/2026-02/?cost_centre=4711")

    assert sums(centres) == sums(closed) == {"No cost centre": "$12.00", "4711": "$1.75"}
    assert sums(one) == sums(closed_one) == {"Other": "$2.00", "Support tickets": "-$0.25"}
    assert sums(none) == {"Other": "$8.00", "Support tickets": "$4.00"}


def sums(page: Any) -> dict[str, str]:
    rows = (row.texts("td") for row in page.all("tbody tr"))
    return {row[0]: row[-1] for row in rows}


def test_the_csv_has_every_line_and_holds_no_formula(browser: Client, paid: PaidBatches) -> None:
    with at(NOW):
        closed = csv_of(browser, "/statements/2026-01/support/lines.csv")
        running = csv_of(browser, "/statements/2026-02/support/lines.csv")
        month = csv_of(browser, "/statements/2026-01/lines.csv")

    assert [row["name"] for row in closed] == ["Retried", "'=Tiny"]
    assert [row["cost_usd"] for row in closed] == ["1.50000000", "0.00000001"]
    assert [(row["kind"], row["adjusts_month"], row["cost_usd"]) for row in running] == [
        ("credit", "2026-01", "-0.25000000"),
        ("batch", "", "4.00000000"),
    ]
    assert month == closed


def test_unknown_costs_make_the_sum_a_minimum(browser: Client, paid: PaidBatches) -> None:
    paid.make(utc(2026, 2, 12), None)

    with at(NOW):
        page = page_of(browser, "/statements/2026-02/support/")

    assert page.one("#sum").text == "at least $3.75"
    assert "1 line without a price: the sum is a minimum." in page.text


def test_the_print_has_all_lines_on_one_page(browser: Client, paid: PaidBatches) -> None:
    for number in range(60):
        paid.make(utc(2026, 2, 12, 1, number % 60), "1")

    with at(NOW):
        page = page_of(browser, "/statements/2026-02/support/")
        print_page = page_of(browser, "/statements/2026-02/support/?print=1")

    assert len(page.all("#lines .lead")) == 50
    assert len(print_page.all("#lines .lead")) == 62


class TestWhoReads:
    ADDRESSES = ("/statements/2026-01/support/", "/statements/2026-01/support/lines.csv")

    @pytest.mark.parametrize("url", ADDRESSES)
    def test_an_editor_does_not(self, client: Client, paid: PaidBatches, url: str) -> None:
        client.force_login(join(make_user(), paid.first.project, EDITOR))

        with at(NOW):
            assert client.get(url).status_code == 403
            assert client.get("/statements/").status_code == 403

    @pytest.mark.parametrize("url", ADDRESSES)
    def test_an_owner_of_another_project_does_not(
        self, client: Client, paid: PaidBatches, url: str
    ) -> None:
        owner = make_user()
        make_project(owner, role=OWNER, name="Mine", slug="mine")
        client.force_login(owner)

        with at(NOW):
            assert client.get(url).status_code == 404
            assert "Support tickets" not in client.get("/statements/2026-01/").content.decode()
            assert csv_of(client, "/statements/2026-01/lines.csv") == []

    @pytest.mark.parametrize("person", [make_auditor, make_administrator])
    def test_who_audits_reads_all_also_of_a_deleted_project(
        self, client: Client, paid: PaidBatches, person: Any
    ) -> None:
        paid.first.project.memberships.all().delete()
        Project.objects.update(deleted_at=NOW, archived_at=NOW)
        client.force_login(person())

        with at(NOW):
            page = page_of(client, "/statements/2026-01/support/")

        assert page.one("#sum").text == "$1.50000001"
        assert page.all("#lines td a") == []

    def test_a_key_of_an_owner_reads_the_lines(self, client: Client, paid: PaidBatches) -> None:
        owner = paid.first.project.members.get(memberships__role=OWNER)
        manage = make_portal_key(owner, paid.first.project, scope="manage").secret
        read = make_portal_key(owner, paid.first.project, scope="read").secret
        url = "/statements/2026-01/support/lines.csv"

        with at(NOW):
            assert len(csv_of(client, url, **bearer(manage))) == 2
            assert client.get(url, headers=bearer(read)).status_code == 403


class TestTheCloseByHand:
    @pytest.fixture
    def page(self, client: Client, paid: PaidBatches) -> str:
        client.force_login(make_administrator())
        return reverse("statement_month_close", args=[FEBRUARY])

    def test_says_what_is_open_and_closes_the_month(
        self, client: Client, paid: PaidBatches, page: str, woken: list[str]
    ) -> None:
        paid.make(utc(2026, 2, 12), None, model="Unknown model")
        with at(utc(2026, 2, 27)):
            make_batch(paid.first.project)

        with at(utc(2026, 3, 1)):
            assert "Close the month…" in client.get("/statements/2026-02/").content.decode()
            asked = page_of(client, page)
            client.post(page)
            after = page_of(client, "/statements/2026-02/")

        assert "are charged at least $3.75" in asked.text
        assert "1 batch that began in this month or before is not over." in asked.text
        assert "Unknown model (1)" in asked.text
        assert MonthClosing.objects.get(month=FEBRUARY).status == MonthClosing.Status.CLOSING
        assert "Being closed" in after.text

    def test_is_not_offered_before_the_month_is_over(
        self, client: Client, paid: PaidBatches, page: str
    ) -> None:
        with at(NOW):
            assert "Close the month…" not in client.get("/statements/2026-02/").content.decode()
            response = client.post(page, follow=True)

        assert "February 2026 is not over." in response.content.decode()
        assert MonthClosing.objects.get(month=FEBRUARY).status == MonthClosing.Status.OPEN

    def test_is_for_administrators_alone(self, client: Client, page: str) -> None:
        client.force_login(make_auditor())

        assert client.get(page).status_code == 403
        assert client.post(page).status_code == 403


def test_a_month_that_has_not_begun_and_one_without_a_statement_are_not_there(
    browser: Client, paid: PaidBatches
) -> None:
    with at(NOW):
        assert browser.get("/statements/2026-03/support/").status_code == 404
        assert browser.get("/statements/2025-12/support/").status_code == 404
        assert browser.get("/statements/2026-13/").status_code == 404


def test_an_empty_month_says_so(browser: Client, project: Project) -> None:
    project.memberships.update(role=OWNER)

    with at(NOW):
        page = page_of(browser, "/statements/2026-02/support/")

    assert "Nothing was charged in this month" in page.text


def test_the_queries_do_not_grow_with_the_lines(
    browser: Client, paid: PaidBatches, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(45):
        paid.make(utc(2026, 2, 12, 1, number), "1", cost_centre=str(number))

    for url, number in [
        ("/statements/", 17),
        ("/statements/2026-02/", 13),
        ("/statements/2026-02/support/", 22),
        ("/statements/2026-01/support/", 19),
    ]:
        with at(NOW), django_assert_max_num_queries(number):
            assert browser.get(url).status_code == 200


def test_the_sum_of_a_page_is_that_of_the_stored_statement(
    browser: Client, paid: PaidBatches
) -> None:
    statement = Statement.objects.get(month=JANUARY)

    assert statement.cost_usd == Decimal("1.50000001")
    assert sum(line.cost_usd or 0 for line in statement.lines.all()) == statement.cost_usd


def test_the_csv_of_an_open_month_asks_no_more_for_more_lines(paid: PaidBatches) -> None:
    part = Part(FEBRUARY)
    numbers = []
    with at(NOW):
        for _ in range(2):
            with CaptureQueriesContext(connection) as queries:
                rows = list(statement_lines.csv_rows(part))
            numbers.append((len(rows), len(queries)))
            for day in (12, 13, 14):
                paid.make(utc(2026, 2, day), "2", name=f"Of {day} February")

    assert [rows for rows, _ in numbers] == [3, 6]
    assert numbers[0][1] == numbers[1][1]
