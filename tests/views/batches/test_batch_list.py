"""The table of batches: its columns, its filters and its pages."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, BatchTag, Project, ProviderBatch, User
from batchapp.pipeline.states import BATCH_STATES
from batchapp.presenters.pagination import PAGE_SIZE
from tests.html import Page, page_of
from tests.make import (
    VIEWER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_project,
    make_upload,
    make_user,
    request_file,
    set_state,
)
from tests.sentences import problem

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
URL = "/projects/support/batches/"


def names(page: Page) -> list[str]:
    return page.texts("a[id^=batch-]")


def link(page: Page, label: str) -> str:
    """Return the address of the pager's ``label``, "" without one."""
    return page.links.get(label, "")


def many(project: Project, user: User, number: int, **fields: Any) -> None:
    """Batches 1 to ``number``, oldest first, over unless ``fields`` say otherwise."""
    first = make_batch(project, user, name="Batch 0")
    same = {
        field.attname: getattr(first, field.attname)
        for field in Batch._meta.concrete_fields
        if field.attname not in {"id", "submission", "name", "created_at"}
    }
    same |= {"status": Batch.Status.COMPLETED, "succeeded": 3, "usable": 3}
    same |= {"next_check_at": None} | fields
    first.delete()
    Batch.objects.bulk_create(Batch(**same, name=f"Batch {n}") for n in range(1, number + 1))


def test_each_column_says_its_thing(browser: Client, project: Project, user: User) -> None:
    others = request_file(1, model="org/Second-Model").replace(b"row-", b"new-")
    batch = make_batch(project, user, upload=make_upload(project, content=request_file() + others))
    Batch.objects.filter(pk=batch.pk).update(created_at=timezone.now() - timedelta(hours=2))
    set_state(batch, status=ProviderBatch.Status.RUNNING, completed=1, failed=1)

    page = page_of(browser, "/batches/")

    heads = page.texts("thead th")
    cells = dict(zip(heads, page.all("tbody td"), strict=True))
    assert cells["Name"].one("span[title]")["title"] == "Support tickets"
    assert cells["Model"].text == "Qwen3-30B +1"
    assert cells["Model"].one("[title]")["title"] == "Qwen/Qwen3-30B, org/Second-Model"
    assert cells["Window, due"].text == "24 h"
    assert cells["By"].one("[title]")["title"] == str(user)
    assert cells["Created"].text == "2 h ago"
    assert cells["Requests"].text == "50 %"
    counts = "2 of 4 requests have ended, 1 of them failed"
    assert cells["Requests"].one("svg")["aria-label"] == counts
    answered, failed = (cells["Requests"].one(f"rect.{each}") for each in ("answered", "failed"))
    assert (answered["width"], failed["x"], failed["width"]) == ("25%", "25%", "25%")
    assert cells["Cost"].text.startswith("≥ $")
    assert cells["Cost"].one("span.cost")["title"].startswith("Estimated: ≥ $")


def test_a_very_small_cost_is_exact_in_its_title(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user))
    Batch.objects.filter(pk=batch.pk).update(actual_cost_usd="0.000042")

    cost = page_of(browser, "/batches/").one("#rows span.cost")

    assert (cost.text, cost["title"]) == ("<$0.0001", "$0.000042")


def test_failures_stand_beside_the_number_of_requests(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user))
    Batch.objects.filter(pk=batch.pk).update(requests=1000, succeeded=999, failed=1)

    page = page_of(browser, "/batches/")

    assert "1,000, 1 failed" in page.text
    assert not page.all("#rows progress, #rows svg.meter")  # a bar only while it runs


def test_what_needs_a_person_comes_first_with_its_reason(
    browser: Client, project: Project, user: User
) -> None:
    stuck = make_batch(project, user, name="Stuck")
    reason = "The account has no credits left."
    set_state(
        stuck,
        parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION,
        status=ProviderBatch.Status.WAITING,
        problem=problem(reason),
    )
    many(project, user, 2 * PAGE_SIZE, status=Batch.Status.RUNNING)
    finish(make_batch(project, user, name="Over"))

    first = page_of(browser, "/batches/")
    second = page_of(browser, f"/batches/{link(first, 'Next')}")

    assert names(first)[0] == "Stuck"
    assert first.texts(".lead small") == [reason]
    assert names(page_of(browser, f"/batches/{link(second, 'Previous')}")) == names(first)
    Batch.objects.filter(pk=stuck.pk).update(status=Batch.Status.FAILED)
    over = page_of(browser, "/batches/?status=failed")
    assert names(over) == ["Stuck"]
    assert not over.all(".lead small")


