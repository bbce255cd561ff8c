"""Files on their way, as a person sends them: chosen, dropped, pasted, cancelled, tried again."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.browser.axe import ALL, RUN
from tests.browser.chromium import LONGEST_WAIT, ON_ONE_STACK, wait_until
from tests.make import request_file
from tests.processes.portal import PASSWORD, Portal

pytestmark = [pytest.mark.browser, ON_ONE_STACK]

FILES = "/projects/demo/files/"
PATIENCE = 120_000  # milliseconds, for the check of a file by a worker
A_FILE = re.compile(r"/files/[0-9a-f-]{36}/$")
DROP = """([selector, files]) => {
    const data = new DataTransfer();
    for (const [name, text] of files) data.items.add(new File([text], name));
    const target = document.querySelector(selector);
    const none = {types: ["Files"], items: [], files: []};
    for (const kind of ["dragenter", "dragover", "drop"]) {
        const how = {dataTransfer: data, bubbles: true, cancelable: true};
        const event = new DragEvent(kind, how);
        if (!files.length) Object.defineProperty(event, "dataTransfer", {value: none});
        target.dispatchEvent(event);
        window.covered ||= document.querySelector(".drop-overlay.shown")?.textContent;
    }
    return window.covered;  // before the page that follows an upload takes the place of this one
}"""
DROP_TEXT = """() => {
    const data = new DataTransfer();
    data.setData("text/plain", "hello");
    const how = {dataTransfer: data, bubbles: true, cancelable: true};
    document.querySelector("[data-drop]").dispatchEvent(new DragEvent("drop", how));
}"""
DROP_FOLDER = """() => {
    const item = {kind: "file", webkitGetAsEntry: () => ({isDirectory: true, name: "tickets"})};
    const event = new Event("drop", {bubbles: true, cancelable: true});
    event.dataTransfer = {types: ["Files"], items: [item], files: [new File([], "tickets")]};
    document.querySelector("h1").dispatchEvent(event);
}"""
SMALLER = """
    const form = document.querySelector("[data-target]");
    const target = JSON.parse(form.dataset.target);
    target.files.max_bytes = 1000;
    form.dataset.target = JSON.stringify(target);
"""
LISTEN = """
    window.heard = [];
    document.addEventListener("portal:announce", (event) => window.heard.push(event.detail));
"""


@pytest.fixture(scope="module")
def session(chromium: Browser, running_portal: Portal) -> Any:
    page = chromium.new_page(base_url=running_portal.url)
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill("ana@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    state = page.context.storage_state()
    page.context.close()
    return state


@pytest.fixture
def page(chromium: Browser, running_portal: Portal, session: Any) -> Iterator[Page]:
    """A page of the console; a script that breaks fails the test. Lost requests are the test's."""
    context = chromium.new_context(base_url=running_portal.url, storage_state=session)
    context.set_default_timeout(LONGEST_WAIT)
    context.add_init_script(LISTEN)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def made(folder: Path, **files: bytes) -> list[Path]:
    paths = []
    for name, content in files.items():
        path = folder / f"{name}.jsonl"
        path.write_bytes(content)
        paths.append(path)
    return paths


def choose(page: Page, *paths: Path) -> None:
    page.locator("input[type=file]").first.set_input_files(paths)


def send(page: Page) -> None:
    page.get_by_role("button", name="Upload", exact=True).click()


def row(page: Page, name: str) -> Locator:
    return page.locator(".queue li").filter(has=page.locator("bdi", has_text=name))


def heard(page: Page) -> list[str]:
    said: list[str] = page.evaluate("window.heard")
    return said


def listed(page: Page, name: str) -> int:
    page.goto(f"{FILES}?q={name}")
    return page.locator("#rows tbody tr").count()


