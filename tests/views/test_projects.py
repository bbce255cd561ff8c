"""Projects and the people in them."""

import pytest
from django.test import Client

from batchapp.forms.projects import ProjectForm
from batchapp.models import Connection, Membership, Project, User
from tests.make import ADMIN, MEMBER, VIEWER, finish, join, make_batch, make_project, make_user

pytestmark = pytest.mark.django_db
URL = "/projects/support/members/"


@pytest.fixture
def managed(user: User, project: Project) -> Project:
    """The project, ``user`` being its only admin."""
    project.memberships.update(role=ADMIN)
    return project


def roles(project: Project) -> dict[str, str]:
    return dict(project.memberships.values_list("user__email", "role"))


def test_who_founds_a_project_is_its_admin(page: Client, user: User) -> None:
    connection = Connection.objects.get(name="Doubleword")

    response = page.post("/projects/new/", {"name": "Été 2026!", "connection": connection.pk})

    project = Project.objects.get()
    assert response["Location"] == "/projects/ete-2026/"
    assert (project.name, project.connection) == ("Été 2026!", connection)
    assert roles(project) == {"ada@example.com": "admin"}


@pytest.mark.parametrize("name", ["New", "Support tickets", "日本", "support"])
def test_every_project_has_an_address_of_its_own(
    page: Client, project: Project, name: str
) -> None:
    make_project(slug="support-tickets")

    response = page.post(
        "/projects/new/", {"name": name, "connection": project.connection.pk}, follow=True
    )

    assert response.status_code == 200
    assert Project.objects.filter(name=name).exists()
    assert response.request["PATH_INFO"] not in {
        "/projects/new/",
        "/projects/support/",
        "/projects/support-tickets/",
    }


def test_two_that_are_founded_at_the_same_instant_do_not_crash(
    page: Client, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        ProjectForm,
        "make",
        lambda form: Project(
            name="Support", slug=project.slug, connection=form.cleaned_data["connection"]
        ),
    )

    response = page.post(
        "/projects/new/", {"name": "Support", "connection": project.connection.pk}, follow=True
    )

    assert "this very instant" in response.content.decode()
    assert Project.objects.count() == 1


def test_a_project_needs_a_name(page: Client) -> None:
    assert (
        "Give the project a name." in page.post("/projects/new/", {"name": " "}).content.decode()
    )


def test_an_admin_adds_people_by_address(page: Client, managed: Project) -> None:
    make_user("bob@example.com")

    page.post(URL, {"action": "add", "email": "Bob@example.com", "role": VIEWER})

    assert roles(managed) == {"ada@example.com": "admin", "bob@example.com": "viewer"}


@pytest.mark.parametrize(
    ("email", "sentence"),
    [
        ("nobody@example.com", "Nobody with this address has an account."),
        ("ada@example.com", "is in the project already"),
        ("no address", "Enter a valid email address."),
    ],
)
def test_who_cannot_be_added_is_said(
    page: Client, managed: Project, email: str, sentence: str
) -> None:
    html = page.post(URL, {"action": "add", "email": email, "role": MEMBER}).content.decode()

    assert sentence in html
    assert managed.memberships.count() == 1


def test_an_admin_changes_roles_and_takes_people_out(page: Client, managed: Project) -> None:
    join(make_user("bob@example.com"), managed)
    bob = Membership.objects.get(user__email="bob@example.com")

    page.post(URL, {"action": "role", "membership": bob.pk, "role": ADMIN})
    assert roles(managed)["bob@example.com"] == "admin"

    page.post(URL, {"action": "remove", "membership": bob.pk})
    assert roles(managed) == {"ada@example.com": "admin"}


@pytest.mark.parametrize("change", [{"action": "remove"}, {"action": "role", "role": VIEWER}])
def test_a_project_keeps_an_admin(page: Client, managed: Project, change: dict[str, str]) -> None:
    mine = managed.memberships.get()

    response = page.post(URL, {**change, "membership": mine.pk}, follow=True)

    assert "A project needs an admin." in response.content.decode()
    assert roles(managed) == {"ada@example.com": "admin"}


@pytest.mark.parametrize(
    "membership", ["", "0", "x", "999999999", "-1", "²", "1\0", "9" * 30, "9" * 5000]
)
def test_a_membership_that_is_not_here_is_not_found(
    page: Client, managed: Project, membership: str
) -> None:
    assert page.post(URL, {"action": "remove", "membership": membership}).status_code == 404


def test_people_of_another_project_cannot_be_reached_through_ones_own(
    page: Client, managed: Project
) -> None:
    other = make_project(make_user())

    response = page.post(URL, {"action": "remove", "membership": other.memberships.get().pk})

    assert response.status_code == 404
    assert other.memberships.count() == 1


def test_a_project_says_what_it_spent_this_month(
    page: Client, project: Project, user: User
) -> None:
    finish(make_batch(project, user))
    finish(make_batch(make_project(user), user))

    html = page.get("/projects/support/").content.decode()

    assert '<b>$0.0006</b><span class="muted">spent this month' in html
    assert '<b>1</b><span class="muted">finished this month' in html


def test_a_sandbox_is_called_one_on_every_page_of_its_project(
    page: Client, project: Project, user: User
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
        assert "Sandbox: answers are made up, nothing is paid." in page.get(url).content.decode()
    assert "Sandbox" in page.get("/").content.decode()
