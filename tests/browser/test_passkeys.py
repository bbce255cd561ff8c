"""A passkey in a real browser, with an authenticator that Chromium plays."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import LONGEST_WAIT, ON_ONE_STACK
from tests.browser.pages import Gallery
from tests.make import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]


@pytest.fixture
def page(chromium: Browser, showroom: Gallery) -> Iterator[Page]:
    """A page of somebody whose device has an authenticator; a refused script fails the test."""
    # A passkey belongs to a name: browsers make none for a numeric address.
    context = chromium.new_context(base_url=showroom.url.replace("127.0.0.1", "localhost"))
    context.set_default_timeout(LONGEST_WAIT)
    page = context.new_page()
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    devtools = context.new_cdp_session(page)
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
    yield page
    context.close()
    assert said == []


def test_a_passkey_is_added_and_then_signs_in_alone(page: Page) -> None:
    page.goto("/sign-in/?next=/profile/second-factor/passkeys/add/")
    page.get_by_label("E-mail").fill("new@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Add the passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()

    page.get_by_role("button", name="Sign out", exact=True).click()
    page.wait_for_url("**/sign-in/")
    page.get_by_role("button", name="Use a passkey").click()

    page.wait_for_url(lambda url: "/sign-in/" not in url)
    page.goto("/profile/second-factor/passkeys/")
    expect(page.get_by_role("cell", name="My laptop")).to_be_visible()

    # What the test added is taken away again: the person belongs to all tests.
    page.get_by_role("link", name="Remove…").click()
    if "/sign-in/again/" in page.url:
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Go on").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("You have no passkey")).to_be_visible()
