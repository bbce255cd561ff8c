"""What surrounds every page, and the pieces that pages are made of."""

import re

import pytest
from django.template import Context, RequestContext, Template
from django.test import Client, RequestFactory
from pytest_django import DjangoAssertNumQueries

from batchapp import icons
from batchapp.models import Project, User
from tests.html import page_of
from tests.make import (
    VIEWER,
    answer_line,
    error_line,
    finish,
    join,
    make_administrator,
    make_batch,
    make_key,
    make_project,
    make_upload,
    make_user,
)

pytestmark = pytest.mark.django_db


def test_the_switcher_leads_to_the_same_section_of_another_project(
    browser: Client, project: Project, user: User
) -> None:
    make_project(user, name="Letters", slug="letters")
    make_project(name="Somebody else's", slug="foreign")

    page = page_of(browser, "/projects/support/files/")

    links = page.one("#switcher").links
    assert (links["Support tickets"], links["Letters"]) == (
        "/projects/support/files/",
        "/projects/letters/files/",
    )
    assert page.one('#switcher [aria-current="true"]').text == "Support tickets"
    assert "foreign" not in page.html
    assert page_of(browser, "/").one("#switcher").links["Letters"] == "/projects/letters/"


def test_a_viewer_is_offered_no_new_batch(client: Client) -> None:
    project = make_project(slug="support")
    client.force_login(join(make_user(), project, VIEWER))

    assert not page_of(client, "/").all("[data-go=new]")
    assert "/batches/new/" not in " ".join(page_of(client, "/projects/support/").links.values())
    assert not page_of(client, "/").all("#start")


def test_a_member_starts_a_batch_from_anywhere(browser: Client, project: Project) -> None:
    for url, start in (
        ("/", "/batches/new/"),
        ("/projects/support/", "/projects/support/batches/new/"),
    ):
        assert page_of(browser, url).one("[data-go=new]")["href"] == start


def test_every_icon_is_in_the_sprite_and_the_sprite_never_changes_its_address(
    client: Client,
) -> None:
    response = client.get(f"/icons-{icons.version()}.svg")

    sheet = response.content.decode()
    assert set(re.findall(r'<symbol id="([a-z-]+)" viewBox="0 0 20 20">', sheet)) == set(
        icons.DRAWINGS
    )
    assert "immutable" in response["Cache-Control"]
    assert response["Content-Type"] == "image/svg+xml"
    assert client.get("/icons-0.svg").status_code == 404


def test_an_icon_that_nobody_drew_is_our_bug() -> None:
    with pytest.raises(LookupError, match="no icon 'dragon'"):
        Template('{% icon "dragon" %}').render(Context())


def test_crumbs_escape_names() -> None:
    html = Template('{% crumbs name "/a/" "B" "/b/" %}').render(Context({"name": "<b>"}))

    assert '<a href="/a/">&lt;b&gt;</a>' in html
    assert html.count("<li>") == 2


@pytest.mark.parametrize(
    ("now", "leads_to", "says"),
    [
        ("", "?q=x&amp;sort=-cost", ""),
        ("cost", "?q=x&amp;sort=-cost", "ascending"),
        ("-cost", "?q=x&amp;sort=cost", "descending"),
    ],
)
def test_a_head_turns_its_sort_and_starts_at_the_first_page(
    rf: RequestFactory, now: str, leads_to: str, says: str
) -> None:
    request = rf.get("/", {"q": "x", "page": "3", "after": "y"})

    html = Template('{% sort "cost" "Cost" first="-" %}').render(
        RequestContext(request, {"sort": now})
    )

    assert f'href="{leads_to}"' in html
    assert ("aria-sort" in html) == bool(says)
    assert says in html


def test_the_style_page_is_for_staff_and_shows_every_state(client: Client) -> None:
    client.force_login(make_administrator("ada@example.com"))
    page = page_of(client, "/styleguide/")
    for provider_batch in (
        "Completed with errors",
        "No result",
        "Skeleton",
        "Review",
    ):
        assert provider_batch in page.text

    client.force_login(make_user("eve@example.com"))
    assert client.get("/styleguide/").status_code == 403


@pytest.fixture
def busy(project: Project, user: User) -> Project:
    """A project with some of everything."""
    key = make_key(project)
    for number in range(6):
        join(make_user(), project)
        make_project(user)
        batch = make_batch(project, user, key=key, name=f"Batch {number}")
        if number % 2:
            finish(batch, output=[answer_line(1)], errors=[error_line(2)])
        make_upload(project, user, is_checked=bool(number % 3))
    return project


PAGES = [
    "/",
    "/batches/",
    "/batches/?q=batch&status=active&project=support",
    "/projects/",
    "/projects/support/",
    "/projects/support/batches/",
    "/projects/support/files/",
    "/projects/support/members/",
    "/projects/support/keys/",
    "/projects/support/tables/new/",
    "/palette/?q=a",
    "/profile/",
    "/batches/{batch}/",
    "/batches/{batch}/results/",
    "/batches/{batch}/results/1/",
    "/batches/{batch}/cancel/",
    "/files/{upload}/batch/window/?submission=00000000-0000-4000-8000-000000000000",
    "/files/{upload}/",
    "/files/{faulty}/correct/",
]


MOST_QUERIES = {
    # Both compare the cost of the month with that of the same days a month before. Here and in
    # lists of batches, tags are read at once; invitations wait here for an answer, and the budgets
    # of the person's projects are read. Single requests are added up apart for both months, for
    # each day, and for the words beside the sum.
    "/": 19,
    # The batches that need attention are searched apart; budgets and single requests are read.
    "/projects/support/": 19,
    # The views that are saved are read.
    "/batches/": 12,
    "/batches/?q=batch&status=active&project=support": 12,
    "/projects/support/batches/": 12,
    # Outcomes are counted; causes, the first answers and the batches made from them are read, and
    # what was paid for little; tags of the batch and of its retries; unread notices of it.
    "/batches/{batch}/": 20,
    # It says how long windows took, and what other models would cost.
    "/files/{upload}/batch/window/?submission=00000000-0000-4000-8000-000000000000": 14,
    "/files/{upload}/": 12,
    # The state of the columns is compared with that of the batch and its retries.
    "/batches/{batch}/results/": 14,
    "/batches/{batch}/results/1/": 12,
}


@pytest.mark.parametrize("url", PAGES)
def test_a_page_takes_eleven_queries_at_most_or_says_why(
    browser: Client, busy: Project, url: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    batch = busy.batches.get(name="Batch 1")
    faulty = make_upload(busy, content=b"{}\n")
    address = url.format(batch=batch.pk, upload=batch.upload_id, faulty=faulty.pk)
    browser.get(address)  # the first view of results builds their columns

    with django_assert_max_num_queries(MOST_QUERIES.get(url, 11)):
        response = browser.get(address)

    assert response.status_code == 200
