"""What was spent, for operators."""

import csv
from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Connection, ModelCost, User
from batchapp.templatetags.words import usd
from tests.html import Page, page_of
from tests.make import (
    answer_line,
    finish,
    make_batch,
    make_project,
    make_upload,
    make_user,
    request_file,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_user(is_staff=True))
    return client


@pytest.fixture
def batches() -> list[Batch]:
    """Two projects, three batches of 3, 5 and 3 requests."""
    first, second = (
        make_project(name="First", slug="first"),
        make_project(name="Second", slug="second"),
    )
    larger = make_upload(first, content=request_file(5))
    made = [make_batch(first), make_batch(first, upload=larger), make_batch(second, window="1h")]
    return [finish(batch) for batch in made]


def csv_of(browser: Client, /, **query: str) -> list[dict[str, str]]:
    text = b"".join(browser.get("/report/batches.csv", query)).decode()
    return list(csv.DictReader(text.splitlines()))


def test_it_is_for_operators_only(client: Client) -> None:
    client.force_login(make_user())

    for url in ("/report/", "/report/batches.csv"):
        response = client.get(url)
        assert response.status_code == 403
        assert "The report is for operators." in response.content.decode()


def test_totals_are_the_sum_of_the_batches_on_the_page_and_in_the_csv(
    operator: Client, batches: list[Batch]
) -> None:
    total = sum((batch.actual_cost_usd or Decimal(0) for batch in batches), Decimal(0))
    rows = csv_of(operator)

    assert total > 0
    assert page_of(operator, "/report/").one("tfoot td.cost").text == usd(total)
    assert sum(Decimal(row["cost_usd"]) for row in rows) == total
    assert sum(int(row["input_tokens"]) for row in rows) == sum(b.input_tokens for b in batches)
    assert len(rows) == 3


@pytest.mark.parametrize("by", ["project", "user", "model"])
def test_every_grouping_adds_up_to_the_same_total(
    operator: Client, batches: list[Batch], by: str
) -> None:
    total = sum((batch.actual_cost_usd or Decimal(0) for batch in batches), Decimal(0))

    assert usd(total) in page_of(operator, "/report/", by=by).one("tfoot").text


def test_a_group_opens_to_its_batches(operator: Client, batches: list[Batch]) -> None:
    page = page_of(operator, "/report/", project="second", by="model")

    assert "project=second" in page_of(operator, "/report/").links["Second"]
    assert usd(batches[2].actual_cost_usd) in page.one("tfoot").text
    assert len(csv_of(operator, project="second")) == 1


def test_batches_of_teams_one_is_not_in_are_named_but_not_linked(
    operator: Client, batches: list[Batch]
) -> None:
    page = page_of(operator, "/report/")

    assert batches[0].name in page.text
    assert batches[0].get_absolute_url() not in page.html


def test_days_outside_the_range_are_left_out(operator: Client, batches: list[Batch]) -> None:
    old = timezone.now() - timedelta(days=400)
    Batch.objects.filter(pk=batches[0].pk).update(finished_at=old)
    day = timezone.localdate(old).isoformat()

    assert len(csv_of(operator)) == 2
    assert len(csv_of(operator, first=day, last=day)) == 1


def test_sandbox_batches_are_left_out_with_a_word_until_asked_for(
    operator: Client, batches: list[Batch]
) -> None:
    Connection.objects.filter(pk=batches[2].connection_id).update(is_sandbox=True)

    assert "1 sandbox batch is left out" in page_of(operator, "/report/").text
    assert len(csv_of(operator)) == 2
    made_up = usd(batches[2].actual_cost_usd)
    page = page_of(operator, "/report/", sandbox="on")
    included = f"1 sandbox batch is included, although nothing was paid for it: {made_up} of"
    assert included in page.text
    assert len(csv_of(operator, sandbox="on")) == 3


@pytest.mark.parametrize(
    "query", [{"project": "first"}, {"first": "2020-01-01", "last": "2020-01-31"}, {"model": "x"}]
)
def test_sandbox_batches_outside_of_what_was_asked_for_are_not_spoken_of(
    operator: Client, batches: list[Batch], query: dict[str, str]
) -> None:
    Connection.objects.filter(pk=batches[2].connection_id).update(is_sandbox=True)

    for sandbox in ({}, {"sandbox": "on"}):
        page = page_of(operator, "/report/", **query, **sandbox)
        assert "sandbox batch" not in page.text


def bars_of(page: Page) -> list[str]:
    """Return what the chart says of the cost of each bar."""
    return [text.partition(", ")[0] for text in page.texts(".tip > span:not(.keyed)")]