def test_three_files_each_have_a_row_and_the_bad_one_says_why(page: Page, tmp_path: Path) -> None:
    good, bad, empty = made(tmp_path, good=request_file(7), bad=b"nonsense\n{}\n", empty=b"")
    page.goto(FILES)
    choose(page, good, bad, empty)

    expect(row(page, "empty.jsonl")).to_contain_text("empty.jsonl is empty")
    expect(row(page, "good.jsonl")).to_contain_text("Ready: 7 requests", timeout=PATIENCE)
    expect(row(page, "bad.jsonl")).to_contain_text("Has errors:", timeout=PATIENCE)
    expect(row(page, "empty.jsonl")).to_contain_text("Not uploaded")
    expect(page.locator("#rows").get_by_role("link", name="good.jsonl")).to_be_visible()
    expect(page.locator("#rows").get_by_role("link", name="empty.jsonl")).to_have_count(0)
    said = " ".join(heard(page))
    assert "Uploading 2 files." in said
    assert "good.jsonl: Ready: 7 requests" in said
    assert "%" not in said
    row(page, "bad.jsonl").get_by_role("link", name="Open bad.jsonl").click()
    page.wait_for_url(A_FILE)


def test_a_file_alone_leads_to_its_page(page: Page, tmp_path: Path) -> None:
    page.goto(FILES)
    choose(page, *made(tmp_path, alone=request_file()))

    page.wait_for_url(A_FILE)
    expect(page.get_by_role("heading", level=1)).to_have_text("alone.jsonl")


def test_what_is_refused_is_refused_before_it_is_sent(page: Page, tmp_path: Path) -> None:
    picture = tmp_path / "holiday.png"
    picture.write_bytes(b"\x89PNG")
    page.goto(FILES)
    page.evaluate(SMALLER)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.method))

    choose(page, picture, *made(tmp_path, large=request_file(50)))

    expect(row(page, "holiday.png")).to_contain_text("holiday.png is not taken")
    expect(row(page, "large.jsonl")).to_contain_text("at most 1000 bytes are taken")
    assert row(page, "large.jsonl").get_by_role("button", name="Try again").count() == 0
    assert "POST" not in asked


def test_a_row_that_is_removed_gives_the_focus_on(page: Page, tmp_path: Path) -> None:
    page.goto(FILES)
    choose(page, *made(tmp_path, goes=b"", stays=b""))

    row(page, "goes.jsonl").get_by_role("button", name="Remove goes.jsonl").click()

    expect(row(page, "goes.jsonl")).to_have_count(0)
    expect(row(page, "stays.jsonl").get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Choose files")).to_be_focused()


def test_a_file_under_way_is_cancelled_and_the_others_arrive(page: Page, tmp_path: Path) -> None:
    held: list[Route] = []

    def hold(route: Route) -> None:
        if b'filename="slow.jsonl"' in (route.request.post_data_buffer or b""):
            held.append(route)
        elif route.request.method == "POST":
            route.continue_()
        else:
            route.fallback()

    page.route(f"**{FILES}*", hold)
    page.goto(FILES)
    choose(page, *made(tmp_path, slow=request_file(), quick=request_file(2)))

    expect(row(page, "quick.jsonl")).to_contain_text("Ready: 2 requests", timeout=PATIENCE)
    row(page, "slow.jsonl").get_by_role("button", name="Cancel slow.jsonl").click()

    expect(row(page, "slow.jsonl")).to_contain_text("You cancelled it.")
    expect(row(page, "slow.jsonl").get_by_role("button", name="Try again")).to_be_visible()
    page.unroute_all()
    assert held
    assert listed(page, "slow") == 0


def test_a_lost_connection_is_said_and_the_file_sent_again_comes_in_once(
    page: Page, tmp_path: Path
) -> None:
    stored: list[int] = []
    content = request_file(4)

    def lose(route: Route) -> None:
        sent = route.request.post_data_buffer or b""
        if b'filename="lost.jsonl"' not in sent:
            route.fallback()
            return
        # It arrives, only the answer is lost. Chromium does not tell what is in a file.
        whole = re.sub(rb'(filename="lost.jsonl"\r\n.*?\r\n\r\n)', rb"\1" + content, sent)
        headers = route.request.all_headers() | {"content-length": str(len(whole))}
        stored.append(route.fetch(headers=headers, post_data=whole).status)
        route.abort("connectionreset")

    page.route(f"**{FILES}*", lose)
    page.goto(FILES)
    choose(page, *made(tmp_path, lost=content, other=request_file(5)))
    expect(row(page, "other.jsonl")).to_contain_text("Ready: 5 requests", timeout=PATIENCE)
    expect(row(page, "lost.jsonl")).to_contain_text("The connection broke off")
    assert any("lost.jsonl was not uploaded" in each for each in heard(page))

    page.unroute_all()
    row(page, "lost.jsonl").get_by_role("button", name="Try again lost.jsonl").click()

    expect(row(page, "lost.jsonl")).to_contain_text("Ready: 4 requests", timeout=PATIENCE)
    assert stored == [201]
    assert listed(page, "lost") == 1


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (413, "It is larger than what this server lets through."),
        (502, "The portal could not store it. Try again in a minute."),
        (200, "You are signed out."),
    ],
)
def test_an_answer_from_elsewhere_is_put_into_words(
    page: Page, tmp_path: Path, status: int, sentence: str
) -> None:
    page.goto(FILES)
    page.route(
        f"**{FILES}", lambda route: route.fulfill(status=status, body="<h1>No</h1>"), times=1
    )
    choose(page, *made(tmp_path, unlucky=request_file()))

    expect(row(page, "unlucky.jsonl")).to_contain_text(sentence)