def test_a_batch_is_found_by_all_it_is_known_by(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, name="tickets.jsonl")
    batch = make_batch(project, user, name="Wanted", upload=upload)
    set_state(batch, remote_id="batch_6f1c2a90")
    make_batch(project, user, name="Other")

    for text in ("want", "TICKETS", str(batch.pk), str(batch.pk)[:11], batch.pk.hex, "batch_6f1c"):
        assert names(page_of(browser, "/batches/", q=text)) == ["Wanted"], text
    assert names(page_of(browser, "/batches/", q="batch_")) == []
    assert names(page_of(browser, "/batches/", q=make_batch(name="Foreign").pk)) == []


def test_filters_by_window_days_and_lateness(
    browser: Client, project: Project, user: User
) -> None:
    slow, fast = (make_batch(project, user, name=name) for name in ("Slow", "Fast"))
    Batch.objects.filter(pk=fast.pk).update(window="1h")
    day = timezone.localtime() - timedelta(days=10)
    Batch.objects.filter(pk=slow.pk).update(created_at=day)
    set_state(fast, expires_at=timezone.now() + timedelta(hours=1))
    set_state(slow, expires_at=timezone.now() - timedelta(hours=1))
    then = f"{day:%Y-%m-%d}"

    assert names(page_of(browser, "/batches/", window="1h")) == ["Fast"]
    assert names(page_of(browser, "/batches/", status="late")) == ["Slow"]
    assert names(page_of(browser, "/batches/", first=then, last=then)) == ["Slow"]
    after = f"{day + timedelta(days=1):%Y-%m-%d}"
    assert names(page_of(browser, "/batches/", first=after)) == ["Fast"]

    set_state(slow, ended_at=timezone.now() - timedelta(hours=2))
    assert names(page_of(browser, "/batches/", status="late")) == []


def test_a_range_that_makes_no_sense_is_said_and_can_be_cleared(browser: Client) -> None:
    page = page_of(browser, "/batches/", first="2026-02-02", last="2026-01-01")

    assert "The range ends before it begins" in page.text
    assert page.links["Clear filters"] == "/batches/"


def test_what_matches_nothing_can_be_cleared(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user)

    page = page_of(browser, URL, q="nothing like it")

    assert "No batch has “nothing like it” in its name, file or id" in page.text
    assert page.links["Clear filters"] == URL
    assert page.one("#filters").values["q"] == "nothing like it"
    assert "Searched in this project, any time." in page.text
    month = timezone.localdate().replace(day=1).isoformat()
    days = {"first": month, "last": timezone.localdate().isoformat()}
    page = page_of(browser, "/batches/", q="nothing like it", project="support", **days)
    assert f"Searched in {project.name}, this month." in page.text


def test_a_batch_with_doubtful_answers_is_not_called_completed_alone(
    browser: Client, project: Project, user: User
) -> None:
    cut_short = answer_line(2).replace(b'"stop"', b'"length"')
    finish(make_batch(project, user), [answer_line(1), cut_short, answer_line(3)])

    page = page_of(browser, "/batches/?status=with_doubts")

    assert page.one("#rows tbody .pill.warn").text == "Completed with doubts"
    assert "2 of 3" in page.one("#rows tbody tr").text


def test_active_ones_come_first_unless_the_switch_is_off(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user, name="Older, active")
    finish(make_batch(project, user, name="Newer, over"))

    assert names(page_of(browser, "/batches/")) == ["Older, active", "Newer, over"]
    off = page_of(browser, "/batches/?active_first=no")
    assert names(off) == ["Newer, over", "Older, active"]
    on = page_of(browser, "/batches/?active_first=no&active_first=on")
    assert names(on) == ["Older, active", "Newer, over"]
    switch = "input[name=active_first][type=checkbox]"
    assert "checked" in on.one(switch)
    assert "checked" not in off.one(switch)