def test_the_bars_add_up_to_the_total_below_them(operator: Client, batches: list[Batch]) -> None:
    old = timezone.now() - timedelta(days=3)
    Batch.objects.filter(pk=batches[0].pk).update(finished_at=old)
    first, last = timezone.localdate(old), timezone.localdate()

    page = page_of(operator, "/report/", first=first.isoformat(), last=last.isoformat())

    costs = [batch.actual_cost_usd or Decimal(0) for batch in batches]
    assert bars_of(page) == [usd(costs[0]), usd(costs[1] + costs[2])]
    assert len(page.all(".slot")) == 4
    assert len(page.all(".chart tbody tr")) == 2
    assert f": {usd(sum(costs, Decimal(0)))} in all." in page.one(".bars")["aria-label"]
    assert usd(sum(costs, Decimal(0))) in page.one("tfoot").text


def test_the_chart_is_of_what_was_asked_for(operator: Client, batches: list[Batch]) -> None:
    Connection.objects.filter(pk=batches[2].connection_id).update(is_sandbox=True)
    costs = [batch.actual_cost_usd or Decimal(0) for batch in batches]

    for query, cost in (
        ({}, costs[0] + costs[1]),
        ({"sandbox": "on"}, sum(costs, Decimal(0))),
        ({"sandbox": "on", "project": "second"}, costs[2]),
    ):
        page = page_of(operator, "/report/", **query)
        assert f": {usd(cost)} in all." in page.one(".bars")["aria-label"]


@pytest.mark.parametrize(("days", "unit"), [(92, "day"), (93, "month"), (3000, "year")])
def test_a_longer_range_is_told_in_larger_steps(
    operator: Client, batches: list[Batch], days: int, unit: str
) -> None:
    last = timezone.localdate()
    first = last - timedelta(days=days - 1)

    page = page_of(operator, "/report/", first=first.isoformat(), last=last.isoformat())

    assert page.one("figcaption").text == f"Cost per {unit}"
    assert len(bars_of(page)) == 1


def test_what_has_no_price_is_said_and_not_drawn_as_nothing(
    operator: Client, batches: list[Batch]
) -> None:
    ModelCost.objects.filter(batch=batches[2]).update(cost_usd=None)
    Batch.objects.filter(pk=batches[2].pk).update(finished_at=timezone.now() - timedelta(days=1))
    yesterday = timezone.localdate() - timedelta(days=1)

    page = page_of(
        operator, "/report/", first=yesterday.isoformat(), last=timezone.localdate().isoformat()
    )

    unknown, known = bars_of(page)
    assert unknown == "1 cost without a price"
    assert known == usd((batches[0].actual_cost_usd or 0) + (batches[1].actual_cost_usd or 0))
    assert page.one(".column .unpriced")


def test_bars_are_stacked_by_the_chosen_group_with_a_legend(
    operator: Client, batches: list[Batch]
) -> None:
    costs = [batch.actual_cost_usd or Decimal(0) for batch in batches]

    page = page_of(operator, "/report/", first=timezone.localdate().isoformat())

    assert page.texts(".legend li") == ["First", "Second"]
    assert page.texts("td.cost")[:2] == [usd(costs[0] + costs[1]), usd(costs[2])]
    assert page.texts(".tip bdi") == ["First", "Second"]
    assert len(page.all(".column [class^=series-]")) == 2
    assert len(page.all("td.lead [class^=series-]")) == 2
    assert not page_of(operator, "/report/", by="model").all(".legend")


def test_a_bar_leads_to_the_report_of_its_day_or_month(
    operator: Client, batches: list[Batch]
) -> None:
    today = timezone.localdate()
    month_before = today.replace(day=1) - timedelta(days=1)
    first = (today - timedelta(days=300)).isoformat()
    Batch.objects.filter(pk=batches[0].pk).update(
        finished_at=timezone.now().replace(
            year=month_before.year, month=month_before.month, day=15
        )
    )

    days = page_of(operator, "/report/", first=month_before.isoformat(), by="model").all("a.slot")
    months = page_of(operator, "/report/", first=first).all("a.slot")

    assert [(day["href"], day["aria-label"].partition(":")[0]) for day in days] == [
        (f"?first={today}&by=model&last={today}", f"{today:%-d %b %Y}")
    ]
    assert [month["href"] for month in months] == [
        f"?first={month_before.replace(day=1)}&last={month_before}",
        f"?first={today.replace(day=1)}&last={today}",
    ]
    assert "2 batches" in months[1]["aria-label"]


def test_the_table_below_the_chart_has_the_links_of_its_bars(
    operator: Client, batches: list[Batch]
) -> None:
    page = page_of(operator, "/report/")

    assert page.all("a.slot")
    assert [bar["href"] for bar in page.all("a.slot")] == list(
        page.one(".chart details").links.values()
    )


def test_the_bar_of_the_only_day_leads_nowhere(operator: Client, batches: list[Batch]) -> None:
    today = timezone.localdate().isoformat()

    page = page_of(operator, "/report/", first=today, last=today)

    assert len(page.all("span.slot")) == 1
    assert page.one(".bars")["role"] == "img"


