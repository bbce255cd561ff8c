"""People who walk through one portal, each in a browser of its own."""

import base64
import hmac
import json
import re
import struct
import time
from pathlib import Path

import httpx
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.browser.chromium import LONGEST_WAIT
from tests.browser.test_pages import OVERFLOW
from tests.processes.portal import Portal, until

PASSWORD = "longer than the rules ask"
PERIOD = 30  # seconds, for which an authenticator app shows a code
MODEL = "Qwen/Qwen3.5-9B"


class Walk:
    """One portal and its people; what the browser complains of is in ``complaints``."""

    def __init__(self, portal: Portal, chromium: Browser) -> None:
        self.portal, self._chromium = portal, chromium
        self.complaints: list[str] = []
        self._pages: dict[str, Page] = {}

    def page_of(self, name: str) -> Page:
        """Return the page of a person, in a browser that shares no cookie with another."""
        if name not in self._pages:
            context = self._chromium.new_context(
                base_url=self.portal.url, viewport={"width": 1280, "height": 800}
            )
            context.set_default_timeout(LONGEST_WAIT)
            context.on("weberror", lambda error: self.complaints.append(str(error.error)))
            self._pages[name] = context.new_page()
        return self._pages[name]

    def close(self) -> None:
        for page in self._pages.values():
            page.context.close()


def look(page: Page, name: str) -> None:
    """Look at a page on a screen and on a phone: nothing lies beside it, and it has a heading."""
    expect(page.locator("h1").first, name).to_be_attached()
    for width, height in ((390, 844), (1280, 800)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(OVERFLOW) == 0, f"{name} is wider than {width} pixels"


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def choose(row: Locator, entry: str) -> None:
    """Open the menu of a row, and choose ``entry``."""
    row.locator("summary, [popovertarget]").first.click()
    row.page.get_by_role("link", name=entry).or_(
        row.page.get_by_role("button", name=entry)
    ).locator("visible=true").first.click()


def make_account(page: Page, button: str, *, first_name: str, email: str = "") -> None:
    if email:
        page.get_by_label("E-mail address").fill(email)
    page.get_by_label("First name").fill(first_name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    press(page, button)


def sign_in(page: Page, email: str, password: str = PASSWORD) -> None:
    page.goto("/sign-in/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(password)
    press(page, "Sign in")


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in/")


def confirm_who_it_is(page: Page) -> None:
    """Type the password again, where the portal asks for it."""
    if "/sign-in/again/" in page.url:
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        press(page, "Go on")


def administrator_link(portal: Portal) -> str:
    """Return the link that the server printed at its start."""
    line = until(
        lambda: next((line for line in portal.log if "administrator at" in line), ""), "the link"
    )
    return str(line.rpartition(" ")[2])


def code_of(secret: str, *, periods: int = 0) -> str:
    """Return what an authenticator app shows so many periods from now (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    counter = struct.pack(">Q", int(time.time()) // PERIOD + periods)
    digest = hmac.digest(key, counter, "sha1")
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def plug_in_authenticator(page: Page) -> None:
    """Let Chromium play a device that knows its owner by a finger."""
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})


def request_file(folder: Path, requests: int) -> Path:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 200}
    lines = (
        {"custom_id": f"letter-{n}", "method": "POST", "url": "/v1/chat/completions", "body": body}
        for n in range(requests)
    )
    path = folder / "letters.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def refused_links(page: Page, paths: list[str]) -> dict[str, int]:
    """Return the links on the pages at ``paths`` that answer with an error, with the status.

    Links that differ only in their query are one.
    """
    links: dict[str, str] = {}
    for path in paths:
        page.goto(path)
        found = page.eval_on_selector_all("a[href]", "links => links.map((link) => link.href)")
        origin = "/".join(page.url.split("/")[:3])
        links |= {re.split(r"[?#]", url)[0]: url for url in found if url.startswith(origin)}
    answers = {url: page.request.get(url, max_redirects=5).status for url in links.values()}
    return {url: status for url, status in answers.items() if status >= 400}


def status_of(context: BrowserContext, path: str) -> int:
    return context.request.get(path, max_redirects=0).status


def models_by(portal: Portal, secret: str) -> int:
    """Return the status of a request that a script makes with a portal key."""
    answer = httpx.get(
        f"{portal.url}/v1/models",
        headers={"Authorization": f"Bearer {secret}"},
        trust_env=False,
        timeout=60,
    )
    return answer.status_code
