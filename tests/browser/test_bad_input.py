"""Names in every script and of every length, attacks in every text, very many rows and none."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import LONGEST_WAIT, ON_ONE_STACK
from tests.browser.hostile import LARGE, MANY, NAMES
from tests.browser.pages import Gallery
from tests.browser.test_pages import OVERFLOW

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

RUN = "from tests.browser import hostile; hostile.{}()"
CUT = """[...document.querySelectorAll("main .card")]
    .filter((each) => each.scrollWidth > each.clientWidth + 1)
    .map((each) => each.textContent.replace(/\\s+/g, " ").slice(0, 60)).join("; ")"""
"""What can only be seen by scrolling sideways within a page that itself fits."""


@pytest.fixture(scope="module")
def hostile(showroom: Gallery) -> dict[str, Any]:
    return dict(json.loads(showroom.change(RUN.format("names")).splitlines()[-1]))


@pytest.fixture(scope="module")
def crowd(showroom: Gallery) -> dict[str, Any]:
    return dict(json.loads(showroom.change(RUN.format("crowd")).splitlines()[-1]))


def enter(chromium: Browser, showroom: Gallery, session: str, **options: Any) -> Page:
    context = chromium.new_context(base_url=showroom.url, **options)
    context.set_default_timeout(LONGEST_WAIT)
    context.add_cookies([{"name": "sessionid", "value": session, "url": showroom.url}])
    return context.new_page()


@pytest.fixture
def crowded(chromium: Browser, showroom: Gallery, crowd: dict[str, Any]) -> Iterator[Page]:
    page = enter(chromium, showroom, crowd["session"])
    yield page
    page.context.close()


@pytest.mark.parametrize("kind", NAMES)
def test_names_neither_burst_a_page_nor_run_in_it(
    chromium: Browser, showroom: Gallery, hostile: dict[str, Any], kind: str
) -> None:
    page = enter(chromium, showroom, hostile["sessions"][kind])
    said: list[str] = []
    page.on(
        "console", lambda it: said.append(it.text) if it.type in {"error", "warning"} else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    found = []

    for path in hostile["pages"][kind]:
        response = page.goto(path)
        assert response
        if response.status != 200:
            found.append((path, response.status))
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            if beyond := page.evaluate(OVERFLOW) or page.evaluate(CUT):
                found.append((path, width, beyond))
        if page.evaluate("window.pwned") or page.locator("[hx-get='/pwned/'], img").count():
            found.append((path, "runs"))
    page.context.close()

    assert (found, said) == ([], [])
    assert not [url for url in asked if "pwned" in urlsplit(url).path]


def test_ten_thousand_batches_are_leafed_through_and_found(crowded: Page) -> None:
    page = crowded
    page.goto("/projects/crowd/batches/?sort=name")
    rows = page.locator("#rows .lead a")
    first = rows.first.text_content()
    shown = rows.count()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("#rows")).to_contain_text(re.compile(rf"{shown + 1}.{2 * shown} of"))
    page.get_by_role("link", name="Previous").click()
    expect(rows.first).to_have_text(first or "")

    page.goto("/projects/crowd/batches/?sort=-name")
    assert "One" in rows.all_text_contents()
    page.get_by_role("main").get_by_role("searchbox", name="Search").fill(f"Batch {MANY - 1:05}")
    expect(rows).to_have_text([f"Batch {MANY - 1:05}"])


def test_a_hundred_thousand_results_are_read_at_their_start_middle_and_end(
    crowded: Page, crowd: dict[str, Any]
) -> None:
    page = crowded
    results = f"/batches/{crowd['paths']['large']}/results/"
    rows = page.locator("#rows tbody tr")
    for query, line in [
        ("", 1),
        (f"?after={LARGE // 2}", LARGE // 2 + 1),
        (f"?before={LARGE + 1}", LARGE - 49),
    ]:
        page.goto(results + query)
        expect(rows).to_have_count(50)
        expect(rows.first).to_contain_text(f"{line:,}")

    page.get_by_role("searchbox", name="Search").fill("row-99999")
    expect(rows).to_have_count(1)
    page.locator("#line-99999").click()
    drawer = page.get_by_role("dialog", name="Details")
    expect(drawer.get_by_role("heading", level=1)).to_have_text("row-99999")
    assert drawer.get_by_role("link", name="Next").count() == 0


def test_a_batch_of_one_request_is_one_request_everywhere(
    crowded: Page, crowd: dict[str, Any]
) -> None:
    page = crowded
    page.goto(f"/batches/{crowd['paths']['one']}/")
    main = page.get_by_role("main")
    expect(main.get_by_text("The only request is answered.", exact=True)).to_be_visible()
    assert "1 requests" not in (main.text_content() or "")
    page.goto(f"/batches/{crowd['paths']['one']}/results/")
    expect(page.locator("#rows tbody tr")).to_have_count(1)
    assert page.get_by_role("navigation", name="Pages").count() == 0
