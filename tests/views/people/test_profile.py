"""The profile page: the theme of this browser."""

import pytest
from django.test import Client

from tests.html import page_of

pytestmark = pytest.mark.django_db


def test_a_chosen_theme_is_that_of_every_page_in_this_browser(browser: Client) -> None:
    assert "data-theme" not in page_of(browser, "/").html

    browser.post("/profile/", {"theme": "dark"})
    assert page_of(browser, "/projects/").one("html")["data-theme"] == "dark"
    assert page_of(browser, "/profile/").one('[aria-pressed="true"]').text == "Dark"

    browser.post("/profile/", {"theme": ""})
    assert "data-theme" not in page_of(browser, "/projects/").html


@pytest.mark.parametrize("theme", ['"><script>', "blue"])
def test_no_other_theme_is_taken(browser: Client, theme: str) -> None:
    browser.post("/profile/", {"theme": theme})
    assert "theme" not in browser.cookies or not browser.cookies["theme"].value

    browser.cookies["theme"] = theme
    assert "data-theme" not in page_of(browser, "/").html
