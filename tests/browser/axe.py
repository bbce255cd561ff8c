"""What axe says of a page: WCAG 2.2 A and AA, best practices, both themes, two widths."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

SCREENS: list[ViewportSize] = [{"width": 1280, "height": 900}, {"width": 390, "height": 844}]
RULES = [
    *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"),
    "best-practice",
]
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that a theme can break: themes differ in nothing else."""

BARS = ('<a class="slot"', '<a class="bin"')
"""A bar is as narrow as its day or its range, which WCAG 2.5.8 allows where that is essential."""

RUN = """async (rules) => {
    const found = await axe.run({runOnly: rules, resultTypes: ["violations"]});
    if (!found.passes.length) throw new Error("axe looked at nothing");
    return found.violations;
}"""


def found_by_axe(page: Page) -> list[str]:
    """One line for each thing that is wrong; the page is left on a phone's screen, dark."""
    page.evaluate(Axe().axe_script)
    found = []
    for theme, rules in [("light", RULES), ("dark", COLOURS)]:
        page.emulate_media(color_scheme=theme)
        for screen in SCREENS:
            page.set_viewport_size(screen)
            lines = _lines(page.evaluate(RUN, rules))
            found += [f"{theme}, {screen['width']} px: {line}" for line in lines]
    return found


def _lines(violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
        if not (rule["id"] == "target-size" and node["html"].startswith(BARS))
    ]
