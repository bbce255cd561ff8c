"""Owners change their own role only after a question, and everybody may leave."""

import pytest
from django.test import Client
from django.utils import timezone

from batchapp.models import Invitation, Project, User
from tests.html import fragment_of, page_of
from tests.make import EDITOR, OWNER, VIEWER, join, make_user

pytestmark = pytest.mark.django_db
URL = "/projects/support/members/"


@pytest.fixture
def owned(user: User, project: Project) -> Project:
    """The project, with ``user`` and another person as its owners."""
    project.memberships.update(role=OWNER)
    join(make_user("bob@example.com"), project, OWNER)
    return project


def role_of(user: User, project: Project) -> str:
    return project.memberships.get(user=user).role


def test_a_lower_role_of_ones_own_is_a_question_first(
    browser: Client, user: User, owned: Project
) -> None:
    own = owned.memberships.get(user=user)

    response = browser.post(URL, {"action": "role", "membership": own.pk, "role": VIEWER})

    assert response["Location"] == f"{URL}own-role/"
    assert role_of(user, owned) == OWNER
    for page in (page_of(browser, f"{URL}own-role/"), fragment_of(browser, f"{URL}own-role/")):
        assert "Only another owner can make you an owner again." in page.text
        editor, viewer = page.texts(".choice")
        assert "Rename, archive, transfer and delete the project" in editor
        assert "Upload and correct files" not in editor
        assert "Upload and correct files" in viewer


@pytest.mark.parametrize("role", [EDITOR, VIEWER])
def test_an_owner_who_agrees_has_the_lower_role(
    browser: Client, user: User, owned: Project, role: str
) -> None:
    response = browser.post(f"{URL}own-role/", {"role": role}, follow=True)

    assert role_of(user, owned) == role
    assert f"{role} in Support tickets now." in response.content.decode()


@pytest.mark.parametrize("role", [OWNER, "", "king"])
def test_another_role_than_a_lower_one_is_no_choice(
    browser: Client, user: User, owned: Project, role: str
) -> None:
    response = browser.post(f"{URL}own-role/", {"role": role})

    assert "Choose one of the roles." in response.content.decode()
    assert role_of(user, owned) == OWNER


@pytest.mark.parametrize("role", [EDITOR, VIEWER])
def test_an_editor_and_a_viewer_leave_by_their_own_button(
    browser: Client, user: User, project: Project, role: str
) -> None:
    project.memberships.update(role=role)
    assert "Leave the project…" in page_of(browser, URL).links

    assert "Leave Support tickets?" in fragment_of(browser, "/projects/support/leave/").text
    response = browser.post("/projects/support/leave/")

    assert response["Location"] == "/projects/"
    assert not project.memberships.exists()


def test_each_member_has_a_role_a_day_and_a_last_sign_in(
    browser: Client, user: User, owned: Project
) -> None:
    owned.memberships.filter(user=user).update(created_at=None)

    rows = {
        row.one(".lead").text: row.text for row in page_of(browser, URL).all("#members tbody tr")
    }

    assert "ada@example.com (you)" in rows
    assert "Owner \N{EN DASH} signed in" in rows["ada@example.com (you)"]
    assert "never signed in" in rows["bob@example.com"]
    assert "\N{EN DASH}" not in rows["bob@example.com"]


def test_who_invited_a_member_is_said(browser: Client, user: User, owned: Project) -> None:
    cleo = join(make_user("cleo@example.com"), owned)
    Invitation.objects.create(
        project=owned,
        role=EDITOR,
        invited_by=user,
        accepted_by=cleo,
        token_hash="0" * 64,
        days=7,
        expires_at=timezone.now(),
    )

    rows = {
        row.one(".lead").text: row.text for row in page_of(browser, URL).all("#members tbody tr")
    }

    assert "invited by ada@example.com" in rows["cleo@example.com"]
    User.objects.filter(pk=user.pk).update(first_name="Ada")
    assert "invited by Ada" in page_of(browser, URL).one("#members").text
    assert "invited by" not in rows["bob@example.com"]


def test_more_than_ten_members_can_be_searched(browser: Client, owned: Project) -> None:
    assert not page_of(browser, URL).all("input[type=search]")
    for number in range(9):
        join(make_user(f"c{number}@example.com", first_name="Cleo"), owned)

    page = page_of(browser, URL, {"q": "cleo c7"})

    assert page.one("input[type=search]")["value"] == "cleo c7"
    assert page.texts("#members h2") == ["1 of 11 members"]
    assert len(page.all("#members tbody tr")) == 1
    assert "No member matches" in page_of(browser, URL, {"q": "nobody\0"}).text


def test_the_page_shows_what_each_role_may(browser: Client, owned: Project) -> None:
    rows = page_of(browser, URL).all("#roles tbody tr")

    assert [row.texts("td")[1:] for row in rows[:2]] == [
        ["Viewer yes", "Editor yes", "Owner yes"],
        ["\N{EN DASH}no", "Editor yes", "Owner yes"],
    ]
