"""The table of results in the hands of an analyst, with a mouse, and on a phone."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery
from tests.browser.test_pages import OVERFLOW

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]
FIELDS = next(page_state for page_state in PAGE_STATES if page_state.name == "results-fields")
PLACE = ".pager > span"  # which of the results the page shows


@pytest.fixture
def page(chromium: Browser, showroom: Gallery) -> Iterator[Page]:
    """The results of 120 reviews, answered in JSON."""
    with showroom.enter(chromium, FIELDS) as context:
        page = context.new_page()
        showroom.visit(page, FIELDS)
        yield page


def test_a_line_is_found_by_its_number_and_marked(page: Page) -> None:
    page.get_by_label("Go to line").fill("77")
    page.get_by_label("Go to line").press("Enter")

    page.wait_for_url(re.compile(r"page=2#line-77$"))
    expect(page.locator("#line-77")).to_be_in_viewport()


def test_a_value_in_a_head_filters_and_a_press_on_it_sorts_what_is_left(page: Page) -> None:
    late = page.locator(".facets a[title=late]")
    number = re.search(r"(\d+) results", late.get_attribute("aria-label") or "")
    assert number
    late.click()
    expect(page.locator(PLACE)).to_contain_text(f"of {number[0]}")
    page.get_by_role("link", name="score", exact=True).click()
    head = page.get_by_role("columnheader", name="score")
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(page.locator("#rows tbody tr").first).to_contain_text("9.")

    page.get_by_role("link", name=re.compile("Remove this filter")).click()
    expect(page.locator(PLACE)).to_contain_text("of 120 results")


def test_the_results_that_a_search_left_are_those_of_the_export(page: Page) -> None:
    page.get_by_role("main").get_by_role("searchbox", name="Search").fill("row-0001")
    expect(page.locator(PLACE)).to_contain_text("of 10 results")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.locator("#downloads-button").click()
    page.locator("#export").click()
    assert not any("/results/" in url for url in requests)  # its answer would close the menu
    expect(page.get_by_role("complementary", name="Summary")).to_contain_text("10 of 120 results")


def test_on_a_phone_every_field_of_an_answer_is_readable(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})

    first = page.locator("#rows tbody tr").first
    for text in ("broken", "3.7", "They say broken, 1.", "false"):
        expect(first.get_by_text(text, exact=True)).to_be_visible()
    assert page.evaluate(OVERFLOW) == 0


def test_two_batches_of_the_list_are_ticked_by_their_rows_and_compared(page: Page) -> None:
    page.goto("/batches/?q=model")
    page.get_by_role("link", name="Select…").click()
    for name in ("Reviews, Small model", "Reviews, Large model"):
        page.get_by_text(name, exact=True).click()
        expect(page.get_by_label(name)).to_be_checked()

    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 batches")
