"""Dialogs and the drawer when answers are late or broken, and where the focus goes after them."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.chromium import LONGEST_WAIT, ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery
from tests.browser.test_wrong_turns import holding

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

ADA = next(page_state for page_state in PAGE_STATES if page_state.name == "batches")
FOCUSED = "document.activeElement.id"


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


def test_a_late_answer_does_not_take_the_place_of_an_open_dialog(page: Page) -> None:
    page.goto("/projects/support/members/")
    # The first menu has the person's own role.
    links, menus = page.locator('table [id^="remove-"]'), page.locator("table summary")
    held: list[Route] = []
    first = links.nth(0).get_attribute("href")
    page.route(f"**{first}", holding(held))
    menus.nth(1).click()
    with page.expect_request(f"**{first}"):
        links.nth(0).click()
    menus.nth(2).click()
    links.nth(1).click()
    dialog = page.get_by_role("dialog", name="Please confirm")
    expect(dialog).to_be_visible()
    asked = dialog.locator("h1").text_content()

    held[0].continue_()
    page.wait_for_timeout(500)
    assert dialog.locator("h1").text_content() == asked

    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.unroute_all()
    menus.nth(2).click()
    links.nth(1).click()
    expect(dialog).to_be_visible()


def test_an_answer_that_comes_after_the_drawer_was_closed_leaves_it_closed(
    page: Page, showroom: Gallery
) -> None:
    page.goto(f"/batches/{showroom.paths['completed']}/results/")
    page.locator("#line-1").click()
    drawer = page.locator("#drawer")
    expect(drawer.locator("#next-result")).to_be_visible()
    held: list[Route] = []
    page.route("**/results/2/", holding(held))

    with page.expect_request("**/results/2/"):
        page.keyboard.press("j")
    page.keyboard.press("Escape")
    held[0].continue_()
    page.wait_for_timeout(500)

    expect(drawer).to_be_hidden()
    expect(page.locator("#line-1")).to_be_focused()


@pytest.mark.parametrize(("status", "sentence"), [(404, "not found"), (500, "broke")])
def test_a_drawer_that_cannot_be_filled_shows_the_page_that_says_why(
    page: Page, showroom: Gallery, status: int, sentence: str
) -> None:
    page.goto(f"/batches/{showroom.paths['completed']}/results/")
    body = f"<main><h1>{sentence}</h1></main>"
    page.route(
        "**/results/1/",
        lambda route: route.fulfill(status=status, body=body, content_type="text/html"),
    )

    page.locator("#line-1").click()

    page.wait_for_url("**/results/1/")
    expect(page.locator("h1")).to_have_text(sentence)


def test_leafing_in_the_drawer_starts_at_the_top_keeps_the_focus_and_is_told(
    page: Page, showroom: Gallery
) -> None:
    page.set_viewport_size({"width": 390, "height": 300})
    page.goto(f"/batches/{showroom.paths['completed']}/results/?q=row-30")  # 30 and 300
    page.locator("#line-30").click()
    drawer = page.locator("#drawer")
    expect(drawer.locator("h1")).to_have_text("row-30")
    drawer.evaluate("each => each.scrollTo(0, 9999)")
    assert drawer.evaluate("each => each.scrollTop") > 0

    drawer.locator("#next-result").focus()
    page.keyboard.press("Enter")
    expect(drawer.locator("h1")).to_have_text("row-300")

    assert drawer.evaluate("each => each.scrollTop") == 0
    assert page.evaluate("document.getElementById('drawer').contains(document.activeElement)")
    assert page.evaluate(FOCUSED) == "previous-result"  # there is no next one
    expect(page.locator("#announcer")).to_have_text("row-300")


def test_a_closed_dialog_gives_the_focus_back_though_the_page_moved_on(
    page: Page, showroom: Gallery
) -> None:
    page.goto(f"/batches/{showroom.paths['running']}/")
    page.locator("#cancel").click()
    expect(page.locator("#dialog")).to_be_visible()
    page.evaluate("document.getElementById('cancel').outerHTML += ''")  # as a poll does

    page.keyboard.press("Escape")

    expect(page.locator("#cancel")).to_be_focused()


def test_a_menu_of_more_buttons_closes_when_one_looks_elsewhere(
    page: Page, showroom: Gallery
) -> None:
    page.goto(f"/batches/{showroom.paths['errors']}/")
    menu, button = page.locator("#more > div"), page.locator("#more > summary")
    button.focus()
    page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    page.locator("#retry-in-place").focus()

    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()

    button.click()
    expect(menu).to_be_visible()
    page.locator("#causes h2").click()
    expect(menu).to_be_hidden()


def test_a_dialog_from_the_menu_gives_the_focus_back_to_it(page: Page, showroom: Gallery) -> None:
    page.goto(f"/batches/{showroom.paths['errors']}/")
    page.locator("#more > summary").click()
    page.locator("#retry-in-place").click()
    expect(page.locator("#dialog")).to_be_visible()

    page.keyboard.press("Escape")

    expect(page.locator("#more > summary")).to_be_focused()


def test_a_dismissed_toast_gives_the_focus_on(page: Page) -> None:
    page.goto("/profile/")
    page.get_by_role("button", name="Save", exact=True).click()
    dismiss = page.get_by_role("button", name="Dismiss")
    dismiss.focus()
    page.keyboard.press("Enter")

    expect(dismiss).to_have_count(0)
    assert page.evaluate(FOCUSED) == "main"
