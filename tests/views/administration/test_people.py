"""All people of the portal, and their roles in it."""

import re

import pytest
from allauth.mfa.models import Authenticator
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from batchapp.models import AuditEvent, AuditKind, User
from tests.html import Page, page_of
from tests.make import PASSWORD, make_administrator, make_auditor, make_project, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PEOPLE = "/administration/people/"


@pytest.fixture
def administrator() -> User:
    return make_administrator("ada@example.com")


@pytest.fixture
def desk(client: Client, administrator: User) -> Client:
    client.force_login(administrator)
    return client


def set_role(desk: Client, person: User, role: str, **more: str) -> Page:
    url = reverse("person_set_role", args=[person.pk])
    page = Page(desk.post(url, {"role": role} | more, follow=True))
    person.refresh_from_db()
    return page


def emails(page: Page) -> list[str]:
    return page.texts("tbody td:nth-child(2)")


def test_the_list_shows_who_may_do_what_and_is_searched(desk: Client) -> None:
    auditor = make_auditor("max@example.com", first_name="Max", last_name="Planck")
    make_user("left@example.com", is_active=False)
    make_project(auditor)
    Authenticator.objects.create(user=auditor, type=Authenticator.Type.TOTP, data={})

    page = page_of(desk, PEOPLE)

    assert emails(page) == ["ada@example.com", "max@example.com"]
    assert page.texts("tbody td:nth-child(3)") == ["Administrator", "Auditor"]
    assert page.texts("tbody td:nth-child(4)") == ["0", "1"]
    assert page.texts("tbody td:nth-child(5)") == ["no", "yes"]
    assert emails(page_of(desk, f"{PEOPLE}?q=planck+max")) == ["max@example.com"]
    assert emails(page_of(desk, f"{PEOPLE}?role=auditor")) == ["max@example.com"]
    assert emails(page_of(desk, f"{PEOPLE}?state=deactivated")) == ["left@example.com"]
    assert "Nobody matches" in page_of(desk, f"{PEOPLE}?q=nobody").text


def test_who_has_not_proven_the_address_is_marked(desk: Client) -> None:
    User.objects.create_user("nina@example.com", PASSWORD, is_verified=False)

    page = page_of(desk, PEOPLE)

    assert page.texts("tbody td:nth-child(3)") == ["Administrator", "Not confirmed"]


def test_the_list_takes_the_same_queries_for_any_number_of_people(
    desk: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for _ in range(5):
        make_project(make_user())

    with django_assert_max_num_queries(6):
        desk.get(PEOPLE)


@pytest.mark.parametrize(
    ("role", "flags"),
    [
        ("administrator", (True, True, False)),
        ("auditor", (False, False, True)),
        ("none", (False, False, False)),
    ],
)
def test_a_role_is_given_and_recorded(
    desk: Client, role: str, flags: tuple[bool, bool, bool]
) -> None:
    person = make_auditor() if role == "none" else make_user()
    before = "auditor" if role == "none" else "none"

    set_role(desk, person, role)

    assert (person.is_superuser, person.is_staff, person.is_auditor) == flags
    event = AuditEvent.objects.get(kind=AuditKind.PORTAL_ROLE_CHANGED)
    assert event.data == {"person": person.email, "before": before, "after": role}
    assert event.address == "127.0.0.1"


def test_the_last_administrator_stays(desk: Client, administrator: User) -> None:
    make_administrator(is_active=False)

    page = set_role(desk, administrator, "none", confirms="on")

    assert administrator.is_superuser
    assert "The portal needs an administrator." in page.text


def test_to_give_up_ones_own_role_must_be_confirmed(desk: Client, administrator: User) -> None:
    make_administrator()

    warned = set_role(desk, administrator, "auditor")
    assert administrator.is_superuser
    assert "only another administrator can give the role back" in warned.text
    set_role(desk, administrator, "auditor", confirms="on")

    assert not administrator.is_superuser
    assert desk.get(PEOPLE).status_code == 403


@pytest.mark.parametrize("role", ["", "superuser", "owner", "\x00"])
def test_other_roles_do_not_exist(desk: Client, role: str) -> None:
    person = make_user()

    set_role(desk, person, role)

    assert not person.is_superuser
    assert not person.is_auditor


def test_without_a_mail_server_that_is_said_of_the_link_for_a_new_password(desk: Client) -> None:
    person = make_user("grace@example.com")

    page = Page(desk.post(reverse("person_send_reset", args=[person.pk]), follow=True))

    assert "the link for grace@example.com waits under E-mail" in page.text


def test_a_link_for_a_new_password_is_sent_and_recorded(
    desk: Client, settings: LazySettings
) -> None:
    settings.EMAIL_SERVER = {"host": "mail.test"}
    person = make_user("grace@example.com")

    page = Page(desk.post(reverse("person_send_reset", args=[person.pk]), follow=True))

    (email,) = mail.outbox
    assert email.to == ["grace@example.com"]
    link = re.search(r"https?://\S+", email.body)
    assert link
    assert "on its way to grace@example.com" in page.text
    assert link[0] not in page.html
    event = AuditEvent.objects.get(kind=AuditKind.PASSWORD_RESET_SENT)
    assert event.data == {"person": "grace@example.com"}


def test_nobody_who_is_deactivated_gets_a_link(desk: Client) -> None:
    person = make_user(is_active=False)

    desk.post(reverse("person_send_reset", args=[person.pk]))

    assert mail.outbox == []


def test_two_administrators_who_demote_each_other_leave_one(desk: Client) -> None:
    other = make_administrator()
    other_desk = Client()
    other_desk.force_login(other)

    set_role(desk, other, "none")
    first = User.objects.get(email="ada@example.com")
    set_role(other_desk, first, "none")

    assert User.objects.filter(is_superuser=True).count() == 1
