"""From an empty portal to a team at work: what each person meets, in a browser of its own.

The tests of this file share one portal and go in order: each leaves to the next what it made.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import ON_ONE_STACK
from tests.browser.people_walk import (
    PASSWORD,
    Walk,
    administrator_link,
    choose,
    code_of,
    confirm_who_it_is,
    look,
    make_account,
    models_by,
    plug_in_authenticator,
    press,
    refused_links,
    request_file,
    sign_in,
    sign_out,
    status_of,
)
from tests.identity_provider import identity_provider, know
from tests.processes.portal import KEY, portal, until

pytestmark = [pytest.mark.browser, ON_ONE_STACK]

ADDRESSES = {
    name: f"{name.lower()}@example.com" for name in ("Ada", "Olga", "Edgar", "Vera", "Otto")
}
"""Administrator, owner, editor, viewer, and somebody who is in no project."""


@pytest.fixture(scope="module")
def sso() -> Iterator[str]:
    with identity_provider() as url:
        yield url


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory, chromium: Browser, sso: str) -> Iterator[Walk]:
    with portal(
        tmp_path_factory.mktemp("portal"),
        speed=0.05,  # slow enough that a batch still runs when its person is deactivated
        OIDC_URL=sso,
        OIDC_CLIENT_ID="batchapp",
        OIDC_CLIENT_SECRET="s3cret",
        OIDC_NAME="Example login",
    ) as running:
        walk = Walk(running, chromium)
        yield walk
        walk.close()
        assert walk.complaints == []


def invite(page: Page, address: str, email: str, role: str = "") -> str:
    """Make an invitation on the page at ``address``; return its link."""
    page.goto(address)
    page.get_by_label("E-mail address").fill(email)
    if role:
        page.get_by_label("Role", exact=True).select_option(role)
    press(page, "Make a link")
    look(page, f"invitation-{role or 'portal'}")
    return page.locator("#new-link pre").inner_text()


def test_the_first_person_becomes_the_administrator(walk: Walk) -> None:
    ada = walk.page_of("Ada")
    ada.goto("/")
    look(ada, "first-run-without-token")
    ada.goto(administrator_link(walk.portal))
    look(ada, "first-run")
    make_account(ada, "Make the account", email=ADDRESSES["Ada"], first_name="Ada")
    expect(ada.get_by_text("You are the administrator of this portal")).to_be_visible()
    look(ada, "home-of-the-first-administrator")

    ada.goto("/administration/connections/add/")
    look(ada, "connection-add")
    ada.get_by_label("Name", exact=True).fill("Sandbox")
    ada.get_by_label("Address").fill(walk.portal.sandbox_url)
    ada.get_by_label("Seconds between two polls").fill("1")
    ada.get_by_label("A sandbox: nothing is paid").check()
    press(ada, "Add the connection")
    look(ada, "connection-added")

    ada.goto("/projects/new/")
    ada.get_by_label("Name").fill("Letters")
    ada.get_by_label("Sandbox").check()
    look(ada, "project-new")
    press(ada, "Create the project")
    ada.wait_for_url("**/projects/letters/")
    look(ada, "project-of-its-founder")


def test_each_invited_person_accepts_by_the_link(walk: Walk) -> None:
    ada = walk.page_of("Ada")
    members = "/projects/letters/members/"
    links = {"Olga": invite(ada, members, ADDRESSES["Olga"], "owner")}
    links["Otto"] = invite(ada, "/administration/invitations/", ADDRESSES["Otto"])
    accept(walk, "Olga", links["Olga"])
    olga = walk.page_of("Olga")
    for name, role in (("Edgar", "editor"), ("Vera", "viewer")):
        links[name] = invite(olga, members, ADDRESSES[name], role)
    for name in ("Otto", "Edgar", "Vera"):
        accept(walk, name, links[name])
        look(walk.page_of(name), f"first-page-of-{name}")

    walk.page_of("Vera").goto(links["Vera"])
    expect(
        walk.page_of("Vera").get_by_role("heading", name="This invitation is not valid")
    ).to_be_visible()
    look(walk.page_of("Vera"), "invitation-gone")
    olga.goto(members)
    look(olga, "members-of-the-owner")
    for name in ("Olga", "Edgar", "Vera"):
        expect(olga.locator("tbody").first).to_contain_text(ADDRESSES[name])


def accept(walk: Walk, name: str, link: str) -> None:
    page = walk.page_of(name)
    page.goto(link)
    look(page, f"invitation-of-{name}")
    make_account(page, "Make the account and accept", first_name=name)
    page.wait_for_url(re.compile(r"/projects/letters/$|:\d+/$"))


def test_the_owner_changes_a_role_and_the_viewer_sees_more_then(walk: Walk) -> None:
    olga, vera = walk.page_of("Olga"), walk.page_of("Vera")
    new_batch = vera.get_by_role("link", name=re.compile("New batch"))
    vera.goto("/projects/letters/")
    expect(new_batch).to_have_count(0)

    set_role(olga, ADDRESSES["Vera"], "editor")
    look(olga, "role-changed")
    vera.reload()
    expect(new_batch.first).to_be_visible()

    set_role(olga, ADDRESSES["Vera"], "viewer")
    vera.reload()
    expect(new_batch).to_have_count(0)


def set_role(page: Page, email: str, role: str) -> None:
    page.goto("/projects/letters/members/")
    row = page.locator("tbody tr", has_text=email)
    row.get_by_role("combobox").select_option(role)
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").filter(has_text=role).first).to_be_visible()


def test_the_editor_runs_a_batch_on_an_own_key(walk: Walk, tmp_path: Path) -> None:
    edgar = walk.page_of("Edgar")
    edgar.goto("/projects/letters/keys/")
    look(edgar, "keys-of-the-editor")
    edgar.get_by_role("main").get_by_role("link", name="profile", exact=True).click()
    keys = edgar.locator("#keys")
    keys.get_by_label("Name").fill("Own key")
    keys.get_by_label("Key", exact=True).fill(KEY)
    look(edgar, "own-keys-of-the-editor")
    press(edgar, "Add the key")
    expect(keys.get_by_role("table")).to_contain_text("Own key")
    edgar.goto("/projects/letters/files/")
    edgar.locator("input[type=file]").set_input_files(request_file(tmp_path, requests=300))
    edgar.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/"))
    edgar.get_by_role("main").get_by_role("link", name="Run this file").click()
    edgar.get_by_role("link", name="Continue").click()
    look(edgar, "order")
    press(edgar, "Continue to the review")
    look(edgar, "review")
    edgar.get_by_role("button", name=re.compile("^Submit 300 requests")).click()
    edgar.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/"))
    look(edgar, "batch-of-the-editor")


def test_no_link_that_a_person_sees_is_refused_and_foreign_addresses_are_not_found(
    walk: Walk,
) -> None:
    batch = walk.page_of("Edgar").url.partition("?")[0]
    pages = ["", "batches/", "files/", "members/", "keys/", "portal-keys/", "settings/"]
    for name in ("Vera", "Edgar", "Olga"):
        page = walk.page_of(name)
        paths = [*(f"/projects/letters/{tab}" for tab in pages), batch, "/"]
        assert refused_links(page, paths) == {}, name
        look(page, f"home-of-{name}")
    vera, otto = walk.page_of("Vera"), walk.page_of("Otto")
    vera.goto(batch)
    look(vera, "batch-of-the-viewer")
    expect(vera.get_by_role("link", name=re.compile("^Cancel"))).to_have_count(0)
    for path in (batch, f"{batch}results/", *(f"/projects/letters/{tab}" for tab in pages)):
        assert status_of(otto.context, path) == 404, path
    for path in ("/administration/people/", "/administration/system/"):
        assert {status_of(walk.page_of(name).context, path) for name in ("Otto", "Olga")} <= {
            403,
            404,
        }
    otto.goto("/projects/letters/")
    look(otto, "not-found")
    assert refused_links(otto, ["/", "/projects/", "/profile/"]) == {}


def test_a_forgotten_password_is_chosen_anew_by_the_e_mail_that_the_administrator_sees(
    walk: Walk,
) -> None:
    ada, otto = walk.page_of("Ada"), walk.page_of("Otto")
    sign_out(otto)
    look(otto, "sign-in")
    otto.get_by_role("link", name="Forgot your password?").click()
    otto.get_by_label("E-mail").fill(ADDRESSES["Otto"])
    look(otto, "reset")
    press(otto, "Send the link")
    otto.wait_for_url("**/password/reset/sent/")
    look(otto, "reset-sent")

    (link,) = links_mailed_to(ada, ADDRESSES["Otto"], "/password/reset/")

    otto.goto(link)
    look(otto, "reset-from-link")
    otto.get_by_label("New password", exact=True).fill(f"{PASSWORD} twice")
    otto.get_by_label("New password, once more").fill(f"{PASSWORD} twice")
    press(otto, "Change the password")
    otto.wait_for_url(lambda url: "/password/" not in url)
    look(otto, "after-the-reset")
    sign_out(otto)
    sign_in(otto, ADDRESSES["Otto"], f"{PASSWORD} twice")
    otto.wait_for_url("/")


def test_single_sign_on_lets_in_the_person_of_the_address(walk: Walk, sso: str) -> None:
    otto = walk.page_of("Otto")
    know(sso, "otto", ADDRESSES["Otto"])
    sign_out(otto)
    otto.get_by_role("link", name="Go on with Example login").click()
    otto.wait_for_url(lambda url: url.startswith(sso))
    otto.get_by_placeholder("sub").fill("otto")
    press(otto, "Authorize")
    otto.wait_for_url("/")
    otto.goto("/profile/")
    expect(otto.get_by_text(ADDRESSES["Otto"]).first).to_be_visible()
    look(otto, "profile")


def test_a_code_of_an_app_is_asked_for_once_it_is_added(walk: Walk) -> None:
    ada = walk.page_of("Ada")
    ada.goto("/profile/second-factor/")
    look(ada, "second-factor")
    ada.get_by_role("link", name="Add an app").click()
    confirm_who_it_is(ada)
    look(ada, "app-add")
    secret = str(ada.locator("img[alt^=QR]").get_attribute("alt")).rpartition(" ")[2]
    ada.get_by_label("code").fill(code_of(secret))
    press(ada, "Add the app")
    expect(ada.get_by_role("heading", name="Recovery codes")).to_be_visible()
    look(ada, "recovery-codes")

    sign_out(ada)
    sign_in(ada, ADDRESSES["Ada"])
    look(ada, "second-factor-asked")
    ada.get_by_label("code").fill("000000")
    press(ada, "Sign in")
    expect(ada.get_by_text("The code is not right")).to_be_visible()
    ada.get_by_label("code").fill(code_of(secret, periods=1))  # each code counts once
    press(ada, "Sign in")
    ada.wait_for_url("/")


def test_a_passkey_signs_in_alone(walk: Walk) -> None:
    olga = walk.page_of("Olga")
    plug_in_authenticator(olga)
    olga.goto("/profile/second-factor/passkeys/add/")
    confirm_who_it_is(olga)
    look(olga, "passkey-add")
    olga.get_by_label("Name").fill("My laptop")
    press(olga, "Add the passkey")
    expect(olga.get_by_role("heading", name="Recovery codes")).to_be_visible()

    sign_out(olga)
    press(olga, "Use a passkey")
    olga.wait_for_url(lambda url: "/sign-in/" not in url)


def test_an_administrator_lets_in_a_person_who_lost_the_second_factor(walk: Walk) -> None:
    ada, olga = walk.page_of("Ada"), walk.page_of("Olga")
    ada.goto("/administration/people/")
    choose(ada.locator("tbody tr", has_text=ADDRESSES["Olga"]), "Remove second factors…")
    expect(ada.get_by_text("My laptop")).to_be_visible()
    look(ada, "second-factors-remove")
    press(ada, "Remove the second factors")
    expect(ada.get_by_text("Olga is signed out everywhere").first).to_be_visible()

    olga.goto("/projects/letters/")
    olga.wait_for_url("**/sign-in/**")
    sign_in(olga, ADDRESSES["Olga"])
    olga.wait_for_url("/")


def test_somebody_who_took_a_link_confirms_the_address_before_a_portal_key(walk: Walk) -> None:
    """An owner named the address, who cannot vouch for it, and no mail server is set."""
    ada, edgar = walk.page_of("Ada"), walk.page_of("Edgar")
    edgar.goto("/projects/letters/portal-keys/new/")
    expect(edgar.get_by_role("heading", name="First confirm your e-mail address")).to_be_visible()
    look(edgar, "portal-key-before-the-confirmation")

    (link,) = links_mailed_to(ada, ADDRESSES["Edgar"], "/sign-up/verify/")
    elsewhere = walk.page_of("Elsewhere")
    elsewhere.goto(link)
    look(elsewhere, "confirm-in-another-browser")
    expect(elsewhere.get_by_role("button", name="It was not me")).to_be_visible()
    edgar.goto(link)
    look(edgar, "confirm")
    press(edgar, "Yes, it is mine")
    edgar.wait_for_url(lambda url: "/verify/" not in url)
    look(edgar, "confirmed")


def links_mailed_to(administrator: Page, address: str, path: str) -> list[str]:
    """Return the links to ``path`` in the e-mail to ``address`` that the administrator reads."""
    administrator.goto("/administration/mail/")
    look(administrator, "mail")
    letters = administrator.get_by_role("listitem").filter(has_text=address)
    letters.get_by_role("link").first.click()
    look(administrator, "mail-read")
    return re.findall(rf"http\S+{path}\S+", administrator.locator("pre").inner_text())


def test_a_portal_key_is_made_used_rotated_and_revoked(walk: Walk) -> None:
    edgar = walk.page_of("Edgar")
    edgar.goto("/projects/letters/portal-keys/new/")
    edgar.get_by_label("Name").fill("nightly report")
    look(edgar, "portal-key-add")
    press(edgar, "Make the key")
    look(edgar, "portal-key-reveal")
    first = shown_secret(edgar)
    assert models_by(walk.portal, first) == 200

    edgar.goto("/projects/letters/portal-keys/")
    look(edgar, "portal-keys")
    choose(edgar.locator("#portal-keys tbody tr").first, "Rotate…")
    edgar.get_by_label("In 1 hour").check()
    look(edgar, "portal-key-rotate")
    press(edgar, "Make a new secret")
    second = shown_secret(edgar)
    assert first != second
    assert {models_by(walk.portal, secret) for secret in (first, second)} == {200}

    edgar.goto("/profile/portal-keys/")
    look(edgar, "portal-keys-rotated")
    choose(edgar.locator("tbody tr").first, "Revoke…")
    look(edgar, "portal-key-revoke")
    press(edgar, "Revoke")
    expect(edgar.get_by_role("status").filter(has_text="revoked").first).to_be_visible()
    assert {models_by(walk.portal, secret) for secret in (first, second)} == {401}
    look(edgar, "portal-keys-revoked")


def shown_secret(page: Page) -> str:
    found = re.search(r"ba_[A-Za-z0-9]{43}", page.locator("#secret").inner_text())
    assert found
    return found.group()


def test_an_archived_project_starts_nothing_until_it_is_restored(walk: Walk) -> None:
    olga, edgar = walk.page_of("Olga"), walk.page_of("Edgar")
    new_batch = edgar.get_by_role("link", name=re.compile("New batch"))
    olga.goto("/projects/letters/settings/")
    look(olga, "settings")
    olga.locator("#archive").click()
    look(olga, "archive")
    press(olga, "Archive the project")
    expect(olga.get_by_text(re.compile("archived")).first).to_be_visible()
    look(olga, "archived")
    edgar.goto("/projects/letters/")
    look(edgar, "archived-for-the-editor")
    expect(new_batch).to_have_count(0)
    assert status_of(edgar.context, "/projects/letters/batches/new/") in {403, 404}

    olga.goto("/projects/letters/settings/")
    olga.locator("#archive").click()
    press(olga, "Restore the project")
    edgar.goto("/projects/letters/")
    expect(new_batch.first).to_be_visible()


def test_a_deactivated_person_is_out_at_once_and_the_running_batch_is_cancelled(
    walk: Walk,
) -> None:
    ada, edgar, olga = (walk.page_of(name) for name in ("Ada", "Edgar", "Olga"))
    ada.goto("/administration/people/")
    look(ada, "people")
    choose(ada.locator("tbody tr", has_text=ADDRESSES["Edgar"]), "Deactivate…")
    expect(ada.get_by_text("1 batch under way")).to_be_visible()
    ada.get_by_label(re.compile("^Cancel")).check()
    look(ada, "deactivate")
    press(ada, "Deactivate")
    expect(ada.get_by_text("1 batch will be cancelled.")).to_be_visible()
    look(ada, "people-without-the-deactivated")
    ada.goto("/administration/people/?state=deactivated")
    expect(ada.locator("tbody tr", has_text=ADDRESSES["Edgar"])).to_contain_text("Deactivated")
    look(ada, "people-deactivated")

    # The page that Edgar left open polls, and reloads itself. Playwright must not open an address
    # at that instant: the reload takes its navigation over, and it waits for that in vain.
    edgar.wait_for_url("**/sign-in/**")
    sign_in(edgar, ADDRESSES["Edgar"])
    expect(edgar.get_by_role("alert").or_(edgar.get_by_role("heading")).first).to_be_visible()
    look(edgar, "sign-in-of-the-deactivated")
    assert status_of(edgar.context, "/projects/letters/") == 302

    def is_cancelled() -> bool:
        batches = walk.portal.sandbox_batches()
        return [batch["status"] for batch in batches] in (["cancelled"], ["cancelling"])

    until(is_cancelled, "the cancelled batch", walk.portal.tail)
    olga.goto("/projects/letters/batches/")
    expect(olga.get_by_role("cell", name=re.compile("^Cancel"))).to_be_visible()
    look(olga, "batches-after-the-deactivation")
