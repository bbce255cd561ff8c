"""The main job as a person does it: sign in, upload, look, submit, watch, read, download."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

SAMPLES = Path(__file__).resolve().parent.parent.parent / "batchapp/data/samples"

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("processes")]


def test_from_a_file_to_its_results(signed_in: Page) -> None:
    page = signed_in
    page.goto("/projects/demo/files/")
    page.locator("input[type=file]").set_input_files(SAMPLES / "chat.jsonl")
    send = page.get_by_role("button", name=re.compile("Upload"))
    if send.is_visible():
        send.click()
    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/$"))
    expect(page.get_by_text("300 requests").first).to_be_visible()
    expect(page.get_by_text("$0.00").first).to_be_visible()  # a price, with four decimals

    page.get_by_role("link", name=re.compile("batch", re.IGNORECASE)).filter(
        has_text=re.compile("New|Run|Make", re.IGNORECASE)
    ).first.click()
    page.wait_for_url(re.compile(r"/batch/$"))
    page.get_by_role("button", name=re.compile("Submit")).click()
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/$"))

    # Counts move without a reload: this mark would be gone after one.
    page.evaluate("window.notReloaded = true")
    expect(page.locator("progress, [role=progressbar]").first).to_be_visible()
    expect(page.get_by_text(re.compile("Completed")).first).to_be_visible(timeout=90_000)
    assert page.evaluate("window.notReloaded") is True
    expect(page.get_by_text("300 in = 300 answered").first).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("output", re.IGNORECASE)).first.click()
    assert download.value.path().read_bytes().count(b"\n") == 300

    page.get_by_role("link", name=re.compile("Results")).first.click()
    page.get_by_text("classify-3.40.1-note-01").first.click()
    expect(page.get_by_text("SQLite 3.40.1").first).to_be_visible()
    expect(page.get_by_text("chatcmpl").first).to_be_visible()


def test_without_javascript_the_job_is_done_all_the_same(signed_in: Page) -> None:
    state = signed_in.context.storage_state()
    browser = signed_in.context.browser
    assert browser
    context = browser.new_context(
        java_script_enabled=False, storage_state=state, base_url=signed_in.url
    )
    page = context.new_page()
    page.goto("/projects/demo/files/")
    page.locator("input[type=file]").set_input_files(SAMPLES / "structured.jsonl")
    page.get_by_role("button", name=re.compile("Upload")).click()
    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/$"))
    upload = page.url
    for _ in range(60):
        page.goto(f"{upload}batch/")
        if page.get_by_role("button", name=re.compile("Submit")).is_visible():
            break
        page.wait_for_timeout(500)
    page.get_by_role("button", name=re.compile("Submit")).click()
    page.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/$"))
    for _ in range(120):
        page.reload()
        if page.get_by_text("20 in = 20 answered").first.is_visible():
            break
        page.wait_for_timeout(500)
    expect(page.get_by_text("20 in = 20 answered").first).to_be_visible()
    context.close()


def test_faults_are_shown_with_their_lines(signed_in: Page, tmp_path: Path) -> None:
    file = tmp_path / "faults.jsonl"
    file.write_text('{"custom_id": "a"}\nnonsense\n')
    page = signed_in
    page.goto("/projects/demo/files/")
    page.locator("input[type=file]").set_input_files(file)
    send = page.get_by_role("button", name=re.compile("Upload"))
    if send.is_visible():
        send.click()
    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/$"))

    expect(page.get_by_text("Has errors").first).to_be_visible()
    expect(page.get_by_text("not valid JSON").first).to_be_visible()


def test_a_key_is_stored_and_never_shown_again(signed_in: Page) -> None:
    page = signed_in
    page.goto("/profile/")
    secret = "sk-browser-secret-8642"
    page.locator("input[name=secret]").first.fill(secret)
    page.get_by_role("button", name=re.compile("Add|Save|Store")).last.click()
    expect(page.get_by_text("8642").first).to_be_visible()
    assert secret not in page.content()
