"""The table of batches: its columns, its filters and its pages."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import Batch, Project, ProviderBatch, User
from batchapp.presenters.pagination import SIZE
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
    set_part,
)

pytestmark = pytest.mark.django_db
URL = "/projects/support/batches/"


def html_of(browser: Client, url: str = "/batches/", /, **query: str) -> str:
    return browser.get(url, query).content.decode()


def names(html: str) -> list[str]:
    return re.findall(r'id="batch-[^>]*>([^<]*)</a>', html)


def link(html: str, label: str) -> str:
    """Where the pager's ``label`` leads; empty without one."""
    found = re.search(rf'href="([^"]*)">{label}</a>', html)
    return found[1].replace("&amp;", "&") if found else ""


def many(project: Project, user: User, number: int, **fields: Any) -> None:
    """Batches 1 to ``number``, oldest first, over unless ``fields`` say otherwise."""
    first = make_batch(project, user, name="Batch 0")
    same = {
        field.attname: getattr(first, field.attname)
        for field in Batch._meta.concrete_fields
        if field.attname not in {"id", "submission", "name", "created_at"}
    }
    same |= {"status": Batch.Status.COMPLETED, "succeeded": 3, "next_check_at": None} | fields
    first.delete()
    Batch.objects.bulk_create(Batch(**same, name=f"Batch {n}") for n in range(1, number + 1))


def test_each_column_says_its_thing(browser: Client, project: Project, user: User) -> None:
    others = request_file(1, model="org/Second-Model").replace(b"row-", b"new-")
    batch = make_batch(project, user, upload=make_upload(project, content=request_file() + others))
    Batch.objects.filter(pk=batch.pk).update(created_at=timezone.now() - timedelta(hours=2))
    set_part(batch, status=ProviderBatch.Status.RUNNING, completed=1, failed=1)

    html = html_of(browser)

    assert '<span class="clip">Qwen3-30B</span><span class="muted">+1</span>' in html
    assert 'title="Qwen/Qwen3-30B, org/Second-Model"' in html
    assert 'data-label="Window" class="nowrap if-wide">24h<' in html
    assert 'data-label="Duration" class="nowrap if-wide">2 h 0 min<' in html
    assert ">2 hours ago</time>" in html
    assert "2 / 4" in html
    assert "50 %" in html
    assert '<rect class="answered" width="25"' in html
    assert '<rect class="failed" x="25" width="25"' in html
    assert 'title="Estimated">≥ $' in html


def test_a_duration_stops_when_the_batch_does(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user))
    then = timezone.now() - timedelta(days=3)
    Batch.objects.update(created_at=then, finished_at=then + timedelta(minutes=5))
    assert 'data-label="Duration" class="nowrap if-wide">5 min 0 s<' in html_of(browser)

    Batch.objects.filter(pk=batch.pk).update(finished_at=None, status=Batch.Status.FAILED)
    assert 'data-label="Duration" class="nowrap if-wide">\u2013<' in html_of(browser)


def test_a_few_failures_among_many_requests_are_still_seen(
    browser: Client, project: Project, user: User
) -> None:
    batch = finish(make_batch(project, user))
    Batch.objects.filter(pk=batch.pk).update(requests=1000, succeeded=999, failed=1)

    html = html_of(browser)

    assert 'class="answered" width="98"' in html
    assert 'class="failed" x="98" width="2"' in html


def test_a_batch_is_found_by_all_it_is_known_by(
    browser: Client, project: Project, user: User
) -> None:
    upload = make_upload(project, user, name="tickets.jsonl")
    batch = make_batch(project, user, name="Wanted", upload=upload)
    set_part(batch, remote_id="batch_6f1c2a90")
    make_batch(project, user, name="Other")

    for text in ("want", "TICKETS", str(batch.pk), str(batch.pk)[:11], batch.pk.hex, "batch_6f1c"):
        assert names(html_of(browser, q=text)) == ["Wanted"], text
    assert names(html_of(browser, q="batch_")) == []
    assert names(html_of(browser, q=str(make_batch(name="Foreign").pk))) == []


