"""Projects and the people in them."""

import re

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from batchapp.forms.projects import ProjectForm
from batchapp.models import (
    Batch,
    Connection,
    Membership,
    PortalKey,
    Price,
    Project,
    ProviderBatch,
    User,
)
from batchapp.services.portal_keys import portal_keys
from batchapp.services.portal_keys.portal_keys import KeySettings
from tests.html import Page, fragment_of, page_of
from tests.make import (
    EDITOR,
    OWNER,
    VIEWER,
    finish,
    join,
    make_administrator,
    make_batch,
    make_key,
    make_project,
    make_user,
    set_state,
)

pytestmark = pytest.mark.django_db
URL = "/projects/support/members/"


@pytest.fixture
def managed(user: User, project: Project) -> Project:
    """The project, ``user`` being its only owner."""
    project.memberships.update(role=OWNER)
    return project


def roles(project: Project) -> dict[str, str]:
    return dict(project.memberships.values_list("user__email", "role"))


def test_who_founds_a_project_is_its_admin(browser: Client, user: User) -> None:
    connection = Connection.objects.get(name="Doubleword")

    response = browser.post("/projects/new/", {"name": "Été 2026!", "connection": connection.pk})

    project = Project.objects.get()
    assert response["Location"] == "/projects/ete-2026/"
    assert (project.name, project.connection) == ("Été 2026!", connection)
    assert roles(project) == {"ada@example.com": "owner"}


@pytest.mark.parametrize(
    "name", ["New", "Support tickets", "日本", "support", "שלום", "مشروع", "🚀🎉", "project"]
)
def test_every_project_has_an_address_of_its_own(
    browser: Client, project: Project, name: str
) -> None:
    make_project(slug="support-tickets")

    response = browser.post(
        "/projects/new/", {"name": name, "connection": project.connection.pk}, follow=True
    )

    assert response.status_code == 200
    assert Project.objects.filter(name=name).exists()
    assert response.request["PATH_INFO"] not in {
        "/projects/new/",
        "/projects/support/",
        "/projects/support-tickets/",
    }


def test_names_without_latin_letters_do_not_share_an_address(browser: Client) -> None:
    connection = Connection.objects.get(name="Doubleword")

    for name in ("שלום", "مشروع", "🚀🎉"):
        browser.post("/projects/new/", {"name": name, "connection": connection.pk})

    slugs = list(Project.objects.values_list("slug", flat=True))
    assert len(slugs) == 3
    assert all(re.fullmatch(r"project-[a-z2-9]{6}", slug) for slug in slugs)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("n" * 2000, "A name has at most 100 characters, and this has 2000. Shorten it."),
        ("\u200b\u2060", "The name has no visible character."),
        ("good\u202eexe.txt", "invisible characters that turn text around"),
        ("a\0b", "Null characters are not allowed."),
    ],
)
def test_a_name_that_cannot_be_one_is_answered_with_a_sentence(
    browser: Client, managed: Project, name: str, sentence: str
) -> None:
    connection = Connection.objects.get(name="Doubleword")
    asked = {"name": name, "connection": connection.pk}

    for url in ("/projects/new/", "/projects/support/settings/"):
        assert sentence in browser.post(url, asked).content.decode()
    assert [each.name for each in Project.objects.all()] == ["Support tickets"]


def test_of_several_connections_with_real_answers_none_is_chosen_beforehand(
    browser: Client, project: Project
) -> None:
    page = page_of(browser, "/projects/new/")

    assert ["checked" in radio for radio in page.all("input[type=radio]")] == [False, False]
    assert "the account behind the key pays for them. It cannot be changed later." in page.text
    assert "Answers within 24 h or 1 h." in page.text
    answer = Page(browser.post("/projects/new/", {"name": "Mine"}))
    assert "Choose where the project's batches run." in answer.text
    assert Project.objects.count() == 1


def test_the_only_connection_with_real_answers_is_chosen_beforehand_below_the_sandbox(
    browser: Client, project: Project
) -> None:
    Connection.objects.filter(pk=project.connection_id).update(is_sandbox=True)

    page = page_of(browser, "/projects/new/")

    assert ["checked" in radio for radio in page.all("input[type=radio]")] == [False, True]
    sandbox, real = page.texts(".choice")
    assert "Answers are made up, and nothing is paid." in sandbox
    assert "Try it free" in sandbox
    assert real.startswith("Doubleword")


def test_a_sandbox_can_be_chosen_by_the_address(browser: Client, project: Project) -> None:
    Connection.objects.filter(pk=project.connection_id).update(is_sandbox=True)

    page = page_of(browser, f"/projects/new/?connection={project.connection_id}")

    assert ["checked" in radio for radio in page.all("input[type=radio]")] == [True, False]


def test_the_only_connection_is_chosen_beforehand(browser: Client) -> None:
    assert "checked" in page_of(browser, "/projects/new/").one("input[type=radio]")


def test_without_a_connection_it_is_said_who_can_add_one(browser: Client) -> None:
    Price.objects.all().delete()
    Connection.objects.all().delete()

    assert "Ask an administrator to add a connection." in page_of(browser, "/projects/new/").text