@pytest.mark.parametrize("query", ["", "?active_first=no", "?status=completed"])
def test_pages_lead_through_all_rows_and_back(
    browser: Client, project: Project, user: User, query: str
) -> None:
    many(project, user, 2 * PAGE_SIZE + 3)
    first = page_of(browser, f"{URL}{query}")
    second = page_of(browser, URL + link(first, "Next"))
    third = page_of(browser, URL + link(second, "Next"))

    listed = [*names(first), *names(second), *names(third)]
    assert listed == [f"Batch {n}" for n in range(2 * PAGE_SIZE + 3, 0, -1)]
    assert "1\u201325 of " in first.text
    assert "26\u201350 of " in second.text
    assert "51\u201353 of " in third.text
    assert not link(first, "Previous")
    assert not link(third, "Next")
    assert names(page_of(browser, URL + link(third, "Previous"))) == names(second)
    assert names(page_of(browser, URL + link(second, "Previous"))) == names(first)
    assert link(third, "First") == (query or URL)


def test_active_and_finished_ones_share_a_page(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, PAGE_SIZE - 1)
    many(project, user, PAGE_SIZE - 1, status=Batch.Status.RUNNING)

    first = page_of(browser, URL)
    second = page_of(browser, URL + link(first, "Next"))

    assert names(first)[-2:] == ["Batch 1", "Batch 24"]
    assert names(second) == [f"Batch {n}" for n in range(23, 0, -1)]
    assert names(page_of(browser, URL + link(second, "Previous"))) == names(first)


def test_a_page_stays_where_it_is_while_batches_arrive(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, 2 * PAGE_SIZE)
    address = URL + link(page_of(browser, URL), "Next")
    before = page_of(browser, address)
    many(project, user, 3)

    after = page_of(browser, address)

    assert names(after) == names(before)
    assert "29\u201353 of " in after.text
    back = page_of(browser, URL + link(after, "Previous"))
    assert names(back)[-1] == f"Batch {PAGE_SIZE + 1}"
    start = page_of(browser, URL + link(back, "Previous"))
    assert "1\u201325 of " in start.text


def test_a_place_that_nobody_made_leads_to_the_start(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user, name="Here")
    places = [
        "x",
        "1-2",
        "1-x-y",
        f"1-{'9' * 40}-{'0' * 32}",
        f"0-{'9' * 5000}-{'0' * 32}",
        "0-0-\0",
    ]

    for place in places:
        for side in ("after", "before"):
            page = page_of(browser, "/batches/", {side: place})
            assert names(page) == ["Here"], (side, place)


