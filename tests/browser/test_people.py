"""From an empty portal to a team: first run, invitation, and what the invited role may do."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.chromium import LONGEST_WAIT
from tests.processes.portal import Portal, portal, until

pytestmark = [pytest.mark.browser]

PASSWORD = "longer than the rules ask"


@pytest.fixture
def empty_portal(tmp_path: Path) -> Iterator[Portal]:
    with portal(tmp_path) as it:
        yield it


@pytest.fixture
def browsers(chromium: Browser, empty_portal: Portal) -> Iterator[list[BrowserContext]]:
    """Two browsers that share no cookie; a script error fails the test."""
    contexts = [chromium.new_context(base_url=empty_portal.url) for _ in range(2)]
    errors: list[str] = []
    for context in contexts:
        context.set_default_timeout(LONGEST_WAIT)
        context.on("weberror", lambda error: errors.append(str(error.error)))
    yield contexts
    for context in contexts:
        context.close()
    assert errors == []


def make_account(page: Page, button: str, *, email: str = "", first_name: str) -> None:
    if email:
        page.get_by_label("E-mail address").fill(email)
    page.get_by_label("First name").fill(first_name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    page.get_by_role("button", name=button).click()


def test_an_empty_portal_becomes_a_team(
    empty_portal: Portal, browsers: list[BrowserContext]
) -> None:
    ada, grace = (context.new_page() for context in browsers)
    notice = until(
        lambda: next((line for line in empty_portal.log if "administrator at" in line), ""),
        "the link",
    )
    grace.goto("/projects/")
    expect(grace.get_by_role("heading", name="Nobody has an account here yet")).to_be_visible()

    ada.goto(notice.rpartition(" ")[2])
    make_account(ada, "Make the account", email="ada@example.com", first_name="Ada")
    expect(ada.get_by_text("You are the administrator of this portal")).to_be_visible()
    ada.goto("/projects/new/")
    ada.get_by_label("Name").fill("Letters")
    ada.get_by_role("button", name="Create").click()
    ada.wait_for_url("**/projects/letters/")

    ada.goto("/projects/letters/members/")
    ada.get_by_label("E-mail address").fill("grace@example.com")
    ada.get_by_label("Role", exact=True).select_option("viewer")
    ada.get_by_role("button", name="Make a link").click()
    link = ada.locator("#new-link pre").inner_text()

    grace.goto(link)
    expect(grace.get_by_text("invites you to the project Letters as viewer")).to_be_visible()
    make_account(grace, "Make the account and accept", first_name="Grace")
    grace.wait_for_url("**/projects/letters/")
    expect(grace.get_by_text("You are in Letters now, as viewer.")).to_be_visible()
    expect(grace.get_by_role("link", name=re.compile("New batch"))).to_have_count(0)

    grace.goto(link)
    expect(grace.get_by_role("heading", name="This invitation is not valid")).to_be_visible()
    ada.goto("/projects/letters/members/")
    expect(ada.locator("tbody").first).to_contain_text("grace@example.com")
    expect(ada.locator("#invitations")).to_have_count(0)