def test_filters_by_window_days_and_lateness(
    browser: Client, project: Project, user: User
) -> None:
    slow, fast = (make_batch(project, user, name=name) for name in ("Slow", "Fast"))
    Batch.objects.filter(pk=fast.pk).update(window="1h")
    day = timezone.localtime() - timedelta(days=10)
    Batch.objects.filter(pk=slow.pk).update(created_at=day)
    set_part(fast, expires_at=timezone.now() + timedelta(hours=1))
    set_part(slow, expires_at=timezone.now() - timedelta(hours=1))
    then = f"{day:%Y-%m-%d}"

    assert names(html_of(browser, window="1h")) == ["Fast"]
    assert names(html_of(browser, status="late")) == ["Slow"]
    assert names(html_of(browser, first=then, last=then)) == ["Slow"]
    assert names(html_of(browser, first=f"{day + timedelta(days=1):%Y-%m-%d}")) == ["Fast"]

    set_part(slow, ended_at=timezone.now() - timedelta(hours=2))
    assert names(html_of(browser, status="late")) == []


def test_a_range_that_makes_no_sense_is_said_and_can_be_cleared(browser: Client) -> None:
    html = html_of(browser, first="2026-02-02", last="2026-01-01")

    assert "The range ends before it begins" in html
    assert '<a class="button main" href="/batches/">Clear the filters</a>' in html


def test_what_matches_nothing_can_be_cleared(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user)

    html = html_of(browser, URL, q="nothing like it")

    assert "No batch matches." in html
    assert f'href="{URL}">Clear the filters</a>' in html
    assert 'value="nothing like it"' in html


def test_active_ones_come_first_unless_the_switch_is_off(
    browser: Client, project: Project, user: User
) -> None:
    make_batch(project, user, name="Older, active")
    finish(make_batch(project, user, name="Newer, over"))

    assert names(html_of(browser)) == ["Older, active", "Newer, over"]
    off = browser.get("/batches/?active_first=no").content.decode()
    assert names(off) == ["Newer, over", "Older, active"]
    on = browser.get("/batches/?active_first=no&active_first=on").content.decode()
    assert names(on) == ["Older, active", "Newer, over"]
    assert re.search(r'name="active_first"[^>]*checked', on)
    assert not re.search(r'name="active_first"[^>]*checked', off)


@pytest.mark.parametrize("query", ["", "?active_first=no", "?status=completed"])
def test_pages_lead_through_all_rows_and_back(
    browser: Client, project: Project, user: User, query: str
) -> None:
    many(project, user, 2 * SIZE + 3)
    first = browser.get(f"{URL}{query}").content.decode()
    second = browser.get(URL + link(first, "Next")).content.decode()
    third = browser.get(URL + link(second, "Next")).content.decode()

    listed = [*names(first), *names(second), *names(third)]
    assert listed == [f"Batch {n}" for n in range(2 * SIZE + 3, 0, -1)]
    assert "Showing 1\u201325" in first
    assert "Showing 26\u201350" in second
    assert "Showing 51\u201353" in third
    assert not link(first, "Previous")
    assert not link(third, "Next")
    assert names(browser.get(URL + link(third, "Previous")).content.decode()) == names(second)
    assert names(browser.get(URL + link(second, "Previous")).content.decode()) == names(first)
    assert link(third, "First") == (query or URL)


def test_active_and_finished_ones_share_a_page(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, SIZE - 1)
    many(project, user, SIZE - 1, status=Batch.Status.RUNNING)

    first = html_of(browser, URL)
    second = browser.get(URL + link(first, "Next")).content.decode()

    assert names(first)[-2:] == ["Batch 1", "Batch 24"]
    assert names(second) == [f"Batch {n}" for n in range(23, 0, -1)]
    assert names(browser.get(URL + link(second, "Previous")).content.decode()) == names(first)


def test_a_page_stays_where_it_is_while_batches_arrive(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, 2 * SIZE)
    address = URL + link(html_of(browser, URL), "Next")
    before = browser.get(address).content.decode()
    many(project, user, 3)

    after = browser.get(address).content.decode()

    assert names(after) == names(before)
    assert "Showing 29\u201353" in after
    back = browser.get(URL + link(after, "Previous")).content.decode()
    assert names(back)[-1] == f"Batch {SIZE + 1}"
    start = browser.get(URL + link(back, "Previous")).content.decode()
    assert "Showing 1\u201325" in start


@pytest.mark.parametrize(
    "place",
    ["x", "1-2", "1-x-y", f"1-{'9' * 40}-{'0' * 32}", f"0-{'9' * 5000}-{'0' * 32}", "0-0-\0"],
)
def test_a_place_that_nobody_made_leads_to_the_start(
    browser: Client, project: Project, user: User, place: str
) -> None:
    make_batch(project, user, name="Here")

    assert names(html_of(browser, after=place)) == ["Here"]
    assert names(html_of(browser, before=place)) == ["Here"]