def test_many_batches_take_fourteen_queries_and_an_index(
    browser: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    many(project, user, 200)
    browser.get("/batches/")  # the first page of a session reads and writes more

    def look(address: str, wanted: str = "SEARCH batchapp_batch USING INDEX") -> Page:
        with django_assert_max_num_queries(14) as seen:
            page = page_of(browser, address)
        for plan in plans([query["sql"] for query in seen]):
            assert wanted in plan, plan
        return page

    for query in ("?active_first=on", "?project=support&active_first=no", "?sort=name"):
        wanted = {"wanted": "batch_list (project_id=?"} if "support" in query else {}
        address = f"/batches/{query}"
        for label in ("Next", "Previous", ""):
            page = look(address, **wanted)
            address = f"/batches/{link(page, label)}"
    for state in BATCH_STATES:
        look(f"/batches/?status={state.code}")
    batches = list(Batch.objects.all())
    BatchTag.objects.add(batches, ["everywhere"])
    BatchTag.objects.add(batches[:40], ["rare"])
    for tag in ("everywhere", "rare"):
        assert len(names(look(f"/batches/?tag={tag}", "batches_of_tag"))) == PAGE_SIZE
    look(f"/batches/?person={user.pk}")


def plans(queries: list[str]) -> list[str]:
    """How SQLite finds a page of batches; PostgreSQL chooses by statistics, which tests lack."""
    if connection.vendor != "sqlite":
        return []
    page_plans = []
    for query in queries:
        if " LIMIT 26" in query:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN QUERY PLAN {query}")
                page_plans.append(" / ".join(row[3] for row in cursor.fetchall()))
    assert page_plans
    return page_plans


def test_empty_lists_teach_and_name_one_thing_to_do(
    browser: Client, project: Project, user: User
) -> None:
    assert "Create the first batch" in page_of(browser, "/batches/").links
    assert "Create the first batch" in page_of(browser, URL).links
    files = page_of(browser, "/projects/support/files/")
    assert "There are no files yet" in files.text
    assert "Choose files" in files.one("#upload").text
    assert not files.all("#filters")
    project.memberships.all().delete()
    assert "Create a project" in page_of(browser, "/projects/").links


def test_empty_lists_offer_a_viewer_nothing_to_do(client: Client) -> None:
    project = make_project(slug="support")
    client.force_login(join(make_user(), project, VIEWER))

    assert "What members run is listed here" in page_of(client, URL).text
    assert "Create the first batch" not in page_of(client, URL).links
    assert "Choose a project" in page_of(client, "/batches/").links


def test_the_home_page_never_drops_an_old_batch_that_waits_for_a_person(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user, name="Stuck")
    set_state(batch, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)
    many(project, user, 60, status=Batch.Status.RUNNING)

    assert "Stuck" in names(page_of(browser, "/"))


def test_failed_requests_are_counted_beside_the_bar(
    browser: Client, project: Project, user: User
) -> None:
    finish(make_batch(project, user), output=[answer_line(1)], errors=[error_line(2)])

    assert "1 failed" in page_of(browser, "/batches/").text


def test_every_sort_leads_through_all_rows_and_back(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, PAGE_SIZE + 7)
    Batch.objects.filter(name__endswith="3").update(requests=90)

    for field, column in (("name", "name"), ("requests", "requests"), ("created", "created_at")):
        for sign, direction in (("", "ascending"), ("-", "descending")):
            sort = f"{sign}{field}"
            rows = Batch.objects.order_by(f"{sign}{column}", f"{sign}pk")
            expected = list(rows.values_list("name", flat=True))

            first = page_of(browser, "/batches/", sort=sort, active_first="no")
            second = page_of(browser, f"/batches/{link(first, 'Next')}")
            again = page_of(browser, f"/batches/{link(second, 'Previous')}")

            assert names(first) + names(second) == expected, sort
            assert names(again) == names(first), sort
            assert first.one("[aria-sort]")["aria-sort"] == direction, sort


def test_batches_are_ticked_in_the_list_and_compared(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user)
    pair = [finish(make_batch(upload=upload, name=f"Model {name}")) for name in "AB"]
    unanswered = make_batch(project, user, name="Not over")
    page = page_of(browser, f"{URL}?q=o")

    page = page_of(browser, URL + page.one("#select-batches")["href"])

    assert len(page.all("#select input[name=b]")) == 3
    assert page.one("#filters input[name=select]")["value"] == "on"
    assert page.one("#stop-selecting")["href"] == "?q=o"
    address = page.one("#select button[formaction]")["formaction"]
    ticked = page_of(browser, address, b=[str(batch.pk) for batch in pair])
    assert ticked.one("h1").text == "Compare 2 batches"
    for ids, says in (
        ([], "Tick 2 to 4 batches."),
        ([pair[0].pk, unanswered.pk], "Not over has no answers to compare."),
    ):
        nothing = page_of(browser, address, b=[str(pk) for pk in ids])
        assert says in nothing.text
        assert nothing.all("#select input[name=b]")


@pytest.mark.parametrize("url", ["/batches/", "/projects/support/batches/"])
def test_a_list_without_rows_offers_no_selection(
    browser: Client, project: Project, user: User, url: str
) -> None:
    assert not page_of(browser, url).all("#select-batches")
    make_batch(project, user, name="Letters")

    assert page_of(browser, url).all("#select-batches")
    assert not page_of(browser, url, q="none-such").all("#select-batches")
    # Whoever is selecting already can go back.
    assert page_of(browser, url, q="none-such", select="on").all("#stop-selecting")


def test_a_sort_that_nobody_offered_is_the_usual_one(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, 3)

    assert names(page_of(browser, "/batches/", sort="key__secret")) == names(
        page_of(browser, "/batches/")
    )


def test_a_batch_that_left_the_filter_still_marks_its_place(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, PAGE_SIZE + 5, status=Batch.Status.RUNNING)
    first = page_of(browser, "/batches/", status="active")
    last = Batch.objects.get(name=names(first)[-1])

    Batch.objects.filter(pk=last.pk).update(status=Batch.Status.COMPLETED)
    second = page_of(browser, f"/batches/{link(first, 'Next')}")

    assert len(names(second)) == 5
    assert not set(names(first)) & set(names(second))
