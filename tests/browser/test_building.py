"""What the builder's script adds: chips go in at the cursor, a dropped table is to be read."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

MAPPING = next(page_state for page_state in PAGE_STATES if page_state.name == "builder-mapping")
START = next(page_state for page_state in PAGE_STATES if page_state.name == "builder")

DROP = """() => {
    const carried = new DataTransfer();
    carried.items.add(new File(["id,text\\n1,dropped"], "dropped.csv", {type: "text/csv"}));
    for (const type of ["dragenter", "dragover", "drop"]) {
        const how = {dataTransfer: carried, bubbles: true, cancelable: true};
        document.querySelector("h1").dispatchEvent(new DragEvent(type, how));
    }
}"""


def test_a_chip_goes_in_at_the_cursor_and_the_first_row_is_shown_as_typed(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, MAPPING)
    page = context.new_page()
    showroom.visit(page, MAPPING)
    prompt = page.get_by_label("Prompt", exact=True)

    prompt.fill("Say  to {{you}}.")
    prompt.evaluate("field => field.setSelectionRange(4, 4)")
    page.get_by_role("button", name="Insert {customer}").click()

    expect(prompt).to_have_value("Say {customer} to {{you}}.")
    expect(prompt).to_be_focused()
    expect(page.locator("[data-live] .answer")).to_have_text("Say Ana Müller to {you}.")
    prompt.fill("{nobody}")
    expect(page.locator("[data-live]")).to_be_hidden()
    context.close()


def test_a_table_that_is_dropped_anywhere_is_the_one_to_read(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, START)
    page = context.new_page()
    showroom.visit(page, START)

    page.evaluate(DROP)

    name = page.locator("[data-table] input[type=file]").evaluate("each => each.files[0].name")
    assert name == "dropped.csv"
    expect(page.locator(".drop-overlay.shown")).to_have_count(0)
    expect(page.locator(".uploads")).to_have_count(0)
    context.close()
