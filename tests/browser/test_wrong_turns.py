"""What goes wrong between a browser and the portal: slow, late, broken and no answers; Back."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect

from tests.browser.chromium import FLAGS, LONGEST_WAIT, ON_ONE_STACK, wait_until
from tests.browser.pages import PAGE_STATES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

ADA = next(page_state for page_state in PAGE_STATES if page_state.name == "batches")


@pytest.fixture
def page(chromium: Browser, showroom: Gallery) -> Iterator[Page]:
    context = showroom.enter(chromium, ADA, reduced_motion="reduce")
    context.set_default_timeout(LONGEST_WAIT)
    page = context.new_page()
    broke: list[str] = []
    page.on("pageerror", lambda error: broke.append(str(error)))
    yield page
    context.close()
    assert broke == []


def end_session(page: Page) -> None:
    page.context.clear_cookies(name="sessionid")


def holding(held: list[Route]) -> Callable[[Route], None]:
    """Requests wait until the test lets them go."""

    def hold(route: Route) -> None:
        held.append(route)

    return hold


def names(page: Page) -> list[str]:
    return page.locator("#rows .lead a").all_text_contents()


def test_the_last_letter_typed_decides_what_a_list_shows(page: Page) -> None:
    held: list[Route] = []
    page.goto("/batches/")
    search = page.get_by_role("main").get_by_role("searchbox", name="Search")
    page.route(re.compile(r"/batches/\?.*q=Oct(&|$)"), holding(held), times=1)

    search.press_sequentially("Oct")
    wait_until(page, lambda: held)
    search.fill("Tickets of September")
    expect(page.locator("#rows .lead a")).to_have_text(["Tickets of September"])
    for route in held:
        route.abort()
    page.wait_for_timeout(300)

    assert len(held) == 1
    assert names(page) == ["Tickets of September"]


def test_a_poll_under_way_does_not_swallow_the_answer_to_a_filter(page: Page) -> None:
    held: dict[str, Route] = {}

    def hold(route: Route) -> None:
        """The first poll, and the first answer to the filter."""
        kind = "answer" if "?" in route.request.url else "poll"
        if kind in held:
            route.continue_()
        held.setdefault(kind, route)

    page.goto("/batches/")
    page.route(re.compile(r"/batches/($|\?)"), hold)
    wait_until(page, lambda: held)
    assert list(held) == ["poll"]
    page.get_by_role("main").get_by_role("searchbox", name="Search").fill("Tickets of October")
    wait_until(page, lambda: "answer" in held)

    with suppress(Error):  # it was given up, which is as good
        held["poll"].continue_()
    page.wait_for_timeout(500)
    held["answer"].continue_()

    expect(page.locator("#rows .lead a")).to_have_text(["Tickets of October"])


def test_back_and_forward_through_filters_show_what_the_address_says(page: Page) -> None:
    page.goto("/batches/")
    everything = names(page)
    search = page.get_by_role("main").get_by_role("searchbox", name="Search")
    search.fill("Tickets of October")
    expect(page.locator("#rows .lead a")).to_have_count(1)
    page.wait_for_url(re.compile("October"))
    search.fill("Tickets of September")
    expect(page.locator("#rows .lead a")).to_have_text(["Tickets of September"])

    page.go_back()
    expect(page.locator("#rows .lead a")).to_have_text(["Tickets of October"])
    expect(search).to_have_value("Tickets of October")
    page.go_back()
    expect(page.locator("#rows .lead a")).to_have_count(len(everything))
    expect(search).to_have_value("")
    page.go_forward()
    expect(page.locator("#rows .lead a")).to_have_text(["Tickets of October"])
    expect(search).to_have_value("Tickets of October")

    # What scripts hold on to is still there.
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option", name="Home")).to_be_visible()


def test_a_batch_is_opened_and_left_again_with_the_filter_as_it_was(page: Page) -> None:
    page.goto("/batches/")
    page.get_by_role("main").get_by_role("searchbox", name="Search").fill("Tickets of October")
    expect(page.locator("#rows .lead a")).to_have_count(1)
    page.get_by_role("link", name="Tickets of October").click()
    page.wait_for_url(re.compile("/batches/[0-9a-f-]{36}/$"))

    page.go_back()

    expect(page.locator("#rows .lead a")).to_have_text(["Tickets of October"])


def test_a_session_that_ended_leads_to_the_sign_in_from_everywhere(
    page: Page, showroom: Gallery
) -> None:
    session = showroom.sessions["ada"]
    running = f"/batches/{showroom.paths['running']}/"
    results = f"/batches/{showroom.paths['completed']}/results/"

    def drawer() -> None:
        page.locator("#line-1").click()

    def palette() -> None:
        page.keyboard.press("Control+k")

    def dialog() -> None:
        page.locator("#cancel").click()

    for path, act in [(running, None), (results, drawer), (results, palette), (running, dialog)]:
        cookie: Any = {"name": "sessionid", "value": session, "url": showroom.url}
        page.context.add_cookies([cookie])
        page.goto(path)
        end_session(page)
        if act:
            act()
        page.wait_for_url(re.compile(rf"/sign-in/\?next={path}"))
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_a_portal_that_restarts_is_told_of_and_so_is_its_return(
    page: Page, showroom: Gallery
) -> None:
    page.goto(f"/batches/{showroom.paths['running']}/")
    banner = page.locator(".offline")
    showroom.stop()
    try:
        expect(banner).to_be_visible()
        expect(page.locator("#count-ok")).to_be_visible()
    finally:
        showroom.start()

    expect(banner).to_be_hidden()
    expect(page.locator("#announcer")).to_have_text("The portal answers again.")


def test_a_form_that_is_pressed_twice_is_sent_once(page: Page) -> None:
    page.goto("/projects/new/")
    page.get_by_label("Name").fill("Pressed twice")
    page.get_by_role("radio").first.check()
    sent: list[str] = []
    page.on("request", lambda each: sent.append(each.url) if each.method == "POST" else None)

    page.get_by_role("button", name="Create the project").dblclick()

    page.wait_for_url(re.compile("/projects/pressed-twice"))
    assert len(sent) == 1
    page.goto("/projects/")
    assert page.get_by_role("link", name="Pressed twice").count() == 1


def test_signing_out_in_one_tab_is_seen_in_the_others_and_nothing_private_comes_back(
    showroom: Gallery, chromium: Browser
) -> None:
    with_back = chromium.browser_type.launch(
        executable_path=shutil.which("chromium"),
        args=FLAGS,
        ignore_default_args=["--disable-back-forward-cache"],
    )
    context = with_back.new_context(base_url=showroom.url)
    page, other = context.new_page(), context.new_page()
    for each in (page, other):
        each.goto("/sign-in/?next=/profile/")
        if "/sign-in/" in each.url:
            each.get_by_label("E-mail").fill("grace@example.com")
            each.get_by_label("Password", exact=True).fill("correct horse battery")
            each.get_by_role("button", name="Sign in").click()
        each.wait_for_url("**/profile/")
    page.goto("/profile/")

    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in/")
    other.wait_for_url("**/sign-in/?next=/profile/")
    page.go_back()
    page.wait_for_url("**/sign-in/**")

    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "grace" not in page.content()
    with_back.close()