def test_ten_thousand_batches_take_ten_queries_and_an_index(
    browser: Client,
    project: Project,
    user: User,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    many(project, user, 10_000)
    for query in ("?active_first=on", "?project=support&active_first=no", "?sort=name"):
        address = f"/batches/{query}"
        for label in ("Next", "Previous", ""):
            with django_assert_max_num_queries(10) as seen:
                html = browser.get(address).content.decode()
            for plan in plans([each["sql"] for each in seen]):
                assert "SEARCH batchapp_batch USING INDEX" in plan, plan
                assert "project=support" not in query or "batch_list (project_id=?" in plan, plan
            address = f"/batches/{link(html, label)}"


def plans(queries: list[str]) -> list[str]:
    """How SQLite finds a page of batches; PostgreSQL chooses by statistics, which tests lack."""
    if connection.vendor != "sqlite":
        return []
    found = []
    for sql in (each for each in queries if " LIMIT 26" in each):
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            found.append(" / ".join(row[3] for row in cursor.fetchall()))
    assert found
    return found


def test_empty_lists_teach_and_name_one_thing_to_do(
    browser: Client, project: Project, user: User
) -> None:
    assert "Create the first batch</a>" in html_of(browser)
    assert "Create the first batch</a>" in html_of(browser, URL)
    assert "Choose the first file</a>" in html_of(browser, "/projects/support/files/")
    project.memberships.all().delete()
    assert "Create a project</a>" in html_of(browser, "/projects/")


def test_empty_lists_offer_a_viewer_nothing_to_do(client: Client) -> None:
    project = make_project(slug="support")
    client.force_login(join(make_user(), project, VIEWER))

    assert "what members run is listed here" in html_of(client, URL)
    assert "Create the first batch</a>" not in html_of(client, URL)
    assert "Choose a project</a>" in html_of(client)


def test_the_home_page_never_drops_an_old_batch_that_waits_for_a_person(
    browser: Client, project: Project, user: User
) -> None:
    batch = make_batch(project, user, name="Stuck")
    set_part(batch, status=ProviderBatch.Status.NEEDS_ATTENTION)
    many(project, user, 60, status=Batch.Status.RUNNING)

    assert "Stuck" in names(html_of(browser, "/"))


def test_failed_requests_are_counted_beside_the_bar(
    browser: Client, project: Project, user: User
) -> None:
    finish(make_batch(project, user), output=[answer_line(1)], errors=[error_line(2)])

    assert "1 failed" in html_of(browser)


@pytest.mark.parametrize("sort", ["name", "-name", "requests", "-requests", "created", "-created"])
def test_every_sort_leads_through_all_rows_and_back(
    browser: Client, project: Project, user: User, sort: str
) -> None:
    many(project, user, SIZE + 7)
    Batch.objects.filter(name__endswith="3").update(requests=90)
    field, sign = sort.removeprefix("-"), sort[: sort.startswith("-")]
    fields = {"created": "created_at", "name": "name", "requests": "requests"}
    rows = Batch.objects.order_by(f"{sign}{fields[field]}", f"{sign}pk")
    expected = list(rows.values_list("name", flat=True))

    first = html_of(browser, sort=sort, active_first="no")
    second = browser.get(f"/batches/{link(first, 'Next')}").content.decode()
    again = browser.get(f"/batches/{link(second, 'Previous')}").content.decode()

    assert names(first) + names(second) == expected
    assert names(again) == names(first)
    direction = "descending" if sign else "ascending"
    assert first.count("aria-sort=") == 1
    assert f'aria-sort="{direction}"' in first


def test_a_sort_that_nobody_offered_is_the_usual_one(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, 3)

    assert names(html_of(browser, sort="key__secret")) == names(html_of(browser))


def test_a_batch_that_left_the_filter_still_marks_its_place(
    browser: Client, project: Project, user: User
) -> None:
    many(project, user, SIZE + 5, status=Batch.Status.RUNNING)
    first = html_of(browser, status="active")
    last = Batch.objects.get(name=names(first)[-1])

    Batch.objects.filter(pk=last.pk).update(status=Batch.Status.COMPLETED)
    second = browser.get(f"/batches/{link(first, 'Next')}").content.decode()

    assert len(names(second)) == 5
    assert not set(names(first)) & set(names(second))
