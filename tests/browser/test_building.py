"""The builder with its script: chips go in at the cursor, and a row is shown while one types."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

MAPPING = next(page_state for page_state in PAGE_STATES if page_state.name == "builder-mapping")


def test_a_chip_goes_in_at_the_cursor_and_the_row_is_shown_as_it_would_be_sent(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, MAPPING)
    page = context.new_page()
    showroom.visit(page, MAPPING)
    prompt = page.get_by_label("Prompt", exact=True)
    sent = page.locator("#request .turn:last-of-type .answer")

    prompt.fill("Say  to {{you}}.")
    prompt.evaluate("field => field.setSelectionRange(4, 4)")
    page.get_by_role("button", name="Insert {customer}").click()

    expect(prompt).to_have_value("Say {customer} to {{you}}.")
    expect(prompt).to_be_focused()
    expect(sent).to_have_text("Say Ana Müller to {you}.")
    page.get_by_role("button", name="The next row").click()
    expect(sent).to_have_text("Say عمر خالد to {you}.")
    expect(page.get_by_role("button", name="The next row")).to_be_focused()
    prompt.fill("Greet {customer}")
    expect(sent).to_have_text("Greet عمر خالد")
    prompt.fill("{nobody}")
    expect(page.locator("#request")).to_contain_text("There is no column nobody.")
    context.close()


def test_enter_in_a_field_goes_on_and_does_not_turn_to_another_row(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, MAPPING)
    page = context.new_page()
    showroom.visit(page, MAPPING)

    page.get_by_label("Max output tokens").press("Enter")

    expect(page).to_have_url(re.compile(r"/preview/$"))
    context.close()