def test_leaving_is_asked_about_only_while_something_is_sent(page: Page, tmp_path: Path) -> None:
    asked: list[str] = []

    def stay(dialog: Any) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.goto(FILES)
    choose(page, *made(tmp_path, idle=b""))
    page.get_by_role("link", name="Members", exact=True).click()
    page.wait_for_url("**/members/")
    assert asked == []

    page.goto(FILES)
    page.route(f"**{FILES}", lambda route: None)
    choose(page, *made(tmp_path, held=request_file()))
    expect(row(page, "held.jsonl").get_by_role("button", name="Cancel")).to_be_visible()
    page.get_by_role("link", name="Members", exact=True).click()
    wait_until(page, lambda: asked)

    assert asked == ["beforeunload"]
    assert page.url.endswith(FILES)
    row(page, "held.jsonl").get_by_role("button", name="Cancel").click()


def test_files_dropped_anywhere_on_the_page_of_files_are_sent(page: Page) -> None:
    text = request_file(3).decode()
    page.goto(FILES)

    covered = page.evaluate(
        DROP, ["h1", [["one.jsonl", text], ["two.txt", text], ["three.zip", text]]]
    )

    assert covered == "Drop to upload to Demo"
    expect(page.locator(".drop-overlay")).to_be_hidden()
    expect(row(page, "one.jsonl")).to_contain_text("Ready: 3 requests", timeout=PATIENCE)
    expect(row(page, "two.txt")).to_contain_text("Ready: 3 requests", timeout=PATIENCE)
    expect(row(page, "three.zip")).to_contain_text("three.zip is not taken")
    expect(page.get_by_text("A file with the same content is here already").first).to_be_visible()
    page.reload()
    expect(page.locator(".queue li")).to_have_count(0)


def test_files_dropped_on_another_page_of_the_project_are_sent_from_there(page: Page) -> None:
    page.goto("/projects/demo/members/")

    page.evaluate(
        DROP,
        [
            "body",
            [["left.jsonl", request_file(2).decode()], ["right.jsonl", request_file(4).decode()]],
        ],
    )

    panel = page.get_by_role("region", name="Uploads to Demo")
    expect(panel).to_contain_text("Ready: 2 requests", timeout=PATIENCE)
    expect(panel).to_contain_text("Ready: 4 requests", timeout=PATIENCE)
    assert page.url.endswith("/projects/demo/members/")
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)


