"""A real Chromium in front of real processes."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import launched
from tests.browser.pages import Gallery, gallery
from tests.processes.portal import PASSWORD, Portal, portal

# As long as an action may take: five seconds, the default, are too short beside other test runs.
expect.set_options(timeout=20_000)


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


@pytest.fixture
def page(chromium: Browser, running_portal: Portal) -> Iterator[Page]:
    """A page of the console; a script error or a refused resource fails the test."""
    context = chromium.new_context(base_url=running_portal.url)
    context.set_default_timeout(20_000)
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
