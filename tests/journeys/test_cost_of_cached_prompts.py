"""A batch with cached prompts has the same figures wherever its cost is shown."""

import csv
import json
from decimal import Decimal
from io import StringIO

import pytest
from django.test import Client

from batchapp.access import OPERATOR
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.management.commands import run
from batchapp.models import REALTIME, Batch, Project, User
from batchapp.services.prices import price_table
from batchapp.services.results import browse
from tests.html import page_of
from tests.make import answer_line, build_columns, finish, make_batch

pytestmark = pytest.mark.django_db

PRICE = UnitPrice(Decimal(1), Decimal(2), cached_read=Decimal("0.1"), write_5m=Decimal("1.25"))
READ = {"prompt_tokens_details": {"cached_tokens": 800}}
WRITTEN = {
    "cache_creation_input_tokens": 800,
    "cache_creation": {"ephemeral_5m_input_tokens": 800},
}
COST, REALTIME_COST = Decimal("0.00206"), Decimal("0.00372")


@pytest.fixture
def operator(browser: Client, user: User) -> Client:
    """A member of the project, who may also see the report."""
    user.is_superuser = True
    user.save()
    return browser


@pytest.fixture
def batch(project: Project) -> Batch:
    """Three requests of 1,000 input tokens; the first writes 800 of them, the others read them."""
    for window, price in {
        "24h": PRICE,
        REALTIME: UnitPrice(Decimal(2), Decimal(4), cached_read=Decimal("0.2")),
    }.items():
        row = project.connection.prices.get(window=window)
        row.unit_price = price
        row.save()
    batch = make_batch(project)
    usages = [WRITTEN, READ, READ]
    lines = [answer_line(n, tokens=(1000, 50), **usage) for n, usage in enumerate(usages, 1)]
    return finish(batch, lines)


def facts_of_run(batch: Batch) -> dict[str, object]:
    out = StringIO()
    run.Command(stdout=out)._print(batch, {}, as_json=True)
    facts: dict[str, object] = json.loads(out.getvalue())
    return facts


def test_every_place_shows_the_same_cost_of_a_batch_with_cached_prompts(
    operator: Client, batch: Batch
) -> None:
    page = page_of(operator, batch.get_absolute_url()).text
    listed = page_of(operator, "/batches/").text
    report = page_of(operator, "/report/")
    text = b"".join(operator.get("/report/batches.csv")).decode("utf-8-sig")
    (row,) = csv.DictReader(text.splitlines())
    facts = facts_of_run(batch)
    results = list(batch.results.order_by("line"))
    build_columns(batch)
    columns = ["cached_tokens", "cost_usd"]
    explored = page_of(operator, f"/batches/{batch.pk}/results/", columns=columns).text

    assert batch.actual_cost_usd == COST
    assert sum(filter(None, map(browse.cost_of, results))) == COST
    assert "$0.0021 actual" in page
    assert (
        "1,600 of 3,000 input tokens read from the cache, 800 written to it: "
        "\u221238 %, $0.0033 without it"
    ) in page
    assert "$0.0037 at realtime prices: 45 % less" in page
    assert "$0.0021" in listed
    assert "53 % cached" in report.text
    assert "3,000, 1,600 of them from the cache" in [
        cell["title"] for cell in report.all("td[title]")
    ]
    assert "$0.0021" in report.text
    assert "$0.0017" in report.text  # saved against realtime
    assert Decimal(row["cost_usd"]) == COST
    assert Decimal(row["realtime_cost_usd"]) == REALTIME_COST
    assert (row["input_tokens"], row["cached_tokens"]) == ("3000", "1600")
    assert (row["written_5m_tokens"], row["written_1h_tokens"]) == ("800", "0")
    assert Decimal(str(facts["actual_cost_usd"])) == COST
    assert (facts["input_tokens"], facts["cached_tokens"], facts["written_tokens"]) == (
        *(3000, 1600, 800),
    )
    assert "800" in explored


def test_a_result_says_how_many_of_its_tokens_were_cached(operator: Client, batch: Batch) -> None:
    facts = page_of(operator, f"/batches/{batch.pk}/results/2/").one("aside dl")

    assert "1,000 in (800 from the cache), 50 out" in facts.text


def test_a_price_that_changes_afterwards_changes_no_figure(
    operator: Client, project: Project, batch: Batch
) -> None:
    before = page_of(operator, batch.get_absolute_url()).one("#cost").text

    price_table.correct(
        project.connection.prices.get(window="24h"), OPERATOR, UnitPrice(Decimal(9), Decimal(9))
    )

    assert page_of(operator, batch.get_absolute_url()).one("#cost").text == before
    assert batch.model_costs.get().unit_price.without_origin() == PRICE
