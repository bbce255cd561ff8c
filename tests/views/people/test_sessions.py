"""The browsers in which a person is signed in, on the profile page."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.core import mail
from django.test import Client

from batchapp.models import User
from batchapp.presenters.session_text import browser_name
from batchapp.services.people import invitations
from tests.fixtures import Clock
from tests.html import page_of
from tests.mail import link_in
from tests.make import EDITOR, OWNER, PASSWORD, make_project, make_user

pytestmark = pytest.mark.django_db

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36"
)
EDGE = f"{CHROME} Edg/142.0.0.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.0 Mobile/15E148 Safari/604.1"
)


def signed_in(user: User, user_agent: str) -> Client:
    client = Client(headers={"User-Agent": user_agent})
    client.post("/sign-in/", {"username": user.email, "password": PASSWORD})
    return client


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (EDGE, "Edge on Windows"),
        (SAFARI, "Safari on iPhone"),
        ("curl/8.0", "Another program"),
        ("", "Another program"),
    ],
)
def test_a_browser_is_named(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


def test_one_session_or_all_others_end(user: User) -> None:
    laptop, phone, tablet = (signed_in(user, agent) for agent in (FIREFOX, SAFARI, CHROME))
    eve = signed_in(make_user("eve@example.com"), FIREFOX)
    card = page_of(laptop, "/profile/").one("#sessions")
    names = card.texts("li .strong")
    assert names[0] == "Firefox on Linux"
    assert sorted(names[1:]) == ["Chrome on Windows", "Safari on iPhone"]
    assert "127.0.0.1, this browser" in card.text

    (button,) = [row for row in card.all("li button") if "Safari" in row.text]
    laptop.post("/profile/sessions/end/", {"session": button["value"]})

    assert [each.get("/").status_code for each in (laptop, phone, tablet)] == [200, 302, 200]
    laptop.post("/profile/sessions/end/")
    assert [each.get("/").status_code for each in (laptop, tablet, eve)] == [200, 302, 200]
    assert page_of(laptop, "/profile/").one("#sessions").texts("li .strong") == [names[0]]


@pytest.mark.parametrize("session", ["0", "-1", "x", "9" * 5000, "²"])
def test_a_session_of_nobody_ends_nothing(user: User, session: str) -> None:
    laptop = signed_in(user, FIREFOX)

    assert laptop.post("/profile/sessions/end/", {"session": session}).status_code == 302

    assert laptop.get("/").status_code == 200


def test_a_session_of_another_person_is_not_ended(user: User) -> None:
    laptop, eve = signed_in(user, FIREFOX), signed_in(make_user("eve@example.com"), CHROME)
    mine = UserSession.objects.get(user=user)

    eve.post("/profile/sessions/end/", {"session": mine.pk})

    assert laptop.get("/").status_code == 200


def test_a_browser_is_noted_at_most_every_five_minutes(user: User, clock: Clock) -> None:
    laptop = signed_in(user, FIREFOX)
    row = UserSession.objects.get()
    laptop.get("/guide/")

    clock.advance(minutes=4)
    laptop.get("/projects/")
    assert UserSession.objects.get().last_seen_at == row.last_seen_at

    clock.advance(minutes=2)
    laptop.get("/projects/")
    seen = UserSession.objects.get().last_seen_at
    laptop.get("/projects/")

    assert seen - row.last_seen_at > timedelta(minutes=5)
    assert UserSession.objects.get().last_seen_at == seen


def by_password(browser: Client, user: User) -> None:
    browser.post("/sign-in/", {"username": user.email, "password": PASSWORD})


def by_a_new_password(browser: Client, user: User) -> None:
    browser.post("/password/reset/", {"email": user.email})
    form = browser.get(link_in(mail.outbox[-1]), follow=True)
    new = {"password1": "a much longer secret", "password2": "a much longer secret"}
    browser.post(form.request["PATH_INFO"], new)


def by_an_invitation(browser: Client, user: User) -> None:
    project = make_project(user, role=OWNER)
    _, token = invitations.invite_to_project(project, user, role=EDITOR, email="", days=7)
    form = {"email": "new@example.com", "password1": PASSWORD, "password2": PASSWORD}
    browser.post(f"/invitations/{token}/", form)


@pytest.mark.parametrize("enter", [by_password, by_a_new_password, by_an_invitation])
def test_a_session_that_a_stranger_planted_is_signed_in_by_nobody(
    user: User, enter: Callable[[Client, User], None]
) -> None:
    browser, stranger = Client(), Client()
    session = browser.session  # begun here, as it would be by a page before the sign-in
    session["planted"] = True
    session.save()
    browser.cookies["sessionid"] = stranger.cookies["sessionid"] = str(session.session_key)

    enter(browser, user)

    assert browser.get("/profile/").status_code == 200
    assert stranger.get("/profile/").status_code == 302


def test_a_changed_password_ends_all_other_sessions(user: User) -> None:
    browser, other = Client(), Client()
    by_password(browser, user)
    by_password(other, user)
    new = {"password1": "a much longer secret", "password2": "a much longer secret"}

    browser.post("/profile/password/", {"oldpassword": PASSWORD, **new})

    assert browser.get("/profile/").status_code == 200
    assert other.get("/profile/").status_code == 302
