"""Every page is small, fits every screen, prints and says nothing in the console."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page

from tests.browser.axe import LOOKS, found_by_axe
from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGE_STATES, Gallery, PageState

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

BUDGET = 100 * 1024
"""Bytes of a page and all it needs but its font, compressed, by a browser that has nothing yet."""

WIDTHS = (360, 390, 768, 1280, 1920, 2560)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
MISFITS = """[...document.querySelectorAll("main td, main th")].flatMap((cell) => {
    const text = (each) => {
        const seen = each.cloneNode(true);
        seen.querySelectorAll(".visually-hidden").forEach((hidden) => hidden.remove());
        return seen.textContent.trim().replace(/\\s+/g, " ");
    };
    const squeezed = [...cell.querySelectorAll("a, bdi, span:not(.visually-hidden), p")]
        .filter((each) => text(each).length > 7 && each.getClientRects().length
            && each.getBoundingClientRect().width < 28);
    const style = getComputedStyle(cell);
    const shortened = style.textOverflow === "ellipsis" && style.overflowX !== "visible";
    const parts = shortened ? [] : [...cell.querySelectorAll(".pill, a, bdi")];
    const spills = parts.filter((each) =>
        each.getBoundingClientRect().right > cell.getBoundingClientRect().right + 1);
    return [...squeezed, ...spills].map((each) => text(each).slice(0, 40));
}).join("; ")"""
"""Words of a table in a column of single letters, or printed over what stands beside them."""

RESTYLE = """(css) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(css);
    document.adoptedStyleSheets = [sheet];
}"""
LARGE_TEXT = "html { font-size: 200% !important }"
SPACED_TEXT = """* { line-height: 1.5 !important; letter-spacing: 0.12em !important;
    word-spacing: 0.16em !important } p { margin-block-end: 2em !important }"""
"""What WCAG 1.4.4 and 1.4.12 let people do to any page."""

SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((each) => {
        window.shifted += each.value;
    })).observe({type: "layout-shift", buffered: true});
"""
IMPORT = "from batchapp.models import ProviderBatch"
PROGRESS = "ProviderBatch.objects.filter(batch='{}').update(completed={}, failed={})"


@contextmanager
def received_by(page: Page) -> Iterator[list[int]]:
    """Yield the sizes of all answers but fonts that the page gets, while it keeps none of them."""
    sizes: list[int] = []
    fonts: set[str] = set()

    def received(answer: dict[str, Any]) -> None:
        if answer["type"] == "Font":
            fonts.add(answer["requestId"])

    def finished(answer: dict[str, Any]) -> None:
        if answer["requestId"] not in fonts:
            sizes.append(answer["encodedDataLength"])

    devtools = page.context.new_cdp_session(page)
    devtools.on("Network.responseReceived", received)
    devtools.on("Network.loadingFinished", finished)
    devtools.send("Network.enable")
    devtools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    yield sizes
    devtools.detach()


@contextmanager
def heard_from(page: Page) -> Iterator[tuple[list[ConsoleMessage], list[str]]]:
    """Yield what the page writes to the console, and the errors that its scripts raise."""
    messages: list[ConsoleMessage] = []
    errors: list[str] = []

    def said(message: ConsoleMessage) -> None:
        messages.append(message)

    def broke(error: Error) -> None:
        errors.append(str(error))

    page.on("console", said)
    page.on("pageerror", broke)
    yield messages, errors
    page.remove_listener("console", said)
    page.remove_listener("pageerror", broke)


def beyond_the_edge(page: Page) -> dict[str, Any]:
    """Width and style -> by how much the page is too wide, or what spills out of its cell."""
    found: dict[str, Any] = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if beyond := page.evaluate(OVERFLOW):
            found[str(width)] = beyond
        if misfits := page.evaluate(MISFITS):
            found[f"{width}, in a table"] = misfits
    for css, width in [(LARGE_TEXT, 1280), (LARGE_TEXT, 640), (SPACED_TEXT, 390)]:
        page.set_viewport_size({"width": width, "height": 900})
        page.evaluate(RESTYLE, css)
        if beyond := page.evaluate(OVERFLOW):
            found[f"{width}, {css[:20]}"] = beyond
    page.evaluate(RESTYLE, "")
    return found


@pytest.mark.parametrize("page_state", PAGE_STATES, ids=str)
def test_a_page_is_small_and_fits_every_screen_and_person(
    showroom: Gallery, tab_of: Callable[..., Page], page_state: PageState
) -> None:
    page = tab_of(page_state, reduced_motion="reduce")
    page.emulate_media(media="screen", color_scheme="light")
    page.set_viewport_size({"width": 1280, "height": 720})

    with received_by(page) as sizes, heard_from(page) as (messages, broke):
        status = showroom.visit(page, page_state)
        transferred = sum(sizes)
        overflows = beyond_the_edge(page)
        violations = found_by_axe(page, PAGE_STATES.index(page_state) % len(LOOKS))
        page.emulate_media(media="print")
        printed = page.locator("nav:visible, .button:visible").count()
        # Chromium itself says that a page was answered with an error.
        errors = [
            message.text
            for message in messages
            if message.type in {"error", "warning"}
            and (page_state.status < 400 or message.location["url"] != page.url)
        ]
        page.evaluate("localStorage.clear(), sessionStorage.clear()")

    assert status == page_state.status
    assert (overflows, errors, broke) == ({}, [], [])
    assert violations == []
    assert 0 < transferred < BUDGET
    assert printed == 0 or page_state.opens


def test_nothing_jumps_when_a_fragment_arrives(showroom: Gallery, chromium: Browser) -> None:
    """All pages are open at once: each waits some seconds for its next fragment."""
    names, widths = ("batch-running", "home", "batches", "project"), (1280, 390)
    pages: dict[tuple[str, int], Page] = {}
    for name, width in itertools.product(names, widths):
        page_state = next(each for each in PAGE_STATES if each.name == name)
        context = showroom.enter(chromium, page_state, viewport={"width": width, "height": 900})
        context.add_init_script(SHIFTS)
        pages[name, width] = context.new_page()
        showroom.visit(pages[name, width], page_state)

    batch = showroom.paths["running"]
    for completed, failed in [(199, 3), (140, 2)]:
        showroom.change(f"{IMPORT}; {PROGRESS.format(batch, completed, failed)}")
        for page in pages.values():
            counts = f"{completed + failed} of 300 requests have ended"
            # On a phone a grid shows the per cent alone, and its bar is there but not seen.
            page.locator(f'[aria-label^="{counts}"]').first.wait_for(state="attached")
    shifted = {key: page.evaluate("window.shifted") for key, page in pages.items()}
    for page in pages.values():
        page.context.close()

    assert {key: by for key, by in shifted.items() if by >= 0.01} == {}


def test_nothing_moves_for_who_wants_no_motion(showroom: Gallery, chromium: Browser) -> None:
    page_state = next(each for each in PAGE_STATES if each.name == "results")
    context = showroom.enter(chromium, page_state, reduced_motion="reduce")
    page = context.new_page()
    showroom.visit(page, page_state)

    page.locator("#line-1").click()
    page.locator("#drawer[open] h1").wait_for()
    moving = page.evaluate("document.getAnimations().length")
    context.close()

    assert moving == 0
