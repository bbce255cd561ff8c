"""Every page is small, fits every screen, prints, says nothing in the console, needs no script."""

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PAGES, PLACES, Gallery, Place

pytestmark = [pytest.mark.browser, ON_ONE_STACK]

BUDGET = 100 * 1024
"""Bytes of a page and all it needs, compressed, by a browser that has nothing of it yet."""

WIDTHS = (360, 390, 768, 1280, 1920, 2560)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
SHIFTS = """
    window.shifted = 0;
    new PerformanceObserver((list) => list.getEntries().forEach((each) => {
        window.shifted += each.value;
    })).observe({type: "layout-shift", buffered: true});
"""
PROGRESS = "Part.objects.filter(batch='{}').update(completed={}, failed={})"


def received_by(page: Page) -> list[int]:
    """The sizes of all answers the page is about to get, headers and all, as they come."""
    sizes: list[int] = []
    devtools = page.context.new_cdp_session(page)
    devtools.on("Network.loadingFinished", lambda each: sizes.append(each["encodedDataLength"]))
    devtools.send("Network.enable")
    return sizes


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_a_page_is_small_and_fits_every_screen_and_paper(
    showroom: Gallery, chromium: Browser, place: Place
) -> None:
    context = showroom.enter(chromium, place)
    page = context.new_page()
    said: list[tuple[str, str, Any]] = []
    broke: list[str] = []
    page.on("console", lambda message: said.append((message.type, message.text, message.location)))
    page.on("pageerror", lambda error: broke.append(str(error)))
    sizes = received_by(page)

    status = showroom.visit(page, place)
    transferred = sum(sizes)
    overflows = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if beyond := page.evaluate(OVERFLOW):
            overflows[width] = beyond
    page.emulate_media(media="print")
    printed = page.locator("nav:visible, .button:visible").count()
    # Chromium itself says that a page was answered with an error.
    errors = [
        text
        for kind, text, where in said
        if kind in {"error", "warning"} and (place.status < 400 or where["url"] != page.url)
    ]
    context.close()

    assert status == place.status
    assert (overflows, errors, broke) == ({}, [], [])
    assert 0 < transferred < BUDGET
    assert printed == 0 or place.opens


@pytest.mark.parametrize("place", PAGES, ids=str)
def test_a_page_is_whole_without_javascript(
    showroom: Gallery, chromium: Browser, place: Place
) -> None:
    context = showroom.enter(chromium, place, java_script_enabled=False)
    page = context.new_page()

    assert showroom.visit(page, place) == place.status
    assert page.get_by_role("main").count() == 1
    assert page.locator("h1").count() == 1
    context.close()


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_jumps_when_a_fragment_arrives(
    showroom: Gallery, chromium: Browser, width: int
) -> None:
    place = next(each for each in PLACES if each.name == "batch-running")
    context = showroom.enter(chromium, place, viewport={"width": width, "height": 900})
    context.add_init_script(SHIFTS)
    page = context.new_page()
    showroom.visit(page, place)

    batch = showroom.paths["running"]
    for completed, failed in [(199, 3), (142, 2)]:
        showroom.change(
            f"from batchapp.models import Part; {PROGRESS.format(batch, completed, failed)}"
        )
        page.locator("#answered b").get_by_text(str(completed), exact=True).wait_for()
    shifted = page.evaluate("window.shifted")
    context.close()

    assert shifted < 0.01
