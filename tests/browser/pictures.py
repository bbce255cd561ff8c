"""Takes a picture of every page in both themes, wide and narrow, and those in the README.

python -m tests.browser.pictures [BEGINNING OF A PLACE'S NAME …]
"""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.chromium import launched
from tests.browser.pages import PAGE_STATES, Gallery, PageState, gallery
from tests.processes.portal import ROOT

SCREENS = {"wide": (1440, 900), "narrow": (390, 844)}
THEMES = ("light", "dark")
README = {
    ("home", "wide", "light"): "home.png",
    ("batch-with-errors", "wide", "light"): "batch.png",
    ("results-doubtful", "wide", "light"): "results.png",
    ("builder-mapping", "wide", "light"): "builder.png",
    ("batch-window", "wide", "light"): "estimate.png",
    ("report", "wide", "light"): "report.png",
    ("batches", "wide", "dark"): "dark.png",
    ("home", "narrow", "light"): "phone.png",
}
"""State of a page, screen and theme -> the picture of its first view in the README."""


def main() -> None:
    wanted = tuple(sys.argv[1:]) or ("",)
    page_states = [page_state for page_state in PAGE_STATES if page_state.name.startswith(wanted)]
    folder = Path(os.environ.get("DATA_DIR", ROOT / "var")) / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="batchapp-pictures-") as data,
        gallery(Path(data)) as portal,
        launched() as browser,
    ):
        for page_state in page_states:
            _take(portal, browser, page_state, folder)
    sys.stdout.write(f"{len(page_states) * len(SCREENS) * len(THEMES)} pictures are in {folder}\n")


def _take(portal: Gallery, browser: Browser, page_state: PageState, folder: Path) -> None:
    with portal.enter(browser, page_state, reduced_motion="reduce") as context:
        page = context.new_page()
        portal.visit(page, page_state)
        for screen, (width, height) in SCREENS.items():
            page.set_viewport_size({"width": width, "height": height})
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                path = folder / f"{page_state}-{screen}-{theme}.png"
                page.screenshot(path=path, full_page=not page_state.opens)
                if name := README.get((page_state.name, screen, theme)):
                    page.screenshot(path=ROOT / "docs/pictures" / name)


if __name__ == "__main__":
    main()