def test_periods_are_links_that_keep_the_rest_and_one_of_them_is_current(
    operator: Client,
) -> None:
    page = page_of(operator, "/report/", by="user", page="3")
    today = timezone.localdate()
    periods = page.one(".filters .chips")

    assert list(periods.links) == ["This month", "Last month", "Last 90 days", "This year"]
    assert periods.links["Last 90 days"] == (
        f"?by=user&first={today - timedelta(days=89)}&last={today}"
    )
    assert periods.texts("[aria-current]") == ["This month"]
    own = page_of(operator, "/report/", first="2020-01-01", last="2020-01-02")
    assert own.one(".filters .chips").texts("[aria-current]") == ["Custom…"]
    assert own.one(".filters .chips").values["first"] == "2020-01-01"
    grouping = page.one("[aria-label='Group by']")
    assert grouping.texts("[aria-current]") == ["Person"]


def test_what_the_report_is_narrowed_to_is_named_and_can_be_left(
    operator: Client, batches: list[Batch]
) -> None:
    page = page_of(operator, "/report/", project="second", model="Qwen/Qwen3-30B", by="user")

    assert page.links["Project: Second remove"] == "?model=Qwen%2FQwen3-30B&by=user"
    assert page.links["Model: Qwen/Qwen3-30B remove"] == "?project=second&by=user"


def test_the_figures_at_the_top_are_those_of_the_total(
    operator: Client, batches: list[Batch]
) -> None:
    total = sum((batch.actual_cost_usd or Decimal(0) for batch in batches), Decimal(0))

    page = page_of(operator, "/report/")

    figures = dict(zip(page.texts(".stat span"), page.texts(".stat b"), strict=True))
    assert figures.pop("Saved against realtime, 36 %").startswith("$0.00")
    assert figures == {"Paid": usd(total), "Batches": "3", "Requests": "11"}


def test_without_batches_there_is_no_chart(operator: Client) -> None:
    assert not page_of(operator, "/report/").all("figure")


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("", ["First", "Second"]),
        ("cost", ["Second", "First"]),
        ("-cost", ["First", "Second"]),
        ("name", ["First", "Second"]),
        ("-name", ["Second", "First"]),
        ("-requests", ["First", "Second"]),
        ("batches", ["Second", "First"]),
        ("nonsense", ["First", "Second"]),
    ],
)
def test_the_breakdown_is_sorted_by_any_column(
    operator: Client, batches: list[Batch], sort: str, names: list[str]
) -> None:
    page = page_of(operator, "/report/", sort=sort)

    assert page.texts("td.lead a") == names


def test_costs_without_a_price_make_the_total_a_floor(
    operator: Client, batches: list[Batch]
) -> None:
    unpriced = make_upload(batches[0].project, content=request_file(model="new/model"))
    finish(make_batch(upload=unpriced), [answer_line(1)])

    foot = page_of(operator, "/report/").one("tfoot").text

    assert "≥ $" in foot
    assert "1 cost without a price" in foot
    assert [row["cost_usd"] for row in csv_of(operator) if row["model"] == "new/model"] == [""]


@pytest.mark.parametrize(
    "query",
    [
        {"first": "2026-02-31"},
        {"first": "2026-03-01", "last": "2026-02-01"},
        {"last": "9999-12-31"},
        {"by": "nonsense"},
        {"page": "-1"},
    ],
)
def test_a_question_that_makes_no_sense_is_not_a_crash(
    operator: Client, query: dict[str, str]
) -> None:
    assert operator.get("/report/", query).status_code == 200


@pytest.mark.parametrize("query", [{"first": "2026-02-31"}, {"model": "a\0"}, {"user": "u" * 255}])
def test_what_was_not_understood_is_said_and_never_answered_with_other_figures(
    operator: Client, batches: list[Batch], query: dict[str, str]
) -> None:
    response = operator.get("/report/batches.csv", query, follow=True)

    assert [status for _, status in response.redirect_chain] == [302]
    assert 'class="errorlist"' in response.content.decode()


def test_names_cannot_become_formulas(operator: Client, batches: list[Batch]) -> None:
    Batch.objects.update(name='=HYPERLINK("https://evil.test")')

    assert {row["name"][0] for row in csv_of(operator)} == {"'"}


def test_it_takes_as_many_queries_for_many_batches_as_for_few(
    operator: Client, batches: list[Batch], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(11) as seen:
            page_of(operator, "/report/")
        return len(seen)

    few = queries()
    for _ in range(3):
        finish(make_batch(batches[0].project))

    assert queries() == few


def test_what_an_operator_is_a_member_of_is_linked(client: Client) -> None:
    user: User = make_user(is_staff=True)
    batch = finish(make_batch(make_project(user), user))
    client.force_login(user)

    assert batch.get_absolute_url() in page_of(client, "/report/").html
