"""The main job as a person does it: sign in, upload, look, submit, watch, read, download."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.chromium import LONGEST_WAIT, answered_text
from tests.browser.test_pages import OVERFLOW
from tests.processes.portal import PASSWORD, Portal

SAMPLES = Path(__file__).resolve().parent.parent.parent / "batchapp/data/samples"

pytestmark = [pytest.mark.browser]


SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "dark",
        "has_touch": True,
        "is_mobile": True,
    },
}


@pytest.fixture(params=SCREENS)
def screen(
    request: pytest.FixtureRequest, chromium: Browser, running_portal: Portal
) -> Iterator[Page]:
    """A device; a script error or a refused resource fails the test."""
    context = chromium.new_context(base_url=running_portal.url, **SCREENS[request.param])
    context.set_default_timeout(LONGEST_WAIT)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
    yield page
    context.close()
    assert errors == []


def upload(page: Page, file: Path) -> None:
    page.goto("/projects/demo/files/")
    page.locator("input[type=file]").set_input_files(file)
    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/$"))


def press(target: Locator) -> None:
    """As a finger does on what has no mouse; nothing may lie over the target."""
    size = target.page.viewport_size
    if size and size["width"] < 600:
        target.tap()
    else:
        target.click()


def open_project(page: Page, name: str) -> None:
    """By the navigation, which a phone hides behind a button."""
    menu = page.get_by_role("button", name="Menu")
    if menu.is_visible():
        press(menu)
    press(
        page.get_by_role("navigation", name="Main").get_by_role(
            "link", name="Projects", exact=True
        )
    )
    press(page.get_by_role("link", name=name, exact=True))
    expect(page.get_by_role("heading", level=1)).to_have_text(name)


def test_from_a_file_to_its_results(screen: Page) -> None:
    page = screen
    page.goto("/projects/")
    page.get_by_label("E-mail").fill("ana@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    press(page.get_by_role("button", name="Sign in"))
    page.wait_for_url("/projects/")
    open_project(page, "Demo")

    press(page.get_by_role("link", name="Upload a file").first)
    page.locator("input[type=file]").set_input_files(SAMPLES / "chat.jsonl")
    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/$"))
    expect(page.get_by_text("All 300 requests are ready to be sent.")).to_be_visible()
    price = re.compile(r"24 h\s+cheapest\s+~\$0\.00\d\d")
    expect(page.locator("#cost .stat").first).to_have_text(price)

    press(page.get_by_role("main").get_by_role("link", name="Run this file"))
    page.wait_for_url(re.compile(r"/batch/$"))
    press(page.get_by_role("link", name="Continue"))
    page.wait_for_url(re.compile(r"/batch/window/"))
    press(page.locator("label", has_text=re.compile(r"^\s*Within 1 hour")))
    press(page.locator("label", has_text=re.compile(r"^\s*Within 24 hours")))
    page.get_by_label("Name").fill("Notes, classified")
    press(page.get_by_role("button", name="Continue to the review"))
    page.wait_for_url(re.compile(r"/batch/review/\?.*window=24h"))
    expect(page.get_by_text("Notes, classified").first).to_be_visible()
    press(page.get_by_role("button", name=re.compile(r"^Submit \d")))
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/$"))

    # Counts move without a reload: this mark would be gone after one.
    page.evaluate("window.notReloaded = true")
    expect(page.get_by_role("progressbar").first).to_be_visible()
    answered = page.get_by_role("main").get_by_text(answered_text(300))
    expect(answered).to_be_visible(timeout=90_000)
    assert page.evaluate("window.notReloaded") is True

    with page.expect_download() as download:
        press(page.locator("#downloads-button"))
        press(page.get_by_role("link", name="Download results"))
    assert download.value.path().read_bytes().count(b"\n") == 300

    press(page.get_by_role("link", name="Browse results"))
    press(page.get_by_role("link", name="classify-3.40.1-note-01"))
    drawer = page.get_by_role("dialog", name="Details")
    expect(drawer.get_by_text("SQLite 3.40.1 (2022-12-28)").first).to_be_visible()
    press(drawer.get_by_text("Raw JSON"))
    expect(drawer.get_by_text('"object": "chat.completion"')).to_be_visible()
    press(drawer.get_by_role("link", name="Next"))
    expect(drawer.get_by_role("heading", level=1)).not_to_have_text("classify-3.40.1-note-01")
    press(drawer.get_by_role("button", name="Close"))
    expect(drawer).to_be_hidden()
    assert page.evaluate(OVERFLOW) == 0


def reviews(folder: Path, number: int) -> Path:
    """Write a spreadsheet of invented reviews, as an analyst exports it.

    Each folder has texts of its own: answers to the same ones would be offered to be kept.
    """
    things = ["kettle", "desk lamp", "rucksack", "office chair", "Teekanne", "чайник"]
    views = ["broke, after a week", 'is "great"; I am happy', "does what it says", "är för dyr"]
    path = folder / "product reviews.csv"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Review no.", "Text of the review"])
        writer.writerows(
            [n, f"The {things[n % 6]} (no. {n}) {views[n % 4]}. Shop {folder.name}."]
            for n in range(1, number + 1)
        )
    return path


def test_from_a_spreadsheet_to_labels_in_six_clicks(
    screen: Page, running_portal: Portal, tmp_path: Path
) -> None:
    page, clicks = screen, 0

    def click(target: Locator) -> None:
        nonlocal clicks
        press(target)
        clicks += 1

    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill("ana@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    press(page.get_by_role("button", name="Sign in"))
    page.wait_for_url("/")

    click(page.get_by_role("link", name="New batch").first)
    page.wait_for_url("/projects/demo/batches/new/")
    with page.expect_file_chooser() as chooser:
        click(page.get_by_text("Choose a table"))
    chooser.value.set_files(reviews(tmp_path, 500))
    page.wait_for_url(re.compile(r"/tables/[0-9a-f-]{36}/$"))
    click(page.get_by_role("button", name="Classify"))
    expect(page.locator("#request")).to_contain_text("The desk lamp (no. 1) is")
    click(page.get_by_role("button", name="Create the requests"))
    page.wait_for_url(re.compile(r"/batch/window/"))
    click(page.get_by_role("button", name="Continue to the review"))
    click(page.get_by_role("button", name=re.compile(r"^Submit 500 requests")))
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/$"))

    assert clicks == 6
    answered = page.get_by_role("main").get_by_text(answered_text(500))
    expect(answered).to_be_visible(timeout=120_000)
    press(page.get_by_role("link", name="Browse results"))
    label = re.compile(r"^\W*(label)?\W*(positive|neutral|negative)\W*$")
    expect(page.locator("#rows td:visible", has_text=label).first).to_be_visible()
    assert page.evaluate(OVERFLOW) == 0


def test_without_javascript_the_job_is_done_all_the_same(signed_in: Page) -> None:
    state = signed_in.context.storage_state()
    browser = signed_in.context.browser
    assert browser
    context = browser.new_context(
        java_script_enabled=False, storage_state=state, base_url=signed_in.url
    )
    page = context.new_page()
    page.goto("/projects/demo/batches/new/")
    page.locator("input[type=file]").first.set_input_files(SAMPLES / "structured.jsonl")
    page.get_by_role("button", name="Upload", exact=True).click()
    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/batch/$"))
    for _ in range(60):
        if page.get_by_role("link", name="Continue").is_visible():
            break
        page.wait_for_timeout(500)
        page.reload()
    page.get_by_role("link", name="Continue").click()
    page.get_by_role("button", name="Continue to the review").click()
    page.get_by_role("button", name=re.compile(r"^Submit \d")).click()
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/$"))
    for _ in range(120):
        page.reload()
        if page.get_by_text(answered_text(20)).first.is_visible():
            break
        page.wait_for_timeout(500)
    expect(page.get_by_text(answered_text(20)).first).to_be_visible()
    context.close()


def test_faults_are_shown_with_their_lines(signed_in: Page, tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    file.write_text('{"custom_id": "a"}\nnonsense\n')
    page = signed_in
    upload(page, file)

    findings = page.get_by_role("main").get_by_text("2 of 2 lines cannot be sent.")
    expect(findings).to_be_visible()
    finding = page.locator("#finding-invalid_json")
    finding.get_by_text("Invalid JSON").click()
    expect(finding.get_by_text("line 2", exact=True)).to_be_visible()
    expect(finding.get_by_text("nonsense", exact=True)).to_be_visible()


def test_a_key_is_stored_and_never_shown_again(signed_in: Page) -> None:
    page = signed_in
    page.goto("/profile/")
    secret = "sk-browser-secret-8642"
    page.locator("input[name=secret]").first.fill(secret)
    page.get_by_role("button", name="Add the key").click()
    expect(page.get_by_text("8642").first).to_be_visible()
    assert secret not in page.content()