def test_one_file_dropped_on_another_page_leads_to_its_own(page: Page) -> None:
    page.goto("/projects/demo/")

    page.evaluate(DROP, ["body", [["single.jsonl", request_file(2).decode()]]])

    page.wait_for_url(A_FILE)
    expect(page.get_by_role("heading", level=1)).to_have_text("single.jsonl")


TABLE = "id,text\nt-1,hello\nt-2,world\n"


A_TABLE = re.compile(r"/tables/[0-9a-f-]{36}/$")
A_CHECK = re.compile(r"/files/[0-9a-f-]{36}/batch/$")


@pytest.mark.parametrize(
    "path",
    ["/", FILES, "/projects/demo/", "/projects/demo/batches/new/", "/projects/demo/tables/new/"],
)
def test_a_table_opens_the_builder_wherever_it_is_dropped(page: Page, path: str) -> None:
    page.goto(path)
    if path == "/":
        page.get_by_label("Project", exact=True).select_option("demo")

    page.evaluate(DROP, ["h1", [["tickets.csv", TABLE]]])

    page.wait_for_url(A_TABLE)
    expect(page.get_by_text("tickets.csv").first).to_be_visible()


def test_either_card_of_a_new_batch_takes_what_belongs_to_the_other(
    page: Page, tmp_path: Path
) -> None:
    table, requests = tmp_path / "reviews.tsv", tmp_path / "requests.jsonl"
    table.write_text(TABLE.replace(",", "\t"))
    requests.write_bytes(request_file(2))

    page.goto("/projects/demo/batches/new/")
    page.get_by_role("form", name="Requests").locator("input[type=file]").set_input_files(table)
    page.wait_for_url(A_TABLE)
    page.goto("/projects/demo/batches/new/")
    page.get_by_role("form", name="A table").locator("input[type=file]").set_input_files(requests)
    page.wait_for_url(A_CHECK)


def test_a_file_of_requests_dropped_among_tables_goes_to_its_check(page: Page) -> None:
    page.goto("/projects/demo/batches/new/?from=table")

    page.evaluate(DROP, ["h1", [["wrong.jsonl", request_file(2).decode()]]])

    page.wait_for_url(A_CHECK)


def test_a_page_without_a_project_with_one_to_choose_starts_a_batch_there(page: Page) -> None:
    page.goto("/profile/")

    covered = page.evaluate(DROP, ["body", [["anywhere.jsonl", request_file(2).decode()]]])

    assert covered == "Drop, and choose the project"
    page.wait_for_url(A_FILE)


def test_a_page_without_a_project_asks_which_and_keeps_the_files(
    page: Page, running_portal: Portal
) -> None:
    page.goto("/projects/new/")
    page.get_by_label("Name").fill("Asked for")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Create").click()
    page.wait_for_url("**/projects/asked-for/")
    page.goto("/batches/")

    page.evaluate(DROP, ["body", [["a.jsonl", request_file(2).decode()], ["b.csv", TABLE]]])
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("In which project?")
    dialog.get_by_role("link", name="Asked for").click()

    panel = page.get_by_role("region", name="Uploads to Asked for")
    expect(panel).to_contain_text("Ready: 2 requests", timeout=PATIENCE)
    panel.get_by_role("link", name="Write its prompt").click()
    page.wait_for_url(A_TABLE)


