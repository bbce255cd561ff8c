"""A real Chromium in front of real processes."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import LONGEST_WAIT, launched
from tests.browser.pages import Gallery, PageState, gallery
from tests.processes.portal import PASSWORD, Portal, portal

expect.set_options(timeout=LONGEST_WAIT)


@pytest.fixture(scope="module")
def running_portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Portal]:
    with portal(tmp_path_factory.mktemp("portal")) as it:
        it.bootstrap()
        yield it


@pytest.fixture(scope="session")
def showroom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    """Every page in every state, and nothing that moves."""
    with gallery(tmp_path_factory.mktemp("showroom")) as it:
        yield it


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def tab_of(showroom: Gallery, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Return the tab of a person; each has one, as a new tab costs more than most pages."""
    tabs: dict[tuple[Any, ...], Page] = {}

    def tab(page_state: PageState, **options: Any) -> Page:
        key = (page_state.person, *options.items())
        if key not in tabs:
            tabs[key] = showroom.enter(chromium, page_state, **options).new_page()
        return tabs[key]

    yield tab
    for page in tabs.values():
        page.context.close()


@pytest.fixture
def page(chromium: Browser, running_portal: Portal) -> Iterator[Page]:
    """A page of the console; a script error or a refused resource fails the test."""
    context = chromium.new_context(base_url=running_portal.url)
    context.set_default_timeout(LONGEST_WAIT)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert errors == []


@pytest.fixture
def signed_in(page: Page) -> Page:
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill("ana@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    return page
