"""A budget from its setting to the statement: what owner, editor and auditor meet, by browser.

The tests of this file share one portal and go in order: each leaves to the next what it made.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people_walk import (
    Walk,
    choose,
    look,
    press,
    refused_links,
    request_file,
    sign_in,
)
from tests.mail import Letters, smtp_server
from tests.processes.portal import PASSWORD, portal, until

pytestmark = [pytest.mark.browser]

OLGA, EDGAR, AUDREY = "olga@example.com", "edgar@example.com", "audrey@example.com"
NOTE = "For the report of the board."


@pytest.fixture(scope="module")
def letters() -> Iterator[tuple[Letters, int]]:
    with smtp_server() as server:
        yield server


@pytest.fixture(scope="module")
def walk(
    tmp_path_factory: pytest.TempPathFactory, chromium: Browser, letters: tuple[Letters, int]
) -> Iterator[Walk]:
    url = f"smtp://127.0.0.1:{letters[1]}?starttls=no"
    folder = tmp_path_factory.mktemp("portal")
    with portal(folder, speed=200.0, EMAIL_URL=url) as running:
        running.bootstrap("--email", OLGA, "--admin")
        running.manage("bootstrap", "--email", EDGAR, "--project", "Demo", "--role", "editor")
        running.manage("bootstrap", "--email", AUDREY)
        walk = Walk(running, chromium)
        for name, email in (("Olga", OLGA), ("Edgar", EDGAR), ("Audrey", AUDREY)):
            sign_in(walk.page_of(name), email, PASSWORD)
            walk.page_of(name).wait_for_url("/")
        yield walk
        walk.close()
        assert walk.complaints == []


def test_an_administrator_makes_an_auditor(walk: Walk) -> None:
    olga, audrey = walk.page_of("Olga"), walk.page_of("Audrey")
    olga.goto("/administration/people/")
    choose(olga.locator("tbody tr", has_text=AUDREY), "Role in the portal…")
    olga.locator("#dialog").get_by_label("Auditor").check()
    press(olga, "Save the role")
    expect(olga.locator("tbody tr", has_text=AUDREY)).to_contain_text("Auditor")

    audrey.goto("/audit/")
    look(audrey, "audit")
    expect(audrey.get_by_role("main")).to_contain_text(AUDREY)


def test_the_owner_sets_a_budget(walk: Walk) -> None:
    olga = walk.page_of("Olga")
    olga.goto("/projects/demo/settings/")
    olga.get_by_role("link", name="Budgets…").click()
    look(olga, "budgets-empty")
    olga.get_by_role("main").get_by_role("link", name=re.compile("budget", re.I)).first.click()
    look(olga, "budget-new")
    olga.get_by_label(re.compile("^Amount each month")).fill("0.01")
    olga.get_by_label("Let it wait for the approval of an owner").check()
    press(olga, "Set the budget")

    look(olga, "budgets")
    expect(olga.get_by_role("main")).to_contain_text("$0.01")
    olga.goto("/projects/demo/")
    expect(olga.get_by_role("main")).to_contain_text("$0.01")


def test_the_editor_runs_into_it_and_knows_who_can_help(walk: Walk, tmp_path: Path) -> None:
    edgar = walk.page_of("Edgar")
    edgar.goto("/projects/demo/files/")
    edgar.locator("input[type=file]").set_input_files(request_file(tmp_path, requests=2_000))
    edgar.wait_for_url(re.compile(r"/files/[0-9a-f-]{36}/"))
    edgar.get_by_role("main").get_by_role("link", name="Run this file").click()
    edgar.get_by_role("link", name="Continue").click()
    press(edgar, "Continue to the review")
    look(edgar, "review-over-budget")
    expect(edgar.locator("#needs-approval")).to_contain_text(OLGA)
    edgar.get_by_role("button", name=re.compile("^Submit for approval")).click()
    edgar.wait_for_url(re.compile(r"/batches/[0-9a-f-]{36}/"))

    look(edgar, "batch-awaiting-approval")
    expect(edgar.get_by_role("main")).to_contain_text("Awaiting approval")
    expect(edgar.get_by_role("main")).to_contain_text("budget")
    expect(edgar.get_by_role("main")).to_contain_text(OLGA)
    assert walk.portal.ledger()["batches"] == []
    assert refused_links(edgar, [edgar.url.partition("?")[0], "/", "/approvals/"]) == {}


def test_the_owner_approves_from_the_link_in_the_e_mail(
    walk: Walk, letters: tuple[Letters, int]
) -> None:
    olga, edgar = walk.page_of("Olga"), walk.page_of("Edgar")
    taken = letters[0]

    def texts() -> list[str]:
        return [taken.text(number) for number in range(len(taken.taken))]

    def link() -> str:
        found = [re.search(r"https?://\S+/approval/\S*", text) for text in texts()]
        return next((match[0] for match in found if match), "")

    url = until(link, "the e-mail that asks for approval", lambda: "\n".join(texts()))
    olga.goto(url)
    look(olga, "approval")
    expect(olga.get_by_role("main")).to_contain_text("budget")
    olga.get_by_label(re.compile("^Note")).fill(NOTE)
    olga.get_by_role("button", name=re.compile("^Approve")).click()
    expect(olga.get_by_role("status").filter(has_text="approved").first).to_be_visible()
    olga.goto(url)
    expect(olga.locator("#decision")).to_contain_text(NOTE)
    look(olga, "approved")

    edgar.goto("/inbox/")
    until(
        lambda: edgar.reload() and "approved" in edgar.get_by_role("main").inner_text(),
        "the message of the decision",
    )
    look(edgar, "inbox")
    edgar.goto("/batches/?status=completed")
    until(lambda: edgar.reload() and edgar.locator("tbody tr").count() == 1, "the batch to end")
    assert len(walk.portal.ledger()["batches"]) == 1


def test_the_auditor_finds_all_of_it(walk: Walk) -> None:
    audrey = walk.page_of("Audrey")
    audrey.goto("/audit/?area=money")
    look(audrey, "audit-of-money")
    for word in ("Set the budget of the whole", "Asked for approval", NOTE):
        expect(audrey.get_by_role("main")).to_contain_text(word)
    # What a sandbox only pretends to be paid is left out of statements.
    audrey.goto("/report/?sandbox=on")
    look(audrey, "report")
    expect(audrey.get_by_role("main")).to_contain_text("Demo")
    assert refused_links(audrey, ["/audit/", "/statements/", "/report/"]) == {}