def test_home_starts_a_batch_in_the_chosen_project(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    page.get_by_label("Project", exact=True).select_option("demo")
    choose(page, *made(tmp_path, from_home=request_file()))

    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/batch/"))


def test_what_is_no_file_is_answered_with_a_sentence(page: Page) -> None:
    page.goto(FILES)
    page.evaluate(DROP, ["h1", []])
    expect(page.locator("[data-errors]")).to_contain_text("No file arrived")

    page.evaluate(DROP_TEXT)
    expect(page.locator("[data-errors]")).to_contain_text("That is text, not a file")
    page.evaluate(DROP_FOLDER)
    expect(page.locator("[data-errors]")).to_contain_text("tickets: a folder cannot be uploaded")


def test_where_nobody_is_signed_in_a_drop_says_so(
    chromium: Browser, running_portal: Portal
) -> None:
    page = chromium.new_page(base_url=running_portal.url)
    page.goto("/sign-in/")

    page.evaluate(DROP, ["body", [["stray.jsonl", "{}"]]])

    expect(page.get_by_role("region", name="Uploads")).to_contain_text("Sign in first.")
    page.context.close()


def test_what_is_pasted_becomes_a_file(page: Page) -> None:
    page.goto(FILES)
    page.get_by_text("Or paste lines").click()
    page.get_by_label("Requests, one on each line").fill(request_file(6).decode())
    page.get_by_label("File name").fill("from the clipboard")
    page.get_by_role("button", name="Upload the lines").click()

    page.wait_for_url(A_FILE)
    expect(page.get_by_role("heading", level=1)).to_have_text("from the clipboard.jsonl")
    ready = page.get_by_text("All 6 requests are ready to be sent.")
    expect(ready).to_be_visible(timeout=PATIENCE)


def test_axe_finds_nothing_in_a_queue(page: Page) -> None:
    page.goto("/projects/demo/members/")
    files = [["one.jsonl", request_file(2).decode()], ["two.png", "x"], ["three.jsonl", ""]]

    page.evaluate(DROP, ["body", files])

    expect(row(page, "one.jsonl")).to_contain_text("Ready: 2 requests", timeout=PATIENCE)
    page.evaluate(Axe().axe_script)
    assert page.evaluate(RUN, ALL) == []


def test_a_file_sent_for_a_batch_leads_to_it(page: Page, tmp_path: Path) -> None:
    page.goto("/projects/demo/batches/new/")
    choose(page, *made(tmp_path, to_run=request_file()))

    page.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/batch/"))


@pytest.mark.parametrize(
    "name", ["🧾" * 40 + ".jsonl", "קובץ בקשות.jsonl", "<b>x</b>&.jsonl", "n" * 1500 + ".jsonl"]
)
def test_any_name_is_shown_and_sent(page: Page, name: str) -> None:
    page.goto(FILES)
    page.evaluate(DROP, ["body", [[name, request_file(2).decode()], ["plain.jsonl", "x"]]])

    expect(page.locator(".queue li").first).to_contain_text("Ready: 2 requests", timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert page.locator(".queue b, .queue script").count() == 0


def test_without_javascript_several_files_and_pasted_lines_arrive(
    chromium: Browser, running_portal: Portal, session: Any, tmp_path: Path
) -> None:
    context = chromium.new_context(
        base_url=running_portal.url, storage_state=session, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(FILES)
    choose(page, *made(tmp_path, plain1=request_file(), plain2=request_file(2)))
    send(page)
    expect(page.get_by_text("2 files were uploaded and are being checked.")).to_be_visible()

    page.get_by_text("Or paste lines").click()
    page.get_by_label("Requests, one on each line").fill(request_file(2).decode())
    page.get_by_role("button", name="Upload the lines").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("pasted.jsonl")
    expect(page.get_by_text("A file with the same content is here already")).to_be_visible()
    context.close()


def test_the_first_file_of_a_project_is_listed_and_followed(page: Page, tmp_path: Path) -> None:
    page.goto("/projects/new/")
    page.get_by_label("Name").fill("First file")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Create").click()
    page.wait_for_url("**/projects/first-file/**")
    page.goto("/projects/first-file/files/")
    choose(page, *made(tmp_path, one=request_file(2), two=request_file(3)))

    expect(page.locator("#rows").get_by_role("link", name="one.jsonl")).to_be_visible()
    expect(page.locator("#rows").get_by_role("link", name="two.jsonl")).to_be_visible()
    expect(page.locator("#rows")).not_to_contain_text("Checking", timeout=PATIENCE)
    expect(page.locator("#rows")).not_to_have_attribute("hx-trigger", re.compile("every"))
