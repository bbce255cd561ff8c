"""What an attacker tries through a browser: smuggled scripts, forged forms, frames, caches."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Route
from selectolax.lexbor import LexborHTMLParser

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.hostile import ATTACK
from tests.browser.pages import PAGE_STATES, PAGES, Gallery, PageState
from tests.make import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.gallery, ON_ONE_STACK]

HANDLER = re.compile(rb"<[^>]*\s(on[a-z]+|style|hx-on[^\s=]*)\s*=\s*[\"']")
INLINE = re.compile(
    rb"<script(?![^>]*\s(src=|type=\"application/json\"))[^>]*>|<style|javascript:"
)
HOME = next(state for state in PAGE_STATES if state.name == "home")
WITH_SEARCH = ["/batches/", "/projects/support/files/", "/projects/support/batches/new/"]


@pytest.fixture
def ada(showroom: Gallery) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=showroom.url, trust_env=False, timeout=60) as client:
        client.cookies.set("sessionid", showroom.sessions["ada"])
        yield client


@pytest.fixture(scope="module")
def stranger(showroom: Gallery) -> Iterator[httpx.Client]:
    """Return a client without a session of its own; a client takes a moment to make."""
    with httpx.Client(base_url=showroom.url, trust_env=False, timeout=60) as client:
        yield client


@pytest.mark.parametrize("page_state", PAGES, ids=str)
def test_a_page_is_whole_as_sent_not_framed_not_kept_by_others_and_carries_no_code(
    showroom: Gallery, stranger: httpx.Client, page_state: PageState
) -> None:
    """As it was sent, before any script, a page has its content and its heading."""
    answer = showroom.answer(stranger, page_state)

    page = LexborHTMLParser(answer.content)
    said = answer.headers
    policy = said["Content-Security-Policy"]
    assert answer.status_code == page_state.status
    assert (len(page.css("main")), len(page.css("main h1"))) == (1, 1)
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert said["X-Frame-Options"] == "DENY"
    assert said["X-Content-Type-Options"] == "nosniff"
    assert said["Referrer-Policy"] == "same-origin"
    assert {"private", "no-store"} & set(re.split(r"[, ]+", said["Cache-Control"]))
    assert not HANDLER.search(answer.content)
    assert not INLINE.search(answer.content)


@pytest.mark.parametrize("path", WITH_SEARCH)
def test_what_is_searched_for_is_shown_and_does_nothing(
    showroom: Gallery, chromium: Browser, path: str
) -> None:
    context = showroom.enter(chromium, HOME)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda it: said.append(it.text) if it.type == "error" else None)

    page.goto(f"{path}?q={quote(ATTACK)}&sort={quote(ATTACK)}&status={quote(ATTACK)}")
    page.get_by_role("main").get_by_role("searchbox").first.fill(ATTACK)
    page.wait_for_timeout(600)
    value = page.get_by_role("main").get_by_role("searchbox").first.input_value()
    ran = page.evaluate("window.pwned")
    images = page.locator("main img, main b[hx-get]").count()
    context.close()

    assert (value, ran, images, said) == (ATTACK, None, 0, [])


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example/",
        "\\\\evil.example",
        "javascript:alert(1)",
        "https:evil.example",
        "\t//evil.example",
    ],
)
def test_next_never_leads_to_another_site(showroom: Gallery, target: str) -> None:
    with httpx.Client(base_url=showroom.url, trust_env=False, timeout=60) as client:
        token = _token(client.get("/sign-in/").text)
        form = {
            "username": "new@example.com",
            "password": PASSWORD,
            "next": target,
            "csrfmiddlewaretoken": token,
        }
        answer = client.post("/sign-in/", data=form)
        page = client.get("/profile/", params={"next": target}).text

    assert answer.status_code == 302
    assert urlsplit(answer.headers["Location"]).netloc == ""
    assert answer.headers["Location"].startswith("/")
    assert not answer.headers["Location"].startswith(("//", "/\\"))
    assert 'id="back"' not in page


def test_no_form_is_taken_from_elsewhere(showroom: Gallery, ada: httpx.Client) -> None:
    paths = showroom.paths
    posts = [
        *("/sign-in/", "/sign-out/", "/profile/", "/profile/password/", "/projects/new/"),
        *("/projects/support/members/", "/projects/support/settings/", "/projects/support/keys/"),
        *("/projects/support/files/", "/projects/support/files/sample/"),
        f"/projects/support/members/{paths['grace']}/remove/",
        *(f"/keys/{paths['key']}/{what}/" for what in ("replace", "remove", "test")),
        *(f"/files/{paths['ready']}/{what}/" for what in ("check", "delete", "batch/review")),
        *(f"/batches/{paths['running']}/{what}/" for what in ("cancel", "try-again")),
    ]

    for post in posts:
        for headers in ({}, {"Accept": "application/json"}, {"HX-Request": "true"}):
            answer = ada.post(post, data={"name": "x"}, headers=headers)
            assert answer.status_code == 403, (post, headers)
            assert "Nothing was changed" in answer.text or "out of date" in answer.text, post


def test_a_session_that_somebody_planted_is_not_the_one_people_sign_in_to(
    showroom: Gallery,
) -> None:
    with httpx.Client(base_url=showroom.url, trust_env=False, timeout=60) as client:
        client.cookies.set("sessionid", "planted0planted0planted0planted0")
        token = _token(client.get("/sign-in/").text)
        form = {"username": "new@example.com", "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = client.post("/sign-in/", data=form)

        session = answer.cookies["sessionid"]
        cookie = answer.headers.get_list("Set-Cookie")
        assert "planted" not in session
        assert any("sessionid" in each and "HttpOnly" in each for each in cookie)
        out = _token(client.get("/").text)
        client.post("/sign-out/", data={"csrfmiddlewaretoken": out})

    answer = httpx.get(
        f"{showroom.url}/", cookies={"sessionid": session}, trust_env=False, timeout=60
    )
    assert answer.status_code == 302  # what was signed out of is gone on the server, too


def test_a_viewer_meets_no_dead_buttons_and_is_told_whom_to_ask(
    showroom: Gallery, chromium: Browser
) -> None:
    context = showroom.enter(chromium, HOME)
    page = context.new_page()
    for path in ("", "members/", "keys/", "files/", "batches/", "settings/"):
        page.goto(f"/projects/contracts/{path}")
        assert page.locator("main form[method=post]").count() == 0, path
        assert page.locator("main a.main, main a.danger").count() == 0, path
    page.goto(f"/files/{showroom.paths['foreign']}/")
    assert page.locator("main form[method=post], main a.main, main a.danger").count() == 0
    token = page.evaluate("JSON.parse(document.body.getAttribute('hx-headers'))['X-CSRFToken']")

    for path in (f"/files/{showroom.paths['foreign']}/delete/", "/projects/contracts/files/"):
        answer = page.request.post(
            path, form={"name": "x"}, headers={"X-CSRFToken": token, "Referer": showroom.url}
        )
        assert answer.status == 403
        assert "Ask one of its owners to make you an editor." in answer.text()
    context.close()


def test_text_that_a_fragment_brings_is_only_text(showroom: Gallery, chromium: Browser) -> None:
    """Even if a page let one through, htmx is told to run no script and to evaluate nothing."""
    context = showroom.enter(chromium, HOME)
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda it: said.append(it.text))
    page.goto("/batches/")
    smuggled = f'<section id="rows"><p>here</p>{ATTACK}<script>window.pwned = 3</script></section>'

    def serve(route: Route) -> None:
        route.fulfill(body=smuggled, content_type="text/html")

    page.route(re.compile(r"/batches/\?"), serve)
    page.route("**/pwned/", lambda route: route.abort())
    page.get_by_role("main").get_by_role("searchbox").first.fill("x")
    page.get_by_text("here", exact=True).wait_for()
    page.wait_for_timeout(300)
    ran = page.evaluate("window.pwned")
    context.close()

    assert ran is None


def _token(page: str) -> str:
    found: Any = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    return str(found[1])
