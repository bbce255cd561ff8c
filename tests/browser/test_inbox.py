"""The number of unread notices follows what the portal says, and the browser shows what is new."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import Gallery
from tests.browser.people_walk import sign_in
from tests.make import PASSWORD

pytestmark = [pytest.mark.browser, ON_ONE_STACK]

# A browser without a window shows no notifications: what it is asked to show is kept.
KEEP_NOTIFICATIONS = """
  window.shown = [];
  window.Notification = class extends EventTarget {
    static permission = "granted";
    constructor(title, options) { super(); window.shown.push([title, options.body, this]); }
  };
"""
POLL = """after => htmx.ajax("GET", `/inbox/unread/?after=${after}`,
  {source: "#inbox-count", target: "#inbox-count", swap: "outerHTML"})"""
SHOWN = "JSON.stringify(window.shown.map(([title, body]) => [title, body]))"


@pytest.fixture
def page(chromium: Browser, showroom: Gallery) -> Iterator[Page]:
    context = chromium.new_context(base_url=showroom.url)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.add_init_script(KEEP_NOTIFICATIONS)
    broke: list[str] = []
    page.on("pageerror", lambda error: broke.append(str(error)))
    sign_in(page, "ada@example.com", PASSWORD)
    yield page
    context.close()
    assert broke == []


def test_a_poll_brings_the_number_and_shows_each_notice_once(page: Page) -> None:
    page.goto("/projects/")
    expect(page).to_have_title(re.compile(r"^\(\d+\) Projects"))
    number = page.locator("#inbox-count").get_attribute("data-unread")
    page.evaluate("document.title = 'Projects'")

    page.evaluate(POLL, 0)
    expect(page).to_have_title(f"({number}) Projects")
    shown = json.loads(page.evaluate(SHOWN))
    page.evaluate(POLL, 0)

    assert len(shown) == 3
    assert all(title and body for title, body in shown)
    assert json.loads(page.evaluate(SHOWN)) == shown
    expect(page).to_have_title(f"({number}) Projects")

    page.evaluate("window.shown[0][2].dispatchEvent(new Event('click'))")
    page.wait_for_url(lambda url: not url.endswith("/projects/"))


def test_the_page_asks_by_itself_while_it_is_open(page: Page) -> None:
    page.clock.install()
    page.goto("/projects/")

    with page.expect_response(re.compile(r"/inbox/unread/\?after=\d+")):
        page.clock.fast_forward(31_000)

    assert json.loads(page.evaluate(SHOWN)) == []