def test_an_admin_gives_a_project_another_name_at_the_same_address(
    browser: Client, managed: Project
) -> None:
    html = browser.post(
        "/projects/support/settings/", {"name": "תמיכה 🚀", "colour": 7}, follow=True
    ).content.decode()

    managed.refresh_from_db()
    assert (managed.name, managed.slug, managed.colour) == ("תמיכה 🚀", "support", 7)
    assert "The settings are saved. The address stays the same." in html
    assert 'data-colour="7"' in html
    assert "<h1>תמיכה 🚀</h1>" in html


def test_a_member_looks_at_the_settings_and_does_not_change_them(
    browser: Client, project: Project
) -> None:
    page = Page(browser.get("/projects/support/settings/"))
    response = browser.post("/projects/support/settings/", {"name": "Mine now"})

    assert not page.all("main input[name=name], #danger")
    assert "Its owners can give it another name and colour." in page.text
    assert response.status_code == 403
    project.refresh_from_db()
    assert project.name == "Support tickets"


def test_no_page_of_projects_takes_more_than_sixteen_queries(
    browser: Client,
    user: User,
    managed: Project,
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(4):
        make_project(user)
        person = join(make_user(), managed)
        finish(make_batch(managed, person, key=make_key(person, managed.connection)))
        make_batch(managed, user)
    one = person.memberships.get().pk

    for url in (
        "/projects/",
        "/projects/new/",
        "/projects/support/",
        "/projects/support/settings/",
        URL,
        f"{URL}{one}/remove/",
    ):
        with django_assert_max_num_queries(19):
            assert browser.get(url).status_code == 200


def test_two_that_are_founded_at_the_same_instant_do_not_crash(
    browser: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ProjectForm,
        "unsaved_project",
        lambda form: Project(
            name="Support", slug=project.slug, connection=form.cleaned_data["connection"]
        ),
    )

    response = browser.post(
        "/projects/new/", {"name": "Support", "connection": project.connection.pk}, follow=True
    )

    assert "this very moment" in response.content.decode()
    assert Project.objects.count() == 1


def test_a_project_needs_a_name(browser: Client) -> None:
    assert (
        "Give the project a name."
        in browser.post("/projects/new/", {"name": " "}).content.decode()
    )


def test_an_admin_changes_roles_and_takes_people_out(browser: Client, managed: Project) -> None:
    join(make_user("bob@example.com"), managed)
    bob = Membership.objects.get(user__email="bob@example.com")

    browser.post(URL, {"action": "role", "membership": bob.pk, "role": OWNER})
    assert roles(managed)["bob@example.com"] == "owner"

    browser.post(f"{URL}{bob.pk}/remove/")
    assert roles(managed) == {"ada@example.com": "owner"}


def test_a_project_keeps_an_owner(browser: Client, managed: Project) -> None:
    for response in (
        browser.post(f"{URL}own-role/", {"role": VIEWER}, follow=True),
        browser.post("/projects/support/leave/", follow=True),
    ):
        assert "A project needs an owner." in response.content.decode()
    assert roles(managed) == {"ada@example.com": "owner"}


def test_an_admin_who_is_deactivated_does_not_keep_a_project(
    browser: Client, managed: Project
) -> None:
    gone = join(make_user("bob@example.com", is_active=False), managed, OWNER)

    response = browser.post("/projects/support/leave/", follow=True)

    assert "A project needs an owner." in response.content.decode()
    browser.post(f"{URL}{gone.memberships.get().pk}/remove/")
    assert roles(managed) == {"ada@example.com": "owner"}


def test_nobody_is_taken_out_by_a_look_at_the_question(browser: Client, managed: Project) -> None:
    bob = join(make_user("bob@example.com", first_name="Bob", last_name="Kahn"), managed)
    url = f"{URL}{bob.memberships.get().pk}/remove/"

    whole, dialog = page_of(browser, url), fragment_of(browser, url)

    assert "<html" in whole.html
    assert "<html" not in dialog.html
    for page in (whole, dialog):
        assert "Remove Bob Kahn from Support tickets?" in page.text
        assert "bob@example.com will no longer see the project" in page.text
        assert "No batch under way here runs on this person" in page.text
    assert url in page_of(browser, URL).links.values()
    assert managed.memberships.count() == 2


def test_batches_on_the_keys_of_who_is_taken_out_go_on_and_that_is_said(
    browser: Client, managed: Project
) -> None:
    bob = join(make_user("bob@example.com"), managed)
    batch = make_batch(managed, bob, key=make_key(bob, managed.connection))
    finish(make_batch(managed, bob, key=batch.key))
    url = f"{URL}{bob.memberships.get().pk}/remove/"

    page = page_of(browser, url)
    browser.post(url)

    assert "1 batch under way here runs on this person" in page.text
    batch.refresh_from_db()
    assert (batch.status, batch.cancel_requested_at) == (Batch.Status.RUNNING, None)
    assert batch.key.secret()


def test_service_keys_that_a_person_knows_are_named_before_the_person_goes(
    browser: Client, managed: Project
) -> None:
    """Their secrets go on, whoever leaves: an owner has to rotate them."""
    bob = join(make_user("bob@example.com"), managed, OWNER)
    for name in ("Nightly", "Old"):
        chosen = KeySettings(name, PortalKey.Scope.READ)
        key = portal_keys.create_service_key(managed, bob, chosen).key
    portal_keys.revoke([key], bob)

    page = page_of(browser, f"{URL}{bob.memberships.get().pk}/remove/")

    told = "Service keys go on whose secret this person was shown: Nightly."
    assert told in page.text
    client = Client()
    client.force_login(make_administrator())
    before = page_of(client, f"/administration/people/{bob.pk}/deactivate/")
    assert "this person was shown: Nightly of Support tickets." in before.text


def test_who_takes_themselves_out_is_told_what_it_means_and_sent_to_the_list(
    browser: Client, managed: Project
) -> None:
    join(make_user("bob@example.com"), managed, OWNER)
    mine = managed.memberships.get(user__email="ada@example.com")

    assert browser.get(f"{URL}{mine.pk}/remove/")["Location"] == "/projects/support/leave/"
    page = page_of(browser, "/projects/support/leave/")
    response = browser.post("/projects/support/leave/", follow=True)

    assert "Leave Support tickets?" in page.text
    assert "an owner has to add you again" in page.text
    assert response.redirect_chain == [("/projects/", 302)]
    assert "You are no longer a member of Support tickets." in response.content.decode()
    assert roles(managed) == {"bob@example.com": "owner"}


def test_the_only_admin_is_not_offered_to_go(browser: Client, managed: Project) -> None:
    page = Page(browser.get("/projects/support/leave/"))

    assert "only owner, and it needs one" in page.text
    assert "Leave the project" not in page.texts("button")
    assert page.links["Transfer the project…"] == "/projects/support/transfer/"


@pytest.mark.parametrize(
    "membership", ["", "0", "x", "999999999", "-1", "²", "1\0", "9" * 30, "9" * 5000]
)
def test_a_membership_that_is_not_here_is_not_found(
    browser: Client, managed: Project, membership: str
) -> None:
    assert browser.post(URL, {"action": "role", "membership": membership}).status_code == 404


@pytest.mark.parametrize("membership", ["0", "999999999", "9" * 30, "9" * 5000])
def test_who_is_not_in_the_project_cannot_be_taken_out(
    browser: Client, managed: Project, membership: str
) -> None:
    assert browser.post(f"{URL}{membership}/remove/").status_code == 404


def test_people_of_another_project_cannot_be_reached_through_ones_own(
    browser: Client, managed: Project
) -> None:
    other = make_project(make_user())

    pk = other.memberships.get().pk

    assert browser.post(f"{URL}{pk}/remove/").status_code == 404
    change = {"action": "role", "role": VIEWER, "membership": pk}
    assert browser.post(URL, change).status_code == 404
    assert set(roles(other).values()) == {EDITOR}


def test_a_project_says_what_it_spent_this_month(
    browser: Client, project: Project, user: User
) -> None:
    finish(make_batch(project, user))
    finish(make_batch(make_project(user), user))
    make_batch(project, user)

    stats = page_of(browser, "/projects/support/").texts(".stat")

    assert "Spent this month $0.0006" in stats
    assert "Batches finished1 3 requests" in stats
    assert "Under way13 requests" in stats


def test_a_batch_that_needs_attention_comes_before_newer_ones(
    browser: Client, project: Project, user: User
) -> None:
    stuck, *newer = [make_batch(project, user, name=f"Batch {number}") for number in range(7)]
    set_state(stuck, parked_reason=ProviderBatch.Parked.NEEDS_ATTENTION)

    names = page_of(browser, "/projects/support/").texts(".card.flush .lead")

    assert names[:5] == ["Batch 0", *(batch.name for batch in newer[:-5:-1])]


def test_projects_are_listed_by_their_last_run_with_the_cost_of_each_day(
    browser: Client, project: Project, user: User
) -> None:
    never, earlier = make_project(user, name="A new one"), make_project(user, name="Earlier")
    make_batch(earlier, user)
    finish(make_batch(project, user))

    rows = page_of(browser, "/projects/").all("tbody tr")

    assert [row.one(".lead").text for row in rows] == [str(project), "Earlier", str(never)]
    assert [len(row.all(".sparkline")) for row in rows] == [1, 0, 0]
    assert rows[0].one(".sparkline")["aria-label"] == "Cost per day, the last 30 days: $0.0006"


def test_a_sandbox_is_called_one_on_every_page_of_its_project(
    browser: Client, project: Project, user: User
) -> None:
    Connection.objects.filter(pk=project.connection_id).update(is_sandbox=True)
    batch = finish(make_batch(project, user))

    for url in (
        "/projects/support/",
        "/projects/support/files/",
        "/projects/support/batches/",
        batch.get_absolute_url(),
        f"/batches/{batch.pk}/results/",
        f"/batches/{batch.pk}/results/1/",
        batch.upload.get_absolute_url(),
    ):
        assert "Sandbox: answers are made up, nothing is paid" in browser.get(url).content.decode()
    assert "Sandbox" in browser.get("/").content.decode()
