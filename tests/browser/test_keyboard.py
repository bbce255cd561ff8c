"""Without a mouse: rows, results, dialogs, the palette; and what a poll leaves alone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.chromium import LONGEST_WAIT, ON_ONE_STACK, answered_text, wait_for_quiet
from tests.processes.portal import PASSWORD, Portal

FILES = ["apples.jsonl", "pears.jsonl", "plums.jsonl"]

pytestmark = [pytest.mark.browser, ON_ONE_STACK]


@pytest.fixture(scope="module")
def session(
    chromium: Browser, running_portal: Portal, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    """Signed in once, with three files and a finished batch of the last one."""
    folder = tmp_path_factory.mktemp("files")
    line = {
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": {
            "model": "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",
            "max_tokens": 20,
            "messages": [{"role": "user", "content": "Which fruit?"}],
        },
    }
    for name in FILES:
        lines = [json.dumps({"custom_id": f"{name[:-6]}-{n}"} | line) for n in range(1, 4)]
        (folder / name).write_text("\n".join(lines))
    page = chromium.new_page(base_url=running_portal.url)
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill("ana@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("/")
    upload(page, *(folder / name for name in FILES))
    page.get_by_role("link", name="plums.jsonl").click()
    page.locator("#new-batch").click(timeout=120_000)
    page.get_by_role("link", name="Continue").click()
    page.get_by_role("button", name="Continue to the review").click()
    page.get_by_role("button", name=re.compile(r"^Submit \d")).click()
    expect(page.get_by_role("main").get_by_text(answered_text(3))).to_be_visible(timeout=120_000)
    state = page.context.storage_state()
    page.context.close()
    return state


def upload(page: Page, *files: Path) -> None:
    page.goto("/projects/demo/files/")
    page.locator("input[type=file]").set_input_files(files)
    expect(page.locator(".queue").get_by_text("Ready")).to_have_count(len(files), timeout=120_000)
    page.goto("/projects/demo/files/")


@pytest.fixture
def page(chromium: Browser, running_portal: Portal, session: Any) -> Iterator[Page]:
    context = chromium.new_context(base_url=running_portal.url, storage_state=session)
    context.set_default_timeout(LONGEST_WAIT)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def focused(page: Page) -> str:
    return " ".join(str(page.evaluate("document.activeElement.textContent")).split())


def test_keys_move_among_rows_and_open_one(page: Page) -> None:
    page.goto("/projects/demo/files/")
    rows = page.locator("main tbody tr .lead a").all_text_contents()
    assert sorted(rows[:3]) == FILES

    press(page, "j")
    assert focused(page) == rows[0]
    assert page.evaluate("document.activeElement.matches(':focus-visible')")
    press(page, "j", "ArrowDown")
    assert focused(page) == rows[2]
    press(page, "k", "ArrowUp", "k")
    assert focused(page) == rows[0]
    press(page, "j", "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(rows[1])


def test_keys_go_places(page: Page) -> None:
    page.goto("/")
    for key, url in [("b", "/batches/"), ("p", "/projects/"), ("h", "/")]:
        press(page, "g", key)
        page.wait_for_url(url)

    press(page, "n")
    page.wait_for_url("/projects/demo/batches/new/")  # there is but one
    page.goto("/projects/demo/batches/")
    press(page, "n")
    page.wait_for_url("/projects/demo/batches/new/")
    page.goto("/projects/demo/files/")
    page.get_by_role("link", name="pears.jsonl").click()
    expect(page.locator("#new-batch")).to_be_visible()
    page.wait_for_load_state()
    press(page, "n")
    page.wait_for_url(re.compile("/batch/$"))


def test_results_are_leafed_through(page: Page) -> None:
    page.set_viewport_size({"width": 1200, "height": 800})  # a wider window has a pane instead
    page.goto("/batches/")
    press(page, "j", "Enter")
    page.get_by_role("link", name="Browse results").click()
    heading = page.get_by_role("heading", level=1)
    page.get_by_role("link", name="plums-1", exact=True).wait_for()
    page.wait_for_load_state()
    press(page, "j", "Enter")
    drawer = page.get_by_role("dialog", name="Details")
    inside = drawer.get_by_role("heading", level=1)
    expect(inside).to_have_text("plums-1")
    press(page, "j")
    expect(inside).to_have_text("plums-2")
    press(page, "n", "g", "h")  # what is behind the drawer rests
    press(page, "k")
    expect(inside).to_have_text("plums-1")
    press(page, "Escape")
    expect(drawer).to_be_hidden()
    expect(page.get_by_role("link", name="plums-1", exact=True)).to_be_focused()

    press(page, "Enter")
    drawer.get_by_role("link", name="Permalink").click()
    page.wait_for_url(re.compile(r"/results/\d+/$"))
    expect(heading).to_have_text("plums-1")
    page.wait_for_load_state()  # the keys work once the scripts have run
    press(page, "j")
    expect(heading).to_have_text("plums-2")


def test_what_is_opened_while_the_drawer_closes_is_shown(page: Page) -> None:
    page.goto("/batches/")
    press(page, "j", "Enter")
    page.get_by_role("link", name="Browse results").click()
    page.get_by_role("link", name="plums-1", exact=True).click()
    inside = page.get_by_role("dialog", name="Details").get_by_role("heading", level=1)
    expect(inside).to_have_text("plums-1")

    page.evaluate(
        """() => {
            document.querySelector("#drawer [data-close]").click();
            document.querySelectorAll("main tbody .lead a")[1].click();
        }"""
    )

    expect(inside).to_have_text("plums-2")


def test_a_result_opens_in_a_tab_of_its_own_with_ctrl(page: Page) -> None:
    page.goto("/batches/")
    press(page, "j", "Enter")
    page.get_by_role("link", name="Browse results").click()

    with page.context.expect_page() as opened:
        page.get_by_role("link", name="plums-1", exact=True).click(modifiers=["Control"])

    expect(opened.value.get_by_role("heading", level=1)).to_have_text("plums-1")
    assert page.locator("dialog[open]").count() == 0


def test_a_code_block_is_copied_and_good_news_leaves_by_itself(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/batches/")
    press(page, "j", "Enter")
    page.get_by_text("Ids, endpoint and state at the provider").click()
    page.get_by_role("button", name="Copy the batch id").first.click()
    expect(page.locator("#announcer")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") in page.url

    page.goto("/profile/")
    page.get_by_role("button", name="Save", exact=True).click()
    toast = page.get_by_text("Your name and time zone are saved.")
    expect(toast).to_be_visible()
    expect(toast).to_have_count(0)


def test_the_switcher_works_by_keyboard(page: Page) -> None:
    page.goto("/projects/demo/files/")
    switch = page.get_by_role("button", name=re.compile("^Project: "))
    switch.focus()
    press(page, "Enter")
    menu = page.get_by_role("navigation", name="Switch project")
    expect(menu).to_be_visible()
    press(page, "Escape")
    expect(menu).to_be_hidden()
    expect(switch).to_be_focused()

    press(page, "Enter", "Tab")
    with page.expect_navigation(url="/projects/demo/files/"):
        press(page, "Enter")


def test_letters_that_are_typed_stay_letters(page: Page) -> None:
    page.goto("/batches/")
    press(page, "/")
    search = page.get_by_role("main").get_by_role("searchbox", name="Search")
    expect(search).to_be_focused()

    page.keyboard.type("jk?ngb/")

    expect(search).to_have_value("jk?ngb/")
    assert page.locator("dialog[open]").count() == 0
    search.blur()
    page.evaluate(
        """["j", "n", "?"].forEach((key) => {
          for (const how of [{ isComposing: true }, { ctrlKey: true }, { altKey: true }]) {
            const options = { key, bubbles: true, cancelable: true, ...how };
            const isFree = document.body.dispatchEvent(new KeyboardEvent("keydown", options));
            if (!isFree) throw new Error(`${key} was taken`);
          }
        })"""
    )
    assert page.locator("dialog[open]").count() == 0


def test_help_names_the_keys_of_the_page_and_turns_them_off(page: Page) -> None:
    page.goto("/profile/")
    press(page, "?")
    help_dialog = page.get_by_role("dialog", name="Keyboard")
    expect(help_dialog.get_by_text("Go to the batches")).to_be_visible()
    expect(help_dialog.get_by_text("Search in the list")).to_be_hidden()
    press(page, "Escape")
    expect(help_dialog).to_be_hidden()

    page.goto("/batches/")
    page.get_by_role("link", name="Keyboard").click()
    expect(help_dialog.get_by_text("Search in the list")).to_be_visible()
    help_dialog.get_by_role("checkbox").uncheck()
    press(page, "Escape", "j", "?")
    assert page.locator("dialog[open]").count() == 0
    assert focused(page) == "Keyboard ?"  # where it was before the dialog


def test_the_palette_finds_and_opens(page: Page) -> None:
    page.goto("/profile/")
    page.get_by_label("Name").first.focus()
    press(page, "Control+k")
    box = page.get_by_role("combobox", name="Page, project, batch or file")
    expect(box).to_be_focused()
    options = page.get_by_role("dialog").get_by_role("option")
    expect(options.first).to_have_attribute("aria-selected", "true")

    page.keyboard.type("p")
    expect(page.get_by_role("option", name="pears.jsonl")).to_be_visible()
    first = box.get_attribute("aria-activedescendant")
    press(page, "ArrowDown")
    assert box.get_attribute("aria-activedescendant") != first
    page.keyboard.type("ears")
    expect(options).to_have_count(1)
    press(page, "Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("pears.jsonl")
    press(page, "Control+k")
    page.keyboard.type("no such name")
    expect(page.locator("#palette-results")).to_have_text(
        "Nothing that you may see has this name."
    )
    expect(box).to_have_attribute("aria-expanded", "false")
    press(page, "Escape")
    expect(box).to_be_hidden()


LIVE = """<div id="live" class="stack"{}>
  <p role="status">{}</p><p id="text">Some words to select</p>
  <details><summary>More</summary>inside</details>
  <div id="box" class="wide"><div id="long">{}</div></div><a href="/x">link</a></div>"""


def test_only_what_a_poll_brings_anew_fades_in(page: Page) -> None:
    page.goto("/profile/")
    ids = ["row-1"]

    def live() -> str:
        rows = "".join(f'<p class="arriving" id="{each}">{each}</p>' for each in ids)
        polls = 'hx-get="/polled/" hx-trigger="every 100ms" hx-swap="outerHTML"'
        return f'<div id="live" {polls}>{rows}</div>'

    page.route("**/polled/", lambda route: route.fulfill(body=live(), content_type="text/html"))
    page.evaluate(
        """(html) => {
          document.querySelector("main").innerHTML = html;
          htmx.process(document.querySelector("main"));
        }""",
        live(),
    )
    ids.insert(0, "row-2")

    expect(page.locator("#row-2")).to_have_class("arriving arrived")
    expect(page.locator("#row-1")).to_have_class("arriving")


def test_a_poll_takes_nothing_away_and_rests_in_a_hidden_tab(page: Page) -> None:
    asked = []
    answer: dict[str, Any] = {"text": "1 of 3 answered", "end": "", "status": 200}
    page.goto("/profile/")
    polls = ' hx-get="/polled/" hx-trigger="every 100ms" hx-swap="outerHTML"'

    def serve(route: Route) -> None:
        asked.append(1)
        html = LIVE.format(answer["end"] or polls, answer["text"], f"{len(asked)} {'wide ' * 999}")
        route.fulfill(body=html, content_type="text/html", status=answer["status"])

    page.route("**/polled/", serve)
    page.evaluate(
        """(html) => {
          window.said = [];
          new MutationObserver(() => said.push(document.getElementById("announcer").textContent))
            .observe(document.getElementById("announcer"), { childList: true });
          window.hidden = false;
          Object.defineProperty(document, "hidden", { get: () => window.hidden });
          const main = document.querySelector("main");
          main.innerHTML = html;
          long.style.width = "9000px";
          box.scrollLeft = 40;
          document.querySelector("details").open = true;
          document.querySelector("#live a").focus();
          getSelection().setBaseAndExtent(text.firstChild, 5, text.firstChild, 10);
          htmx.process(main);
        }""",
        LIVE.format(polls, "0 of 3 answered", "wide " * 999),
    )
    expect(page.locator("#live p").first).to_have_text("1 of 3 answered")

    assert focused(page) == "link"
    assert page.evaluate("String(getSelection())") == "words"
    assert page.evaluate("document.querySelector('#live details').open")
    assert page.evaluate("said") == []  # a count that goes up is no news

    answer["text"] = "All answered"
    expect(page.locator("#announcer")).to_have_text("All answered")
    page.evaluate("window.hidden = true")
    wait_for_quiet(page, asked)
    with page.expect_request("**/polled/"):
        page.evaluate(
            "window.hidden = false; document.dispatchEvent(new Event('visibilitychange'))"
        )

    banner = page.locator(".offline")
    answer["status"] = 503
    expect(banner).to_be_visible()
    page.wait_for_timeout(400)
    expect(banner).to_be_visible()
    answer |= {"status": 200, "end": " "}
    expect(banner).to_be_hidden()
    wait_for_quiet(page, asked)  # it is over, and nothing is asked any more
