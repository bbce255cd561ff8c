"""The hints of terms: by pointer, keyboard and tap, with and without scripts, never cut off."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

IS_SEEN = """(hint) => [0.02, 0.98].every((share) => {
    const { left, top, width, height } = hint.getBoundingClientRect();
    const seen = document.elementFromPoint(left + share * width, top + share * height);
    return hint.contains(seen);
})"""
"""Two corners of the hint are on the screen, and nothing lies over them."""


def opened(portal: Gallery, chromium: Browser, name: str, **options: Any) -> Page:
    page_state = next(each for each in PAGES if each.name == name)
    page = portal.enter(chromium, page_state, **options).new_page()
    portal.visit(page, page_state)
    return page


def hint_of(page: Page, word: str) -> tuple[Locator, Locator]:
    return page.locator(f"[popovertarget=term-{word}]"), page.locator(f"#term-{word}")


@pytest.fixture
def page(showroom: Gallery, chromium: Browser) -> Iterator[Page]:
    page = opened(showroom, chromium, "batch-window")
    yield page
    page.context.close()


def test_a_hint_opens_under_the_pointer_and_stays_while_it_is_read(page: Page) -> None:
    term, hint = hint_of(page, "completion-window")

    term.hover()
    expect(hint).to_be_visible()
    hint.hover()
    page.wait_for_timeout(600)  # longer than a hint stays that is left
    expect(hint).to_be_visible()
    page.mouse.move(0, 0)
    expect(hint).to_be_hidden()


def test_the_keyboard_opens_a_hint_and_esc_closes_it(page: Page) -> None:
    first, hint = hint_of(page, "completion-window")
    first.focus()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")

    expect(first).to_be_focused()
    expect(hint).to_be_visible()
    page.keyboard.press("Escape")
    expect(hint).to_be_hidden()


def test_a_click_opens_a_hint_also_if_the_pointer_has_opened_it(page: Page) -> None:
    term, hint = hint_of(page, "provider-key")

    term.hover()
    expect(hint).to_be_visible()
    term.click()
    expect(hint).to_be_visible()


@pytest.mark.parametrize(
    ("name", "word", "width"),
    [
        ("unmatched", "custom_id", 1280),
        ("batch-window", "completion-window", 1280),
        ("batch-window", "provider-key", 390),
        ("keys", "provider-key", 390),
    ],
)
def test_a_tap_without_scripts_shows_the_whole_hint(
    showroom: Gallery, chromium: Browser, name: str, word: str, width: int
) -> None:
    size = {"width": width, "height": 844}
    page = opened(showroom, chromium, name, java_script_enabled=False, viewport=size)
    term, hint = hint_of(page, word)

    term.click()
    expect(hint).to_be_visible()
    assert hint.evaluate(IS_SEEN)
    page.context.close()


def test_help_opens_beside_the_page_by_key_and_by_click(page: Page) -> None:
    drawer = page.locator("#drawer")

    page.keyboard.press("h")
    expect(drawer.locator("h1")).to_have_text("Help: Completion window")
    page.keyboard.press("Escape")
    expect(drawer).to_be_hidden()
    page.locator("#page-help").click()
    expect(drawer.get_by_role("link", name="What it costs and why")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#page-help")).to_be_focused()
    expect(page).to_have_url(re.compile("/batch/window/"))
