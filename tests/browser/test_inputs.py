"""What scripts add to fields: lists that are searched, menus over tables, filters that apply."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import found_by_axe
from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

STYLE = next(page_state for page_state in PAGE_STATES if page_state.name == "styleguide")


@pytest.fixture
def page(showroom: Gallery, chromium: Browser) -> Iterator[Page]:
    context = showroom.enter(chromium, STYLE, reduced_motion="reduce")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    showroom.visit(page, STYLE)
    yield page
    context.close()
    assert errors == []


def test_a_long_list_is_searched_by_typing_and_keeps_its_value_in_the_form(page: Page) -> None:
    field = page.get_by_role("combobox", name="Many", exact=True)
    value = page.locator("select[name=model]")
    assert page.get_by_role("combobox", name="Few").evaluate("each => each.tagName") == "SELECT"

    field.click()
    expect(page.get_by_role("option", name="alert", exact=True)).to_be_visible()
    field.press_sequentially("sort-d")
    expect(page.get_by_role("listbox").locator("li")).to_have_text(["sort-down"])
    assert found_by_axe(page) == []
    field.press("Enter")

    expect(value).to_have_value("sort-down")
    expect(field).to_have_value("sort-down")
    expect(page.get_by_role("listbox")).to_be_hidden()
    field.press("ArrowDown")
    field.press("ArrowDown")
    field.press("Escape")
    expect(value).to_have_value("sort-down")
    field.fill("nothing like it")
    field.press("Tab")
    expect(field).to_have_value("sort-down")
    field.click()
    page.get_by_role("option", name="users", exact=True).click()
    expect(value).to_have_value("users")


def test_a_field_that_takes_any_text_offers_what_is_known(page: Page, showroom: Gallery) -> None:
    page.goto(f"/tables/{showroom.paths['table']}/")
    field = page.get_by_role("combobox", name="Model", exact=True)

    field.fill("qwen")
    offered = page.get_by_role("listbox", name="Model").locator("li")
    expect(offered.first).to_contain_text(re.compile("qwen", re.IGNORECASE))
    name = offered.first.inner_text().partition(" · ")[0]  # its price follows
    field.press("ArrowDown")
    field.press("Enter")
    expect(field).to_have_value(name)
    expect(offered.first).to_be_hidden()

    field.fill("a model of my own")
    field.press("Tab")
    expect(field).to_have_value("a model of my own")


def test_a_menu_in_a_table_is_moved_through_by_arrows_and_cut_off_by_nothing(page: Page) -> None:
    button = page.locator("#tables tbody tr:last-child summary")
    menu = page.locator("#tables tbody tr:last-child .more > div")
    button.focus()
    page.keyboard.press("ArrowDown")

    expect(menu.get_by_role("link", name="Change")).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(menu.get_by_role("link", name="Delete")).to_be_focused()
    seen = menu.get_by_role("link", name="Delete").evaluate(
        "each => { const box = each.getBoundingClientRect();"
        " return each.contains(document.elementFromPoint(box.x + 9, box.y + 9)); }"
    )
    assert seen
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    menu.get_by_role("link", name="Copy").click()
    expect(menu).to_be_hidden()


def test_a_range_of_days_applies_with_the_other_filters(page: Page) -> None:
    page.goto("/batches/")
    rows = page.locator("#rows tbody tr")
    page.locator("#id_q").fill("e")
    page.wait_for_url("**/?*q=e*")
    number = rows.count()
    days = page.locator("#own-days summary")
    days.click()
    page.get_by_role("link", name="Last month").click()

    page.wait_for_url(re.compile("q=e.*first=2.*last=2"))
    expect(days).to_have_text("Created Last month")
    days.click()
    expect(page.get_by_role("link", name="Last month")).to_have_attribute("aria-current", "true")
    page.get_by_label("From").fill("2020-01-01")
    page.wait_for_url("**first=2020-01-01**")
    page.get_by_label("To").fill("2020-01-31")
    expect(days).to_have_text("Created Chosen days")
    expect(rows).to_have_count(0)
    page.get_by_role("link", name="Any time").click()
    expect(rows).to_have_count(number)


def test_filters_apply_themselves_where_the_page_is_loaded_anew(page: Page) -> None:
    page.goto("/prices/")
    expect(page.get_by_role("button", name="Show")).to_be_hidden()
    page.get_by_label("Show").select_option("all")

    page.wait_for_url("**/prices/?*show=all*")
