"""What the builder's script adds: chips go in at the cursor, and the first row is shown."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

MAPPING = next(page_state for page_state in PAGE_STATES if page_state.name == "builder-mapping")


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
