"""What was spent in all projects."""

import csv
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import time_machine
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.domain.batch_labels import Labels
from batchapp.models import Batch, Connection, ModelCost, Project, ProviderKey, User
from batchapp.presenters import cross_tab_table
from batchapp.services.labels import batch_labels
from batchapp.services.reports import cost_report
from batchapp.services.reports.dimensions import DIMENSIONS
from batchapp.services.reports.scope import Scope
from batchapp.templatetags.words import usd
from batchapp.views.reports import cost_report as cost_report_views
from batchapp.views.reports import report_page
from tests.html import Page, page_of
from tests.make import (
    EDITOR,
    OWNER,
    VIEWER,
    answer_line,
    finish,
    join,
    make_administrator,
    make_batch,
    make_project,
    make_upload,
    make_user,
    request_file,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(make_administrator())
    return client


@pytest.fixture(scope="module")
def rows_of_module(module_rows: None) -> list[Batch]:
    """Two projects, three batches of 3, 5 and 3 requests."""
    first, second = (
        make_project(name="First", slug="first"),
        make_project(name="Second", slug="second"),
    )
    larger = make_upload(first, content=request_file(5))
    made = [make_batch(first), make_batch(first, upload=larger), make_batch(second, window="1h")]
    return [finish(batch) for batch in made]


@pytest.fixture
def batches(rows_of_module: list[Batch]) -> list[Batch]:
    """The batches of the module as objects that a test may change."""
    return deepcopy(rows_of_module)


def csv_of(browser: Client, /, **query: str) -> list[dict[str, str]]:
    text = b"".join(browser.get("/report/batches.csv", query)).decode("utf-8-sig")
    return list(csv.DictReader(text.splitlines()))


def test_whoever_is_in_no_project_reads_no_report(client: Client) -> None:
    client.force_login(make_user())

    for url in ("/report/", "/report/batches.csv", "/report/accuracy/"):
        response = client.get(url)
        assert response.status_code == 403
        assert "The report is about the projects that you are in" in response.content.decode()


@pytest.mark.parametrize("role", [VIEWER, EDITOR, OWNER])
def test_members_read_the_report_of_their_own_projects_with_people_and_models(
    client: Client, batches: list[Batch], role: str
) -> None:
    join(person := make_user(), batches[2].project, role)
    client.force_login(person)

    page = page_of(client, "/report/", by="user")

    assert usd(batches[2].actual_cost_usd) in page.one("tfoot").text
    assert page.texts("td.lead.strong a") == [batches[2].created_by.email]
    assert [row["project"] for row in csv_of(client)] == ["Second"]
    assert page_of(client, "/").links["Report"] == "/report/"
    assert page_of(client, "/projects/second/").one("#report")["href"] == "/report/?project=second"


def test_a_report_narrowed_to_a_foreign_project_or_key_tells_nothing_of_it(
    client: Client, batches: list[Batch]
) -> None:
    foreign = batches[0]
    join(person := make_user(), batches[2].project, OWNER)
    client.force_login(person)

    for query in (
        {"project": foreign.project.slug},
        {"key": str(foreign.key_id)},
        {"user": foreign.created_by.email, "project": foreign.project.slug},
        {"connection": "99999"},
    ):
        page = page_of(client, "/report/", **query)
        assert "Nothing was paid for in these days" in page.text
        assert foreign.project.name not in page.one("main").text
        assert csv_of(client, **query) == []


def test_a_deactivated_person_and_a_removed_key_keep_their_names(
    operator: Client, batches: list[Batch]
) -> None:
    batch = batches[0]
    User.objects.filter(pk=batch.created_by_id).update(is_active=False)
    ProviderKey.objects.filter(pk=batch.key_id).update(ciphertext="")

    people = page_of(operator, "/report/", by="user").texts("td.lead.strong a")
    keys = page_of(operator, "/report/", by="key", project="first").texts("td.lead.strong a")

    assert batch.created_by.email in people
    assert str(batch.key) in keys


def test_a_deleted_project_keeps_its_line_for_auditors(
    operator: Client, batches: list[Batch]
) -> None:
    Project.objects.filter(slug="second").update(deleted_at=timezone.now())

    rows = {
        row.one("a").text: row.text for row in page_of(operator, "/report/").all("td.lead.strong")
    }

    assert "deleted" in rows["Second"]  # another project may have the same name
    assert "deleted" not in rows["First"]


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


@pytest.mark.parametrize("by", [*DIMENSIONS])
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


def test_the_zone_of_the_portal_decides_to_which_month_a_batch_belongs(
    operator: Client, batches: list[Batch], settings: LazySettings
) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    end = datetime(2026, 9, 30, 11, 0, tzinfo=UTC)  # the first of October, 00:00, in Auckland
    Batch.objects.filter(pk=batches[0].pk).update(finished_at=end)
    Batch.objects.filter(pk=batches[1].pk).update(finished_at=end - timedelta(seconds=1))
    User.objects.update(time_zone="America/Los_Angeles")

    september, october = (
        [row["batch"] for row in csv_of(operator, first=first, last=last)]
        for first, last in (("2026-09-01", "2026-09-30"), ("2026-10-01", "2026-10-31"))
    )

    assert october == [str(batches[0].pk)]
    assert september == [str(batches[1].pk)]


@pytest.mark.parametrize(
    ("zone", "midnight"),
    [
        ("Pacific/Kiritimati", datetime(2026, 10, 31, 10, tzinfo=UTC)),
        ("Pacific/Pago_Pago", datetime(2026, 11, 1, 11, tzinfo=UTC)),
        ("America/Havana", datetime(2026, 11, 1, 4, tzinfo=UTC)),  # where midnight comes twice
    ],
)
def test_the_ranges_on_offer_are_those_of_the_portal_and_the_page_says_so(
    client: Client, settings: LazySettings, zone: str, midnight: datetime
) -> None:
    settings.TIME_ZONE = zone
    reader = make_administrator(time_zone="Asia/Kathmandu")
    pages = []

    for moment in (midnight - timedelta(seconds=1), midnight):
        with time_machine.travel(moment, tick=False):
            client.force_login(reader)
            pages.append(page_of(client, "/report/"))
            reliability = page_of(client, "/report/reliability/")

    before, after = pages
    assert f", time zone {zone}" in before.text
    assert f", time zone {zone}" in reliability.text
    assert "1 to 31 October 2026" in before.text
    assert "1 November 2026" in after.text
    offered = [[row["data-first"] for row in page.all("a[data-first]")] for page in pages]
    ends = [[row["data-last"] for row in page.all("a[data-last]")] for page in pages]
    assert offered == [
        ["2026-10-01", "2026-09-01", "2026-08-03", "2026-01-01"],
        ["2026-11-01", "2026-10-01", "2026-08-04", "2026-01-01"],
    ]
    assert ends == [
        ["2026-10-31", "2026-09-30", "2026-10-31", "2026-10-31"],
        ["2026-11-01", "2026-10-31", "2026-11-01", "2026-11-01"],
    ]


def test_a_month_is_compared_with_the_one_before_in_all_and_by_group(
    operator: Client, batches: list[Batch]
) -> None:
    for batch, day, cost in zip(batches, (5, 5, 7), ("3", "1", "2"), strict=True):
        month = 9 if batch is batches[0] else 10
        end = datetime(2025, month, day, 12, tzinfo=UTC)
        Batch.objects.filter(pk=batch.pk).update(finished_at=end)
        ModelCost.objects.filter(batch=batch).update(cost_usd=Decimal(cost))

    page = page_of(operator, "/report/", first="2025-10-01", last="2025-10-31")

    assert "Paid $3.00 +$0.00, as in September" in page.one(".stats").text or (
        "$0.00, as in September" in page.one(".stats").text
    )
    changes = [row.all("td")[6].text for row in page.all("table.grid tbody tr")[:2]]
    assert changes == ["new", "\u2212$2.00 \u221267 %"]


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

    assert "nothing was paid for it: 1 sandbox batch." in page_of(operator, "/report/").text
    assert len(csv_of(operator)) == 2
    made_up = usd(batches[2].actual_cost_usd)
    page = page_of(operator, "/report/", sandbox="on")
    included = f"Included, although nothing was paid for it: 1 sandbox batch. {made_up} of"
    assert included in page.text
    assert len(csv_of(operator, sandbox="on")) == 3


def test_a_report_that_is_empty_without_the_sandbox_offers_to_include_it(
    operator: Client, batches: list[Batch]
) -> None:
    Connection.objects.update(is_sandbox=True)

    empty = page_of(operator, "/report/", by="model").one(".empty")
    included = page_of(operator, "/report/" + empty.links["Include the sandbox"])

    assert "Nothing was paid for in these days" in empty.text
    assert f"nothing was paid for it: {len(batches)} sandbox batches." in empty.text
    assert not included.all(".empty")
    assert "Included, although nothing was paid for it" in included.text


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
    today = timezone.localdate()

    page = page_of(operator, "/report/", first=str(today - timedelta(days=40)), last=str(today))

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
    assert figures.pop("Saved by batches, 36 %").startswith("$0.00")
    assert figures == {"Paid": usd(total), "Batches": "3", "Requests": "11"}


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
        {"key": "no-key"},
        {"connection": "x"},
        {"connection": "99999999999999999999"},
        {"first": "2024-02-29", "last": "2024-02-29"},
        {"first": "2100-12-31", "last": "2100-12-31"},
        {"first": "2000-01-01", "last": "2100-12-31"},
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


def test_excel_reads_the_umlauts_of_the_csv(operator: Client, batches: list[Batch]) -> None:
    Batch.objects.update(name="Rückmeldungen")

    content = b"".join(operator.get("/report/batches.csv"))

    assert content.startswith(b"\xef\xbb\xbf")
    assert {row["name"] for row in csv_of(operator)} == {"Rückmeldungen"}


def test_it_takes_as_many_queries_for_many_batches_as_for_few(
    operator: Client, batches: list[Batch], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    def queries() -> int:
        with django_assert_max_num_queries(21) as seen:
            page_of(operator, "/report/")
        return len(seen)

    few = queries()
    for _ in range(3):
        finish(make_batch(batches[0].project))

    assert queries() == few


def test_what_an_operator_is_a_member_of_is_linked(client: Client) -> None:
    user: User = make_administrator()
    batch = finish(make_batch(make_project(user), user))
    client.force_login(user)

    assert batch.get_absolute_url() in page_of(client, "/report/").html


# Tags and cost centres


@pytest.fixture
def labelled(batches: list[Batch]) -> list[Batch]:
    for batch, tags, cost_centre in zip(
        batches, [("north", "urgent"), ("=cmd",), ()], ["CC 1", "=CC", ""], strict=True
    ):
        labels = Labels(tags, cost_centre)
        batch_labels.set_labels(batch, batch.created_by, labels)
    return batches


def costs_of(page: Page) -> dict[str, str]:
    """Return the name of each line of the report -> its cost, exact."""
    return {
        row.one(".lead").text: row.one(".cost [title]")["title"]
        for row in page.all("table.grid tbody tr, table.grid tfoot tr")
        if row.all(".cost [title]")
    }


def test_a_batch_with_two_tags_counts_in_both_lines_and_once_in_the_total(
    operator: Client, labelled: list[Batch]
) -> None:
    first, second, third = (ModelCost.objects.get(batch=batch).cost_usd for batch in labelled)

    page = page_of(operator, "/report/", by="tag")

    assert costs_of(page) == {
        "north": usd(first),
        "urgent": usd(first),
        "=cmd": usd(second),
        "No tag": usd(third),
        "Total": usd(first + second + third),
    }
    assert "A batch with several tags counts in the line of each" in page.text
    assert "that they have now, also for what was paid before a change" in page.text


@pytest.mark.parametrize("by", ["cost_centre", "project", "user"])
def test_lines_of_groups_without_overlap_add_up_to_the_total_to_the_last_digit(
    labelled: list[Batch], by: str
) -> None:
    ModelCost.objects.filter(batch=labelled[0]).update(cost_usd=Decimal("0.00000001"))
    ModelCost.objects.filter(batch=labelled[1]).update(cost_usd=Decimal("123456.78901234"))
    ModelCost.objects.filter(batch=labelled[2]).update(cost_usd=Decimal("0.10000000"))
    today = timezone.localdate()
    scope = Scope(today - timedelta(days=2), today, make_administrator())

    sums = cost_report.sum_up(scope, by)

    total = sum((line.cost_usd for line in sums.lines), Decimal(0))
    assert total == sums.total.cost_usd == Decimal("123456.88901235")
    assert sum(line.batches for line in sums.lines) == sums.total.batches == 3


def test_a_line_of_a_tag_or_cost_centre_leads_to_its_own_report(
    operator: Client, labelled: list[Batch]
) -> None:
    for by, name in (
        ("tag", "north"),
        ("tag", "No tag"),
        ("cost_centre", "CC 1"),
        ("cost_centre", "No cost centre"),
    ):
        page = page_of(operator, "/report/", by=by)
        narrowed = page_of(operator, f"/report/{page.links[name]}")
        kind = {"tag": "Tag", "cost_centre": "Cost centre"}[by]
        assert f"{kind}: {'none' if name.startswith('No ') else name}" in narrowed.text
        assert costs_of(narrowed)["Total"] == costs_of(page)[name]


def test_tags_and_cost_centres_in_the_csv_do_nothing_in_a_spreadsheet(
    operator: Client, labelled: list[Batch]
) -> None:
    rows = {row["batch"]: row for row in csv_of(operator)}

    assert [rows[str(batch.pk)]["tags"] for batch in labelled] == ["north, urgent", "'=cmd", ""]
    assert [rows[str(batch.pk)]["cost_centre"] for batch in labelled] == ["CC 1", "'=CC", ""]
    assert [row["tags"] for row in csv_of(operator, tag="north")] == ["north, urgent"]
    assert len(csv_of(operator, without="tag")) == 1
    assert csv_of(operator, tag="no-such-tag") == []


# The cross-tab, the forecast and the order of the batches


def test_each_cell_opens_the_report_that_it_is_the_sum_of(
    operator: Client, labelled: list[Batch]
) -> None:
    for by, across in (("tag", "cost_centre"), ("cost_centre", "tag"), ("user", "time")):
        page = page_of(operator, "/report/", by=by, across=across)
        cells = [cell for cell in page.all(".cross tbody td") if cell.all("a")]
        assert len(cells) >= 3
        for cell in cells:
            opened = page_of(operator, f"/report/{cell.one('a')['href']}")
            total = opened.one("tfoot .cost [title]")["title"]
            assert cell["title"].partition(", ")[0] == total, (by, across)


def test_a_report_on_a_tag_offers_no_wrong_address_for_the_other_tags_of_its_batches(
    operator: Client, labelled: list[Batch]
) -> None:
    lines = page_of(operator, "/report/", by="tag", tag="north").one("#table")
    cells = page_of(operator, "/report/", by="tag", across="time", tag="north")

    assert lines.texts("td.lead.strong a") == ["north", "urgent"]
    assert "tag=north" in lines.links["north"]
    assert "urgent" not in lines.links
    assert [link.text for link in cells.all(".cross tbody th a")] == ["north"]


def test_the_smaller_lines_are_shown_if_they_are_asked_for(
    operator: Client, batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (cost_report_views, cross_tab_table):
        for name in ("MAX_LINES", "MAX_ROWS"):
            monkeypatch.setattr(module, name, 1, raising=False)

    for query in ({}, {"across": "model"}):
        page = page_of(operator, "/report/", **query)
        more = page.one(".more-lines")
        everything = page_of(operator, f"/report/{more.one('a')['href'].partition('#')[0]}")
        assert "1 smaller line is not shown" in more.text
        assert "Second" not in page.one("#table").text
        assert "Second" in everything.one("#table").text
        assert page.one("#table tfoot").text == everything.one("#table tfoot").text


def test_the_most_expensive_batches_can_come_first(operator: Client, batches: list[Batch]) -> None:
    for batch, cost in zip(batches, ("1", "30", "2"), strict=True):
        ModelCost.objects.filter(batch=batch).update(cost_usd=Decimal(cost))

    page = page_of(operator, "/report/", order="cost")

    assert page.texts("#batches td.number") == ["$30.00", "$2.00", "$1.00"]


def test_the_forecast_says_its_range_and_how_it_was_found(
    operator: Client, batches: list[Batch], monkeypatch: pytest.MonkeyPatch
) -> None:
    today = date(2026, 11, 20)
    for module in (cost_report_views, report_page):
        monkeypatch.setattr(module, "portal_today", lambda: today)
    ModelCost.objects.update(cost_usd=Decimal(3))
    for batch, days in zip(batches, (0, 20, 40), strict=True):
        end = datetime(2026, 11, 20, 12, tzinfo=UTC) - timedelta(days=days)
        Batch.objects.filter(pk=batch.pk).update(finished_at=end)

    page = page_of(operator, "/report/")
    earlier = page_of(operator, "/report/", first="2026-10-01", last="2026-10-31")

    assert "$3.00 to $6.00" in page.one("#forecast").text
    assert "10 days after today. In the last 40 days, any 10 days in a row cost" in page.text
    assert not earlier.all("#forecast")
    ModelCost.objects.filter(batch=batches[1]).update(cost_usd=None)
    assert not page_of(operator, "/report/").all("#forecast")


def test_what_estimates_were_is_told_beside_what_was_paid(
    operator: Client, batches: list[Batch]
) -> None:
    ModelCost.objects.update(estimated_cost_usd=Decimal(2), cost_usd=Decimal(1))

    said = page_of(operator, "/report/").text

    assert "Answered requests cost 50 % less than estimated: $3.00 against $6.00." in said
