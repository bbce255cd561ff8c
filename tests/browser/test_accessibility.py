"""axe finds nothing on any page: WCAG 2.2 A and AA, best practices, both themes, two widths."""

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ViewportSize

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.pages import PLACES, Gallery, Place

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

SCREENS: list[ViewportSize] = [{"width": 1280, "height": 900}, {"width": 390, "height": 844}]
RULES = [
    *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"),
    "best-practice",
]
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that a theme can break: themes differ in nothing else."""

RUN = """async (rules) => {
    const found = await axe.run({runOnly: rules, resultTypes: ["violations"]});
    if (!found.passes.length) throw new Error("axe looked at nothing");
    return found.violations;
}"""


@pytest.mark.parametrize("place", PLACES, ids=str)
def test_axe_finds_nothing(showroom: Gallery, chromium: Browser, place: Place) -> None:
    context = showroom.enter(chromium, place, color_scheme="light", reduced_motion="reduce")
    page = context.new_page()
    showroom.visit(page, place)
    page.evaluate(Axe().axe_script)
    found = []
    for theme, rules in [("light", RULES), ("dark", COLOURS)]:
        page.emulate_media(color_scheme=theme)
        for screen in SCREENS:
            page.set_viewport_size(screen)
            lines = _lines(page.evaluate(RUN, rules))
            found += [f"{theme}, {screen['width']} px: {line}" for line in lines]
    context.close()

    assert found == []


def _lines(violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
    ]
