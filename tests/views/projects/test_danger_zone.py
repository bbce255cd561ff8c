"""Owners archive, restore, transfer and delete a project, each after a question."""

import pytest
from django.test import Client

from batchapp.models import Batch, Project, RetentionRule, User
from tests.html import fragment_of, page_of
from tests.make import EDITOR, OWNER, finish, join, make_administrator, make_batch, make_user

pytestmark = pytest.mark.django_db
HOME = "/projects/support/"


@pytest.fixture
def owned(user: User, project: Project) -> Project:
    project.memberships.update(role=OWNER)
    return project


def archive(browser: Client) -> None:
    browser.post(f"{HOME}archive/", {"action": "archive"})


def test_an_archived_project_is_listed_only_among_the_archived(
    browser: Client, owned: Project
) -> None:
    dialog = fragment_of(browser, f"{HOME}archive/")
    assert "Archive Support tickets?" in dialog.text
    assert "No batch is under way." in dialog.text

    archive(browser)

    assert HOME not in page_of(browser, "/projects/").links.values()
    assert "Archived 1" in page_of(browser, "/projects/").links
    assert HOME in page_of(browser, "/projects/?archived=1").links.values()
    assert HOME not in page_of(browser, "/").links.values()
    assert "Support tickets" not in page_of(browser, "/palette/", {"q": "support"}).texts("a")


def test_an_archived_project_can_be_read_and_says_so(
    browser: Client, user: User, owned: Project
) -> None:
    batch = finish(make_batch(owned, user))
    archive(browser)

    for url in (HOME, f"{HOME}files/", f"{HOME}batches/", f"{HOME}settings/"):
        page = page_of(browser, url)
        assert "Archived" in page.one("#archived").text
        assert "Upload a file" not in page.links
        assert "Import a batch…" not in page.links
    assert browser.get(f"/batches/{batch.pk}/output.jsonl").status_code == 200
    links = page_of(browser, batch.get_absolute_url()).links
    assert "Run the file again" not in links
    assert "Browse results" in links


def test_what_starts_something_is_refused_with_the_way_out(
    browser: Client, owned: Project
) -> None:
    archive(browser)

    response = browser.get(f"{HOME}batches/new/")

    assert response.status_code == 403
    assert "Support tickets is archived" in response.content.decode()
    assert "restore it under Settings" in response.content.decode()


def test_a_restored_project_is_as_before(browser: Client, owned: Project) -> None:
    archive(browser)

    assert "Restore Support tickets?" in fragment_of(browser, f"{HOME}archive/").text
    browser.post(f"{HOME}archive/", {"action": "restore"})

    assert HOME in page_of(browser, "/projects/").links.values()
    assert "Upload a file" in page_of(browser, HOME).links


def test_a_batch_that_stopped_in_an_archived_project_names_the_way_out(
    browser: Client, user: User, owned: Project
) -> None:
    batch = make_batch(owned, user)
    batch.provider_batches.update(parked_reason="needs_attention", next_check_at=None)
    archive(browser)

    page = page_of(browser, batch.get_absolute_url())

    assert "Restore it to let the batch go on, or cancel the batch." in page.text
    assert [link for link in page.links if "Try again" in link] == []
    assert "Cancel…" in page.links


def test_a_transfer_gives_the_project_away_in_one_step(
    browser: Client, user: User, owned: Project
) -> None:
    url = f"{HOME}transfer/"
    assert "Nobody else is in the project." in page_of(browser, url).text
    bob = join(make_user("bob@example.com"), owned)
    page = page_of(browser, url)
    assert page.texts("select[name=membership] option")[1:] == ["bob@example.com (Editor)"]

    membership = bob.memberships.get().pk
    response = browser.post(url, {"membership": membership, "own_role": EDITOR}, follow=True)

    roles = dict(owned.memberships.values_list("user__email", "role"))
    assert roles == {"ada@example.com": "editor", "bob@example.com": "owner"}
    assert "bob@example.com is an owner of Support tickets now." in response.content.decode()


def test_who_transfers_a_project_may_leave_with_it(
    browser: Client, user: User, owned: Project
) -> None:
    bob = join(make_user("bob@example.com"), owned)
    data = {"membership": bob.memberships.get().pk, "own_role": "leave"}

    response = browser.post(f"{HOME}transfer/", data)

    assert response["Location"] == "/projects/"
    assert list(owned.memberships.values_list("user__email")) == [("bob@example.com",)]


