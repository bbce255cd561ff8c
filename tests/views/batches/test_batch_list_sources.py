"""What scripts ordered is told apart in lists and on its page, and small batches are grouped."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from batchapp.models import Batch, PortalKey, Project, User
from batchapp.models.batches.small_batches import MAX_SMALL_REQUESTS, MIN_GROUPED
from tests.html import Page, page_of
from tests.make import (
    finish,
    make_batch,
    make_portal_key,
    make_project,
    make_service_key,
    make_upload,
    make_user,
    request_file,
)

pytestmark = pytest.mark.django_db


def ordered_by_script(project: Project, user: User, name: str, requests: int = 1) -> Batch:
    key = project.portal_keys.first() or make_portal_key(user, project, scope="submit").key
    upload = make_upload(project, user, content=request_file(requests))
    metadata = {"job": "<nightly>"}
    return make_batch(upload=upload, user=user, name=name, portal_key=key, metadata=metadata)


def test_a_batch_says_which_key_ordered_it_and_what_its_script_noted(
    browser: Client, project: Project, user: User
) -> None:
    of_script = ordered_by_script(project, user, "Nightly")
    of_person = make_batch(project, user, name="By hand")

    page = browser.get(of_script.get_absolute_url()).content.decode()
    other = browser.get(of_person.get_absolute_url()).content.decode()
    listed = browser.get("/batches/").content.decode()

    of_key = f"/projects/support/batches/?portal_key={of_script.portal_key_id}"
    assert page_of(browser, of_script.get_absolute_url()).one("#source a")["href"] == of_key
    assert set(page_of(browser, of_key).links) & {"Nightly", "By hand"} == {"Nightly"}
    assert "&lt;nightly&gt;" in page
    assert 'id="source"' not in other
    by_key = f"with the portal key {of_script.portal_key}"
    assert listed.count(f'title="Ordered by a script, {by_key}"') == 1


def test_a_list_is_filtered_by_source(browser: Client, project: Project, user: User) -> None:
    ordered_by_script(project, user, "Nightly")
    make_batch(project, user, name="By hand")

    def names(source: str) -> set[str]:
        page = browser.get("/batches/", {"source": source}).content.decode()
        return {name for name in ("Nightly", "By hand") if f'title="{name}"' in page}

    assert names("") == {"Nightly", "By hand"}
    assert names("api") == {"Nightly"}
    assert names("pages") == {"By hand"}
    assert names("small") == names("odd") == set()


def test_a_list_is_filtered_by_portal_key(browser: Client, project: Project, user: User) -> None:
    nightly = ordered_by_script(project, user, "Nightly").portal_key
    weekly = make_portal_key(user, project, name="Weekly", scope="submit").key
    make_batch(project, user, name="Summaries", portal_key=weekly)
    make_portal_key(user, project, name="Dashboard", scope="read")
    other = make_user()
    foreign = make_portal_key(other, make_project(other), scope="submit").key
    PortalKey.objects.filter(pk=weekly.pk).update(revoked_at=weekly.created_at)

    page = page_of(browser, "/batches/", portal_key=str(weekly.pk))
    refused = page_of(browser, "/batches/", portal_key=str(foreign.pk))

    assert set(page.links) & {"Nightly", "Summaries"} == {"Summaries"}
    assert page.texts("#id_portal_key option") == [
        "Any portal key",
        f"{nightly} ({user})",
        f"Weekly ({user})",
    ]
    assert "There is no such portal key here. Choose another." in refused.text
    assert set(refused.links) & {"Nightly", "Summaries"} == set()


def test_the_key_of_a_service_is_named_as_one(
    browser: Client, project: Project, user: User
) -> None:
    key = make_service_key(project, scope="submit", name="Server").key
    make_batch(project, user, name="Summaries", portal_key=key)

    page = page_of(browser, "/projects/support/batches/", portal_key=str(key.pk))

    assert page.one("#id_portal_key option[selected]").text == "Server (service key)"
    assert "Summaries" in page.links


def test_the_menu_of_a_key_leads_to_its_batches_and_single_requests(
    browser: Client, project: Project, user: User
) -> None:
    key = make_portal_key(user, project, name="Weekly", scope="submit").key
    make_portal_key(user, project, name="Dashboard", scope="read")

    addresses = [
        link["href"]
        for link in page_of(browser, "/profile/portal-keys/").all("table a[href*=portal_key]")
    ]

    assert addresses == [
        f"/projects/support/batches/?portal_key={key.pk}",
        f"/projects/support/single-requests/?portal_key={key.pk}",
    ]
    for address in addresses:
        option = page_of(browser, address).one("#id_portal_key option[selected]")
        assert option.text == f"Weekly ({user})"


def test_lists_take_as_many_queries_for_many_portal_keys_as_for_one(
    browser: Client, project: Project, user: User
) -> None:
    def order() -> None:
        for is_over in (False, True):
            key = make_portal_key(user, project, scope="submit").key
            batch = make_batch(project, user, portal_key=key)
            if is_over:
                finish(batch)

    def queries() -> list[int]:
        numbers = []
        for url in ("/", "/batches/", "/projects/support/batches/", "/projects/support/"):
            with CaptureQueriesContext(connection) as seen:
                browser.get(url)
            numbers.append(len(seen))
        return numbers

    order()
    queries()  # the first page of a session reads and writes more
    few = queries()
    order()

    assert queries() == few


def test_a_few_small_batches_of_scripts_are_listed_like_others(
    browser: Client, project: Project, user: User
) -> None:
    names = {f"Part {number}" for number in range(MIN_GROUPED - 1)}
    for name in names:
        finish(ordered_by_script(project, user, name))

    page = page_of(browser, "/batches/")

    assert names <= set(page.links)
    assert "small batch" not in page.one("#rows").text


def test_many_small_batches_of_scripts_are_told_in_one_line(
    browser: Client, project: Project, user: User
) -> None:
    small = [finish(ordered_by_script(project, user, f"Part {n}")) for n in range(MIN_GROUPED)]
    Batch.objects.filter(pk__in=[row.pk for row in small]).update(actual_cost_usd=Decimal("0.006"))
    running = ordered_by_script(project, user, "Running")
    failed = finish(ordered_by_script(project, user, "Failed"), [])
    by_hand = finish(make_batch(project, user, name="By hand"))
    large = finish(ordered_by_script(project, user, "Large"))
    requests = MAX_SMALL_REQUESTS + 1
    Batch.objects.filter(pk=large.pk).update(requests=requests, succeeded=requests)
    others = {running, failed, by_hand, large}

    listed = page_of(browser, "/batches/")
    selecting = page_of(browser, "/batches/", select="on")

    def rows(page: Page) -> set[Batch]:
        return {row for row in (*others, *small) if page.all(f'[id="batch-{row.pk}"]')}

    assert rows(listed) == others
    told = listed.one("#small-batches").text
    assert f"{MIN_GROUPED} small batches, $0.12 are not shown here" in told
    assert f"{MAX_SMALL_REQUESTS} at most in each, are answered" in told
    assert f"Fewer than {MIN_GROUPED} are listed" in told
    assert "of 4" in listed.one("#rows").text
    assert rows(page_of(browser, "/batches/", source="small")) == set(small)
    assert rows(page_of(browser, "/batches/", q="Part 1")) <= set(small)
    assert rows(page_of(browser, "/batches/", portal_key=str(large.portal_key_id))) > {large}
    assert not selecting.all("#small-batches")

    Batch.objects.filter(pk=small[0].pk).update(actual_cost_usd=None)
    told = page_of(browser, "/batches/").one("#small-batches").text
    assert f"{MIN_GROUPED} small batches, at least $0.11" in told

    Batch.objects.exclude(pk__in=[row.pk for row in small]).update(project=make_batch().project)
    alone = page_of(browser, "/batches/")
    assert alone.all("#small-batches")
    assert "There are no batches yet" not in alone.text

    Batch.objects.filter(pk=small[0].pk).update(succeeded=0)
    assert not page_of(browser, "/batches/").all("#small-batches")
