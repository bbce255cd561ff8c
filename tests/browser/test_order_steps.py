"""The steps of a new batch on screens: the button in view, and the panel that follows a choice."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

STEPS = {
    each.name: each
    for each in PAGE_STATES
    if each.name.startswith(("batch-check", "batch-window", "batch-review", "batch-ready"))
}
WITHOUT_BUTTON = {"batch-check-running", "batch-check-retry-writing"}  # only waiting is left
SCREENS = [(1440, 900), (1280, 720), (1024, 768), (390, 844), (360, 640)]
IN_VIEW = """(button) => {
    const { left, top, right, bottom } = button.getBoundingClientRect();
    const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight;
    const hit = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    return scrollY === 0 && inside && button.contains(hit);
}"""
HIDDEN_FOCUS = """(element) => {
    const foot = document.querySelector(".foot");
    const bar = foot.getBoundingClientRect(), own = element.getBoundingClientRect();
    return getComputedStyle(foot).position === "fixed" && !foot.contains(element)
        && own.bottom > bar.top + 1 && own.top < bar.bottom;
}"""


@pytest.mark.parametrize("script", [True, False], ids=["javascript", "no javascript"])
@pytest.mark.parametrize("name", sorted(STEPS.keys() - WITHOUT_BUTTON))
def test_the_main_button_is_in_view_without_scrolling(
    showroom: Gallery, chromium: Browser, name: str, script: bool
) -> None:
    context = showroom.enter(chromium, STEPS[name], java_script_enabled=script)
    page = context.new_page()
    showroom.visit(page, STEPS[name])
    if script:  # the answer of the provider swaps the button
        expect(page.locator("#ready[hx-trigger]")).to_have_count(0)
    button = page.locator("main .foot .button.main")

    hidden = []
    for width, height in SCREENS:
        page.set_viewport_size({"width": width, "height": height})
        if not button.evaluate(IN_VIEW):
            hidden.append((width, height))
    context.close()

    assert hidden == []


@pytest.mark.parametrize("name", ["batch-window", "batch-review-split", "batch-check-faulty"])
def test_the_bar_at_the_foot_hides_no_focus(
    showroom: Gallery, chromium: Browser, name: str
) -> None:
    context = showroom.enter(chromium, STEPS[name], viewport={"width": 390, "height": 640})
    page = context.new_page()
    showroom.visit(page, STEPS[name])

    hidden, seen = [], 0
    for _ in range(60):
        page.keyboard.press("Tab")
        focused = page.locator("main :focus")
        if focused.count():
            seen += 1
            if focused.evaluate(HIDDEN_FOCUS):
                hidden.append(focused.evaluate("(element) => element.outerHTML.slice(0, 80)"))
        elif seen:
            break
    end = page.evaluate(
        "() => { scrollTo(0, 1e6); const m = document.querySelector('main .rail');"
        "return m.getBoundingClientRect().bottom - document.querySelector('.foot')"
        ".getBoundingClientRect().top; }"
    )
    context.close()

    assert seen > 3
    assert hidden == []
    assert end < 0


def test_a_choice_changes_the_panel_the_address_and_nothing_else(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, STEPS["batch-window"])
    page = context.new_page()
    showroom.visit(page, STEPS["batch-window"])
    page.get_by_label("Name").fill("Typed before")
    before = price(page)

    page.locator("label", has_text=re.compile(r"^\s*Within 1 hour")).click()
    page.wait_for_url(re.compile(r"window=1h.*name=Typed"))
    expect(page.locator("#panel")).to_contain_text("Window 1 h", use_inner_text=True)
    faster = price(page)
    page.get_by_label("has no room for 1 h").check()
    page.get_by_label("Provider key").select_option(index=2)
    page.wait_for_url(re.compile("fallback=24h"))
    expect(page.locator("#panel")).to_contain_text("yours")
    page.reload()

    assert before != faster == price(page)
    assert page.get_by_label("Name").input_value() == "Typed before"
    assert page.get_by_role("radio", name=re.compile("^Within 1 hour")).is_checked()
    page.get_by_role("button", name="Continue to the review").click()
    page.wait_for_url(re.compile(r"/review/\?.*window=1h&fallback=24h"))
    expect(page.get_by_text("It runs in 24 h instead")).to_be_visible()
    context.close()


def price(page: Page) -> str:
    return page.locator("#price b").inner_text()


@pytest.mark.parametrize("script", [True, False], ids=["javascript", "no javascript"])
def test_an_order_that_a_budget_stops_has_a_button_that_does_nothing(
    showroom: Gallery, chromium: Browser, script: bool
) -> None:
    state = STEPS["batch-review-over-budget"]
    with showroom.enter(chromium, state, java_script_enabled=script) as context:
        page = context.new_page()
        showroom.visit(page, state)

        expect(page.locator("#stop")).to_be_visible()
        expect(page.locator("#submit")).to_be_disabled()
