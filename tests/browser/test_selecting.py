"""Select several batches, act on them, and keep the filter of the list under a name."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.people_walk import request_file
from tests.processes.portal import Portal

pytestmark = [pytest.mark.browser, ON_ONE_STACK]


def test_batches_are_ticked_by_keyboard_tagged_and_found_again_by_a_saved_view(
    signed_in: Page, running_portal: Portal, tmp_path: Path
) -> None:
    page = signed_in
    page.goto("/projects/demo/batches/")
    expect(page.get_by_role("link", name="Select…")).to_have_count(0)  # there is no batch
    file = str(request_file(tmp_path, requests=2))
    for name in ("first night", "second night", "reviews"):
        running_portal.manage("run", file, "--project", "demo", "--name", name)

    page.goto("/projects/demo/batches/?q=none-such")
    page.get_by_role("searchbox", name="Search").fill("night")
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Select…").click()  # it came with the rows, and their filter
    ticks = page.locator("#select input[name=b]")
    expect(ticks).to_have_count(2)
    for tick in ticks.all():
        tick.focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Tags…").click()
    expect(page.locator("#will")).to_contain_text("2 batches will change")
    page.get_by_label("Tags to add").fill("late")
    page.locator("#confirm").click()
    expect(page.get_by_role("status").filter(has_text="2 batches").first).to_be_visible()

    page.goto("/projects/demo/batches/")
    page.get_by_label("Tag").select_option("late")
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Save this view…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Night shift")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()

    page.goto("/projects/demo/batches/")
    expect(page.locator("#rows tbody tr")).to_have_count(3)
    page.get_by_role("navigation", name="Saved views").get_by_role(
        "link", name="Night shift"
    ).click()
    expect(page.locator("#rows tbody tr")).to_have_count(2)
    expect(page.locator("#rows")).not_to_contain_text("reviews")
