"""A second batch that asks about the answers of the first one, and both side by side."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import ON_ONE_STACK, answered_text
from tests.browser.test_journey import reviews
from tests.browser.test_pages import OVERFLOW

pytestmark = [pytest.mark.browser, ON_ONE_STACK]
REVIEWS = 12


def submit(page: Page, number: int) -> str:
    """Go from the prompt to the end of a batch, and return the address of its page."""
    page.get_by_role("button", name="Create the requests").click()
    page.wait_for_url(re.compile(r"/batch/"))
    if page.get_by_role("link", name="Continue").is_visible():  # the check has warnings
        page.get_by_role("link", name="Continue").click()
    page.get_by_role("button", name="Continue to the review").click()
    page.get_by_role("button", name=re.compile(r"^Submit \d")).click()
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/$"))
    answered = page.get_by_role("main").get_by_text(answered_text(number))
    expect(answered).to_be_visible(timeout=120_000)
    return page.url


def test_answers_are_asked_about_and_both_batches_are_compared(
    signed_in: Page, tmp_path: Path
) -> None:
    page = signed_in
    page.goto("/projects/demo/tables/new/")
    page.locator("input[type=file]").first.set_input_files(reviews(tmp_path, REVIEWS))
    page.wait_for_url(re.compile(r"/tables/[0-9a-f-]{36}/$"))
    page.get_by_role("button", name="Classify").click()
    expect(page.locator("#request")).to_contain_text("The desk lamp (no. 1) is")
    first = submit(page, REVIEWS)

    page.locator("#more-button").click()
    page.get_by_role("link", name="Use answers as a table").click()
    page.get_by_role("button", name="Make the table").click()
    page.wait_for_url(re.compile(r"/tables/[0-9a-f-]{36}/$"))
    expect(page.get_by_text("made from the answers of")).to_be_visible()
    page.get_by_label("Prompt", exact=True).fill("Why does {label} fit this: {Text of the review}")
    expect(page.locator("#request")).to_contain_text("fit this: The desk lamp (no. 1) is")
    second = submit(page, REVIEWS)
    expect(page.locator("#made-from a")).to_have_attribute("href", re.sub(r".*//[^/]*", "", first))

    page.locator("#more-button").click()
    page.get_by_role("link", name="Compare with").click()
    page.locator(f'input[value="{first.rstrip("/").rpartition("/")[2]}"]').check()
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Compare 2 batches")
    expect(page.locator("#questions")).to_contain_text(f"prompts differ for {REVIEWS} custom_ids")
    expect(page.locator("article").first.locator("mark").first).to_be_visible()
    assert page.evaluate(OVERFLOW) == 0
    page.goto(first)
    expect(page.locator("#used-by a")).to_have_attribute("href", re.sub(r".*//[^/]*", "", second))
