"""Debian's Chromium without a window, as the browser tests and the pictures use it."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

ON_ONE_STACK = pytest.mark.skipif(
    "DATABASE_URL" in os.environ,
    reason="no page looks different on another database; the embedded stack covers it",
)
"""What the browser sees rather than what the portal does; the journeys run on both stacks."""

LONGEST_WAIT = 60_000  # milliseconds for an action or an expectation, beside other test runs

PROGRAM = "chromium-headless-shell"
"""Quicker than `chromium --headless`, and closes a tab that is just opening a page."""

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def launched() -> Iterator[Browser]:
    program = shutil.which(PROGRAM)
    if program is None:
        raise FileNotFoundError(
            f"{PROGRAM} is not installed; on Debian: apt-get install {PROGRAM}"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


def wait_until(page: Page, is_so: Callable[[], object]) -> None:
    """Let the page and the routes of the test go on until ``is_so()``."""
    for _ in range(LONGEST_WAIT // 50):
        if is_so():
            return
        page.wait_for_timeout(50)
    raise AssertionError("waited in vain")


def wait_for_quiet(page: Page, asked: list[Any]) -> None:
    """Return once nothing was added to ``asked`` for half a second."""
    count = -1
    for _ in range(LONGEST_WAIT // 500):
        if len(asked) == count:
            return
        count = len(asked)
        page.wait_for_timeout(500)
    raise AssertionError("still asked")


def answered_text(requests: int) -> re.Pattern[str]:
    """Return what a page says of a finished batch; the sandbox may cut some answers short."""
    return re.compile(rf"^(All|[\d,]+ of) {requests:,} requests answered")
