"""The checklist on the home page, until there is a first batch."""

import re

import pytest
from django.test import Client

from batchapp.models import Project, User
from batchapp.presenters import guide
from tests.html import Page
from tests.make import (
    OWNER,
    VIEWER,
    join,
    make_batch,
    make_connection,
    make_key,
    make_project,
    make_upload,
)

pytestmark = pytest.mark.django_db
STEP = re.compile(
    r'<li class="(\w*)"[^>]*>.*?<a class="strong" href="([^"]*)">([^<]*)</a>', re.DOTALL
)


def steps(browser: Client) -> list[tuple[str, str, str]]:
    """State, name and address of each step on the home page."""
    html = browser.get("/").content.decode()
    _, _, listed = html.partition('<ol class="items steps">')
    found = STEP.findall(listed.partition("</ol>")[0])
    return [(state, name, url) for state, url, name in found]


def test_a_person_without_a_project_creates_one_first(browser: Client) -> None:
    html = browser.get("/").content.decode()

    assert "Your first batch, in four steps" in html
    assert "Excel, CSV or JSONL" in html
    assert [name for _, name, _ in steps(browser)] == [
        "Get into a project",
        "Add a provider key",
        "Upload a file",
        "Submit a batch",
    ]
    assert steps(browser)[0] == ("next", "Get into a project", "/projects/new/")


def test_each_step_is_ticked_by_what_is_there_and_leads_to_its_place(
    browser: Client, project: Project, user: User
) -> None:
    assert steps(browser) == [
        ("done", "Get into a project", "/projects/support/"),
        ("next", "Add a provider key", "/profile/#keys"),
        ("", "Upload a file", "/projects/support/batches/new/#upload"),
        ("", "Submit a batch", "/projects/support/batches/new/"),
    ]

    key = make_key(user, project.connection)
    assert [state for state, _, _ in steps(browser)] == ["done", "done", "next", ""]

    upload = make_upload(project, user)
    assert [state for state, _, _ in steps(browser)] == ["done", "done", "done", "next"]
    assert steps(browser)[3][2] == f"/files/{upload.pk}/batch/"

    make_batch(project, user, upload=upload, key=key)
    assert steps(browser) == []
    assert "Under way</h2>" in browser.get("/").content.decode()


def test_a_key_of_another_provider_is_no_key_for_the_project(
    browser: Client, project: Project, user: User
) -> None:
    make_key(user)

    assert steps(browser)[1][0] == "next"


def test_an_admin_adds_the_key_to_the_project(browser: Client, project: Project) -> None:
    project.memberships.update(role=OWNER)

    assert steps(browser)[1][2] == "/projects/support/keys/"


def test_a_batch_of_colleagues_ends_the_first_steps(browser: Client, project: Project) -> None:
    make_batch(project)

    assert steps(browser) == []


def test_a_batch_of_strangers_does_not(browser: Client, project: Project) -> None:
    make_batch(make_project())

    assert len(steps(browser)) == 4


def test_who_only_looks_on_is_not_told_to_do_anything(browser: Client, user: User) -> None:
    project = make_project()
    join(user, project, VIEWER)

    assert steps(browser) == []
    assert "No batch runs yet" in browser.get("/").content.decode()


def test_the_sandbox_says_which_keys_it_takes(browser: Client, project: Project) -> None:
    project.connection.is_sandbox = True
    project.connection.save()

    assert "any key that begins with sk-" in browser.get("/").content.decode()


def test_who_is_in_no_project_may_try_the_sandbox(browser: Client, user: User) -> None:
    assert "Try the sandbox" not in browser.get("/").content.decode()

    sandbox = make_connection(is_sandbox=True)
    page = Page(browser.get("/"))
    assert page.links["Try the sandbox"] == f"/projects/new/?connection={sandbox.pk}"

    make_project(user)
    assert "Try the sandbox" not in browser.get("/").content.decode()


def test_the_first_steps_lead_to_every_article_of_the_guide(browser: Client) -> None:
    addresses = Page(browser.get("/")).links.values()

    assert {f"/guide/{name}/" for name in guide.NAMES} <= set(addresses)
