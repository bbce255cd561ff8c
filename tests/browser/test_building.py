"""The builder with its script: chips go in at the cursor, and a row is shown while one types."""

import re
import time

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

STATES = {page_state.name: page_state for page_state in PAGE_STATES}
MAPPING, NEW, FIELDS = (STATES[f"builder-{name}"] for name in ("mapping", "new", "fields"))


def test_a_chip_goes_in_at_the_cursor_and_rows_are_shown_as_they_would_be_sent(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, MAPPING)
    page = context.new_page()
    showroom.visit(page, MAPPING)
    prompt = page.get_by_label("Prompt", exact=True)
    sent = page.locator("#request .turn .answer")

    prompt.fill("Say  to {{you}}.")
    prompt.evaluate("field => field.setSelectionRange(4, 4)")
    page.get_by_role("button", name="Insert {customer}").click()

    expect(prompt).to_have_value("Say {customer} to {{you}}.")
    expect(prompt).to_be_focused()
    expect(sent.nth(1)).to_have_text("Say Ana Müller to {you}.")
    expect(sent.nth(2)).to_have_text("Say عمر خالد to {you}.")
    page.get_by_role("button", name="The next rows").click()
    expect(sent.last).to_have_text("Say Chloé to {you}.")
    expect(page.get_by_role("button", name="The rows before")).to_be_enabled()
    prompt.fill("Greet {customer}")
    expect(sent.last).to_have_text("Greet Chloé")
    prompt.fill("{nobody}")
    expect(page.locator("#request")).to_contain_text("There is no column nobody.")
    context.close()


def test_enter_in_a_field_goes_on_and_does_not_turn_to_other_rows(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, FIELDS)
    page = context.new_page()
    showroom.visit(page, FIELDS)

    page.get_by_label("Max output tokens").press("Enter")

    expect(page).to_have_url(re.compile(r"/files/[0-9a-f-]{36}/batch/"))
    context.close()


def test_a_starter_fills_the_prompt_and_shows_the_rows_and_their_price(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, NEW)
    page = context.new_page()
    showroom.visit(page, NEW)

    page.get_by_role("button", name="Classify").click()

    expect(page.get_by_label("Prompt", exact=True)).to_have_value(re.compile(r"^\{review\}"))
    expect(page.locator("#request")).to_contain_text("The kettle arrived late")
    expect(page.locator("#price")).to_contain_text("~$")
    expect(page.get_by_label("Choices").first).to_have_value("positive, neutral, negative")
    expect(page.get_by_role("button", name="Create the requests")).to_be_in_viewport()
    context.close()


def test_fields_of_the_answer_are_edited_by_keyboard(showroom: Gallery, chromium: Browser) -> None:
    context = showroom.enter(chromium, FIELDS)
    page = context.new_page()
    showroom.visit(page, FIELDS)
    names = page.locator("[data-answer-field] input[name$=name]")
    add = page.get_by_role("button", name="Add a field")

    add.focus()
    page.keyboard.press("Enter")
    expect(names).to_have_count(5)
    expect(names.last).to_be_focused()
    page.keyboard.type("colour")
    page.keyboard.press("Tab")
    page.keyboard.type("Choice")
    page.keyboard.press("Tab")
    page.keyboard.type("red, blue")
    # The answer is slower than the pause after which a preview of what was typed is asked for.
    page.route("**/tables/*/", lambda route: (time.sleep(1), route.continue_()))
    page.get_by_role("button", name="Remove field 2").focus()
    page.keyboard.press("Enter")
    expect(names).to_have_count(4)

    values = names.evaluate_all("fields => fields.map((field) => field.value)")
    assert values == ["label", "price", "complaints", "colour"]
    expect(page.get_by_label("Choices").last).to_have_value("red, blue")
    context.close()


def test_what_belongs_to_another_form_of_the_answers_is_not_shown(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, NEW)
    page = context.new_page()
    showroom.visit(page, NEW)
    schema = page.get_by_label("JSON schema of the answers")

    expect(page.get_by_role("button", name="Add a field")).to_be_hidden()
    expect(schema).to_be_hidden()
    page.get_by_text("Fields", exact=True).click()
    expect(page.get_by_role("button", name="Add a field")).to_be_visible()
    page.get_by_text("JSON schema (advanced)").click()
    expect(page.get_by_role("button", name="Add a field")).to_be_hidden()
    expect(schema).to_be_visible()
    context.close()
