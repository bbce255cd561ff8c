"""What a person typed outlives a session that ended before it was sent, and nothing else does."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import LONGEST_WAIT, ON_ONE_STACK
from tests.browser.pages import Gallery
from tests.make import PASSWORD

pytestmark = [pytest.mark.browser, ON_ONE_STACK]

KEPT = "What you typed is still here."
STORED = "JSON.stringify({...sessionStorage})"


@pytest.fixture
def page(chromium: Browser, showroom: Gallery) -> Iterator[Page]:
    context = chromium.new_context(base_url=showroom.url)
    context.set_default_timeout(LONGEST_WAIT)
    page = context.new_page()
    broke: list[str] = []
    page.on("pageerror", lambda error: broke.append(str(error)))
    sign_in(page, "ada@example.com")
    yield page
    context.close()
    assert broke == []


def sign_in(page: Page, email: str) -> None:
    if "/sign-in/" not in page.url:
        page.goto("/sign-in/")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/sign-in/" not in url)


def end_session(page: Page) -> None:
    page.context.clear_cookies(name="sessionid")


def type_a_project(page: Page) -> None:
    page.goto("/projects/new/")
    page.get_by_label("Name").fill("Résumés of 2026 🚀")
    page.get_by_role("radio").nth(1).check()


def create(page: Page) -> None:
    page.get_by_role("button", name="Create the project").click()
    page.wait_for_url("**/sign-in/**")


def test_what_was_typed_is_found_again_after_signing_in(page: Page) -> None:
    type_a_project(page)
    end_session(page)
    create(page)

    sign_in(page, "ada@example.com")

    expect(page).to_have_url("/projects/new/")
    expect(page.get_by_label("Name")).to_have_value("Résumés of 2026 🚀")
    expect(page.get_by_role("radio").nth(1)).to_be_checked()
    expect(page.get_by_text(KEPT).first).to_be_visible()
    assert page.evaluate(STORED).find("2026") == -1


def test_a_wrong_password_in_between_loses_nothing(page: Page) -> None:
    type_a_project(page)
    end_session(page)
    create(page)
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Password", exact=True).fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("do not belong together")).to_be_visible()

    sign_in(page, "ada@example.com")

    expect(page.get_by_label("Name")).to_have_value("Résumés of 2026 🚀")


def test_another_person_finds_nothing(page: Page) -> None:
    type_a_project(page)
    end_session(page)
    create(page)

    sign_in(page, "grace@example.com")

    expect(page).to_have_url("/projects/new/")
    expect(page.get_by_label("Name")).to_have_value("")
    expect(page.get_by_text(KEPT)).to_have_count(0)
    assert "2026" not in page.evaluate(STORED)


def test_a_secret_is_never_kept_even_while_it_is_shown(page: Page) -> None:
    page.goto("/profile/")
    page.get_by_text("Add a key").click()
    form = page.locator("form", has=page.get_by_role("button", name="Add the key"))
    form.get_by_label("Connection").select_option(index=1)
    form.get_by_label("Name").fill("My key for tests")
    form.get_by_label("Key", exact=True).fill("sk-not-to-be-kept-anywhere")
    form.get_by_role("button", name="Show").click()
    end_session(page)
    form.get_by_role("button", name="Add the key").click()
    page.wait_for_url("**/sign-in/**")
    stored = page.evaluate(STORED)

    sign_in(page, "ada@example.com")

    assert "My key for tests" in stored
    assert "sk-not-to-be-kept" not in stored
    assert "csrf" not in stored
    expect(form.get_by_label("Name")).to_be_visible()
    expect(form.get_by_label("Name")).to_have_value("My key for tests")
    expect(form.get_by_label("Key", exact=True)).to_have_value("")


def test_of_several_forms_alike_the_right_one_is_filled(page: Page) -> None:
    page.goto("/projects/support/members/")
    page.get_by_label("Role of Grace Hopper").select_option("viewer")
    end_session(page)
    page.get_by_role("button", name="Save the role of Grace Hopper").click()
    page.wait_for_url("**/sign-in/**")

    sign_in(page, "ada@example.com")

    expect(page.get_by_label("Role of Grace Hopper")).to_have_value("viewer")
    roles = page.locator('select[aria-label^="Role of"]')
    values = roles.evaluate_all("all => all.map(select => select.value)")
    assert sorted(values)[:-1] == ["editor"] * (len(values) - 1)


def test_what_arrived_is_not_kept(page: Page) -> None:
    page.goto("/profile/")
    page.get_by_label("First name").fill("Ada")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Your name and time zone are saved.")).to_be_visible()

    assert "Ada" not in page.evaluate(STORED)


def test_a_form_that_was_refused_is_not_filled_over(page: Page) -> None:
    type_a_project(page)
    page.get_by_label("Name").fill("\u200b")
    page.get_by_role("button", name="Create the project").click()

    expect(page.get_by_text("no visible character")).to_be_visible()
    expect(page.get_by_text(KEPT)).to_have_count(0)
    assert "draft" not in page.evaluate(STORED)


def test_after_signing_out_nothing_is_left(page: Page) -> None:
    type_a_project(page)
    end_session(page)
    create(page)
    assert "2026" in page.evaluate(STORED)

    page.goto("/sign-in/")  # the same page, but on the way to nowhere: as after signing out
    assert "2026" not in page.evaluate(STORED)
    sign_in(page, "ada@example.com")
    page.goto("/projects/new/")
    page.get_by_label("Name").fill("Another of 2026")
    page.locator("form[action='/sign-out/'] button").first.evaluate("each => each.click()")
    page.wait_for_url("**/sign-in/**")

    assert "2026" not in page.evaluate(STORED)


def test_an_address_that_only_takes_forms_leads_home(page: Page) -> None:
    page.goto("/profile/")
    end_session(page)
    page.get_by_role("button", name="Test").first.click()
    page.wait_for_url("**/sign-in/**")

    sign_in(page, "ada@example.com")

    expect(page).to_have_url("/")
    expect(page.get_by_text(KEPT)).to_have_count(0)


def test_a_secret_is_looked_at_and_hidden_again(page: Page) -> None:
    page.goto("/profile/")
    page.get_by_text("Add a key").click()
    field = page.get_by_label("Key", exact=True)
    show = page.get_by_role("button", name="Show the key")
    field.fill("sk-to-be-looked-at")
    expect(field).to_have_attribute("type", "password")

    show.click()
    expect(field).to_have_attribute("type", "text")
    expect(show).to_have_attribute("aria-pressed", "true")
    expect(field).to_be_focused()

    show.click()
    expect(field).to_have_attribute("type", "password")
    expect(field).to_have_value("sk-to-be-looked-at")
