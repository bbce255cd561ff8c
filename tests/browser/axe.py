"""What axe says of a page: WCAG 2.2 A and AA, best practices, both themes, two widths."""

from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, ViewportSize

WIDE: ViewportSize = {"width": 1280, "height": 900}
NARROW: ViewportSize = {"width": 390, "height": 844}
TAGS = [
    *("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"),
    "best-practice",
]
COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules that a theme can break: themes differ in nothing else. They take most of the time."""

ALL = {"runOnly": TAGS}
BUT_COLOURS = ALL | {"rules": {rule: {"enabled": False} for rule in COLOURS}}
ONLY_COLOURS = {"runOnly": COLOURS}
LOOKS: list[list[tuple[Literal["light", "dark"], ViewportSize, dict[str, Any]]]] = [
    [("light", WIDE, ALL), ("light", NARROW, BUT_COLOURS), ("dark", NARROW, ONLY_COLOURS)],
    [("dark", WIDE, ONLY_COLOURS), ("light", WIDE, BUT_COLOURS), ("light", NARROW, ALL)],
]
"""A page has one of them: all rules in both widths, colours in both themes but one width each."""

BARS = ('<a class="slot"', '<a class="bin"')
"""A bar is as narrow as its day or its range, which WCAG 2.5.8 allows where that is essential."""

RUN = """async (options) => {
    const found = await axe.run({...options, resultTypes: ["violations"]});
    if (!found.passes.length) throw new Error("axe looked at nothing");
    return found.violations;
}"""


def found_by_axe(page: Page, look: int = 0) -> list[str]:
    """One line for each thing that is wrong; the page is left on a phone's screen.

    ``look`` is the index of a look in ``LOOKS``.
    """
    page.evaluate(Axe().axe_script)
    found = []
    for theme, screen, options in LOOKS[look]:
        page.emulate_media(color_scheme=theme)
        page.set_viewport_size(screen)
        lines = _lines(page.evaluate(RUN, options))
        found += [f"{theme}, {screen['width']} px: {line}" for line in lines]
    return found


def _lines(violations: list[dict[str, Any]]) -> list[str]:
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
        if not (rule["id"] == "target-size" and node["html"].startswith(BARS))
    ]