def test_a_transfer_needs_a_member(browser: Client, user: User, owned: Project) -> None:
    join(make_user("bob@example.com"), owned)
    own = owned.memberships.get(user=user).pk

    for membership in ("", own, "999999", "x"):
        page = browser.post(f"{HOME}transfer/", {"membership": membership, "own_role": EDITOR})
        assert page.status_code == 200
    assert owned.memberships.get(user=user).role == OWNER


def test_the_name_has_to_be_typed_to_delete_a_project(
    browser: Client, user: User, owned: Project
) -> None:
    finish(make_batch(owned, user))
    url = f"{HOME}delete/"

    page = page_of(browser, url)
    wrong = browser.post(url, {"name": "support"}).content.decode()

    assert "This cannot be undone." in page.text
    assert page.one("#goes").texts("li")[:2] == ["3 answers", "1 file of requests"]
    assert "1 batch and their cost of $0.0006" in page.one("#stays").text
    assert "This is not the name of the project." in wrong
    owned.refresh_from_db()
    assert owned.deleted_at is None


def test_a_deleted_project_is_gone_at_once(
    browser: Client, user: User, owned: Project, woken: list[str]
) -> None:
    batch = finish(make_batch(owned, user))
    woken.clear()

    response = browser.post(f"{HOME}delete/", {"name": "Support tickets"}, follow=True)

    assert response.redirect_chain == [("/projects/", 302)]
    assert "Support tickets is deleted." in response.content.decode()
    assert RetentionRule.objects.get().days == 0
    for url in (HOME, f"{HOME}settings/", batch.get_absolute_url()):
        assert browser.get(url).status_code == 404


def test_the_batches_under_way_are_cancelled_first(
    browser: Client, user: User, owned: Project
) -> None:
    make_batch(owned, user)
    make_batch(owned, user)
    url = f"{HOME}delete/"

    page = page_of(browser, url)
    refused = browser.post(url, {"name": "Support tickets"}, follow=True).content.decode()
    browser.post(url, {"action": "cancel"})

    assert "2 batches are under way." in page.text
    assert "Delete the project for good" not in page.texts("button")
    assert "Cancel 2 batches" in page.texts("button")
    assert "2 batches are under way. Wait for the end, or cancel first." in refused
    assert not Batch.objects.filter(cancel_requested_at=None).exists()
    assert "They are being cancelled." in page_of(browser, url).text


def test_a_batch_on_hold_keeps_its_project(browser: Client, user: User, owned: Project) -> None:
    batch = finish(make_batch(owned, user))
    browser.post(f"/batches/{batch.pk}/hold/")

    page = page_of(browser, f"{HOME}delete/")

    assert "1 batch is on hold" in page.one("#held").text
    assert "Delete the project for good" not in page.texts("button")


def test_an_editor_sees_nothing_of_it(browser: Client, project: Project) -> None:
    assert not page_of(browser, f"{HOME}settings/").all("#danger")


@pytest.mark.parametrize("founders", ["everyone", "administrators"])
def test_who_may_create_projects_is_a_setting(
    browser: Client, project: Project, settings: pytest.FixtureRequest, founders: str
) -> None:
    settings.PROJECT_FOUNDERS = founders

    pages = [page_of(browser, url) for url in ("/", "/projects/", "/palette/?q=project")]
    response = browser.get("/projects/new/")

    is_open = founders == "everyone"
    assert [("/projects/new/" in page.links.values()) for page in pages] == [is_open] * 3
    assert response.status_code == (200 if is_open else 403)
    if not is_open:
        assert "Only administrators of the portal create projects" in response.content.decode()


def test_an_administrator_does_not_bring_a_deleted_project_back(
    browser: Client, user: User, owned: Project
) -> None:
    browser.post(f"{HOME}delete/", {"name": "Support tickets"})
    browser.force_login(make_administrator())

    page = page_of(browser, "/administration/projects/")
    joined = browser.post(f"/administration/projects/{owned.pk}/join/")

    assert "Support tickets" not in " ".join(page.texts("tbody"))
    assert joined.status_code == 404
    assert not owned.memberships.exists()
