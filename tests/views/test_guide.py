"""The pages of the guide, and the help in a drawer or as a page."""

from itertools import pairwise

import pytest
from django.test import Client

from batchapp.models import Project
from batchapp.presenters import guide
from tests.html import Page

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("user")]  # a portal in use


def opened(client: Client, url: str, **headers: str) -> Page:
    response = client.get(url, headers=headers)
    assert response.status_code == 200
    return Page(response)


def test_the_guide_lists_its_articles(client: Client) -> None:
    page = opened(client, "/guide/")

    for article in guide.articles().values():
        assert page.links[article.title] == f"/guide/{article.name}/"
        assert article.summary in page.text


def test_articles_lead_from_one_to_the_next(client: Client) -> None:
    onward = "article > [aria-label=Articles] a"

    assert opened(client, "/guide/first-batch/").texts(onward) == ["Guide", "From a spreadsheet"]
    articles = [
        ("from-a-spreadsheet", "From a spreadsheet"),
        ("cost", "What it costs and why"),
        ("budgets", "Budgets"),
        ("approvals", "Approval of batches"),
        ("failures", "When things fail"),
        ("notifications", "Notifications"),
        ("scripts", "Portal keys and downloads"),
        ("clients", "Run batches from a script"),
        ("single-requests", "Send one request at a time"),
        ("people", "Invite people and run the portal"),
        ("reports", "Reports and statements"),
        ("audit", "Who did what"),
        ("webhooks", "Tell other programs"),
    ]
    before = "Your first batch"
    for (name, title), following in pairwise([*articles, ("terms", "Terms")]):
        assert opened(client, f"/guide/{name}/").texts(onward) == [before, following[1]]
        before = title


def test_the_article_that_is_read_is_marked_in_the_list(client: Client) -> None:
    page = opened(client, "/guide/cost/")

    assert page.one("[aria-label=Guide] [aria-current=page]").text == "What it costs and why"


def test_an_article_lists_its_sections(client: Client) -> None:
    page = opened(client, "/guide/first-batch/")

    assert page.links["3. Upload a file"] == "#3-upload-a-file"
    assert page.texts("article h2") == page.texts("nav[aria-labelledby=contents] a")


@pytest.mark.parametrize(
    "url", ["/guide/nothing/", "/guide/help/nothing/", "/guide/help/healthz/"]
)
def test_what_is_not_there_is_not_found(browser: Client, url: str) -> None:
    assert browser.get(url).status_code == 404


def test_the_menu_leads_to_the_help_of_the_page(browser: Client, project: Project) -> None:
    page = opened(browser, f"/projects/{project.slug}/files/")
    link = page.one("#page-help")

    assert link["href"] == link["hx-get"] == "/guide/help/file_list/"
    assert opened(browser, link["href"]).one("h1").text == "Help: Files"


def test_a_page_that_is_not_there_leads_to_the_help_of_the_guide(browser: Client) -> None:
    page = Page(browser.get("/nowhere/"))

    assert page.one("#page-help")["href"] == "/guide/help/guide_list/"


def test_in_the_drawer_help_is_a_fragment_that_can_be_closed(browser: Client) -> None:
    fragment = opened(browser, "/guide/help/order_review/", HX_Request="true")

    assert "<html" not in fragment.html
    assert fragment.one("[data-close]").text == "Close"
    assert len(fragment.all("section p")) == 3
    assert fragment.links["What it costs and why"] == "/guide/cost/"


def test_as_a_page_help_has_nothing_to_close(browser: Client) -> None:
    page = opened(browser, "/guide/help/order_review/")

    assert page.all("main [data-close]") == []
    assert len(page.all("main section p")) == 3
