"""The pages of portal keys: made, shown once, rotated, revoked."""

import json
import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from batchapp.models import PortalKey, PortalKeySecret, Project, User
from batchapp.services.people import accounts
from batchapp.services.portal_keys import portal_keys
from batchapp.services.portal_keys.authenticate import authenticate
from tests.fixtures import Clock
from tests.html import Page, page_of
from tests.make import (
    MODEL,
    OWNER,
    PASSWORD,
    VIEWER,
    join,
    make_administrator,
    make_portal_key,
    make_project,
    make_service_key,
    make_user,
)

pytestmark = pytest.mark.django_db

NEW = "/projects/support/portal-keys/new/"
LIST = "/projects/support/portal-keys/"
OWN = "/profile/portal-keys/"
QUERIES_OF_REVOKED = 7  # however many keys there are
SECRET = re.compile(r"ba_[A-Za-z0-9]{43}")


def make(browser: Client, **fields: object) -> Page:
    data = {"name": "Nightly", "scope": "read", "expiry": "90"} | fields
    return Page(browser.post(NEW, data))


def secret_in(page: Page) -> str:
    return page.one("#secret pre").text


def test_a_person_with_an_unproven_address_is_told_to_confirm_it_first(
    browser: Client, user: User, project: Project
) -> None:
    EmailAddress.objects.filter(user=user).update(verified=False)

    page = page_of(browser, NEW)

    assert "First confirm your e-mail address" in page.text
    assert not page.all("#id_name")
    again = page.one("main .row .main")["href"]
    make(browser)
    assert not PortalKey.objects.exists()
    browser.post("/sign-in/again/", {"password": PASSWORD})
    page = page_of(browser, again)
    assert f"A link was sent to {user.email}" in page.text
    assert "Keep the old address" not in page.text
    browser.post(again, {"email": user.email, "action_send": ""})
    assert mail.outbox[-1].to == [user.email]


def test_a_new_key_is_shown_once_and_stored_as_a_digest(
    browser: Client, user: User, project: Project, settings: LazySettings
) -> None:
    settings.PUBLIC_URL = "https://portal.example.com"

    response = browser.post(NEW, {"name": "Nightly", "scope": "read", "expiry": "90"})

    secret = secret_in(Page(response))
    key = user.portal_keys.get()
    assert SECRET.fullmatch(secret)
    assert authenticate(secret, "") == user
    assert "no-store" in response["Cache-Control"]
    examples = Page(response).texts("#quickstart pre")
    assert len(examples) == 2
    assert secret in examples[0]
    assert "https://portal.example.com/v1/models" in examples[0]
    assert "https://portal.example.com/batches/" in examples[1]
    assert "$BATCHAPP_KEY" in examples[1]
    assert secret not in examples[1]
    assert "Read: list models" in Page(response).text
    assert secret not in str([*PortalKey.objects.values(), *PortalKeySecret.objects.values()])
    for url in (OWN, LIST, NEW, f"/portal-keys/{key.pk}/rotate/", "/profile/", "/"):
        html = browser.get(url).content.decode()
        assert secret[:10] not in html
    assert f"{secret[:9]}…" in page_of(browser, OWN).text
    assert secret not in str(dict(browser.session))


def test_a_new_key_that_submits_has_an_example_of_a_batch_for_a_model_it_may_use(
    browser: Client, project: Project
) -> None:
    page = make(browser, scope="submit", models=[MODEL])

    _models, send, order = page.texts("#quickstart pre")
    (request,) = re.findall(r"\{.+\}", send)
    (ordered,) = re.findall(r"-d '(.+)'", order)
    assert json.loads(request)["body"]["model"] == MODEL
    assert json.loads(ordered)["completion_window"] in project.connection.windows
    assert json.loads(ordered)["endpoint"] == json.loads(request)["url"]
    assert "Read and submit: also run and cancel batches" in page.text


def test_revoked_keys_are_listed_with_who_revoked_them_and_when(
    browser: Client,
    user: User,
    project: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    olga = join(make_user("olga@example.com", first_name="Olga"), project, OWNER)
    make_portal_key(user, project, name="Nightly")
    old = make_portal_key(user, project, name="Laptop").key
    server = make_service_key(project, olga, name="Server").key
    portal_keys.revoke([old, server], olga)

    own = page_of(browser, OWN, state="revoked")
    theirs = page_of(browser, LIST, state="revoked")
    browser.force_login(olga)
    with django_assert_num_queries(QUERIES_OF_REVOKED):
        all_keys = page_of(browser, LIST, state="revoked")

    for page in (own, theirs):
        (row,) = page.texts("#revoked-keys tbody tr")
        assert "Laptop" in row
        assert "by Olga" in row
        assert "Server" not in page.text
        assert "Nightly" not in page.one("#revoked-keys").text
    assert len(all_keys.all("#revoked-keys tbody tr")) == 2
    assert "Laptop" not in page_of(browser, LIST).one("main").text


def test_revoked_keys_are_paged(browser: Client, user: User, project: Project) -> None:
    keys = [
        PortalKey(
            user=user, project=project, name=f"Key {n}", scope="read", revoked_at=timezone.now()
        )
        for n in range(51)
    ]
    PortalKey.objects.bulk_create(keys)

    assert len(page_of(browser, OWN, state="revoked").all("tbody tr")) == 50
    (last,) = page_of(browser, OWN, state="revoked", page=2).texts("tbody tr")
    assert "by somebody whose account was deleted" in last


def test_what_was_chosen_is_kept(browser: Client, user: User, project: Project) -> None:
    make(browser, scope="submit", models=[MODEL], expiry="30")

    key = user.portal_keys.get()
    assert (key.name, key.scope, key.model_names) == ("Nightly", "submit", [MODEL])
    assert key.expires_at is not None
    assert 29 < (key.expires_at - timezone.now()).total_seconds() / 86400 <= 30
    assert "Submits, 1 model only" in page_of(browser, OWN).text


def test_a_key_may_last_for_ever_or_to_the_end_of_a_day(
    browser: Client, user: User, project: Project
) -> None:
    today = timezone.localdate()
    make(browser, name="a", expiry="never")
    make(browser, name="b", expiry="date", day=today.isoformat())

    assert user.portal_keys.get(name="a").expires_at is None
    end = user.portal_keys.get(name="b").expires_at
    assert end is not None
    assert timezone.localtime(end - timedelta(seconds=1)).date() == today
    assert "never expires" in page_of(browser, OWN).text
    assert "Expires in 1 day" in page_of(browser, OWN).text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "Name the script or the machine"),
        ({"name": 101 * "x"}, "at most 100 characters"),
        ({"scope": ""}, "Choose what the key may do."),
        ({"scope": "manage"}, "is not one of the available choices"),
        ({"models": ["no-such-model"]}, "is not one of the available choices"),
        ({"expiry": "date"}, "Choose the last day of the key."),
        ({"expiry": "date", "day": "2020-01-01"}, "Choose a day from today on"),
        ({"expiry": "date", "day": "9999-12-31"}, "Choose a day from today on"),
        ({"expiry": "date", "day": "soon"}, "Enter a valid date."),
        ({"expiry": "10000"}, "is not one of the available choices"),
    ],
)
def test_a_form_that_cannot_be_met_says_why(
    browser: Client, user: User, project: Project, fields: dict[str, object], sentence: str
) -> None:
    assert sentence in make(browser, **fields).text
    assert not user.portal_keys.exists()


def test_a_name_is_given_once(browser: Client, user: User, project: Project) -> None:
    make(browser)

    again = make(browser)

    assert "Another portal key in this project is called “Nightly”." in again.text
    assert user.portal_keys.count() == 1


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        (VIEWER, ["read"]),
        ("editor", ["read", "submit"]),
        (OWNER, ["read", "submit", "manage"]),
    ],
)
def test_a_person_can_choose_no_more_than_the_own_role(
    browser: Client, project: Project, role: str, scopes: list[str]
) -> None:
    project.memberships.update(role=role)

    page = page_of(browser, NEW)

    assert [option["value"] for option in page.all("[name=scope]")] == scopes
    assert page.one("[name=scope][checked]")["value"] == scopes[:2][-1]
    assert bool(page.all("[name=owner]")) is (role == OWNER)


def test_further_fields_of_a_form_change_nothing(
    browser: Client, user: User, project: Project
) -> None:
    other = join(make_user(), project)
    theirs = make_project(other)

    make(
        browser,
        owner="project",
        user=other.pk,
        project=theirs.pk,
        id="x",
        expires_at="",
        digest="x",
    )

    key = PortalKey.objects.get()
    assert (key.user, key.project) == (user, project)
    assert key.expires_at is not None


def test_rotating_shows_a_new_secret_and_the_list_both_states(
    browser: Client, user: User, project: Project, clock: Clock
) -> None:
    made = make_portal_key(user, project)
    authenticate(made.secret, "192.0.2.7")
    url = f"/portal-keys/{made.key.pk}/rotate/"
    form = page_of(browser, url).one("main form").values

    response = browser.post(url, {"current": form["current"], "hours": "24"})

    secret = secret_in(Page(response))
    assert "no-store" in response["Cache-Control"]
    assert secret != made.secret
    assert authenticate(secret, "") == authenticate(made.secret, "") == user
    listed = page_of(browser, OWN).text
    assert f"the old secret {made.secret[:9]}… works until" in listed
    assert "from 192.0.2.7" in listed
    again = browser.post(url, {"current": form["current"], "hours": "24"}, follow=True)
    assert "The key was rotated or revoked meanwhile" in again.content.decode()
    clock.advance(hours=25)
    assert authenticate(made.secret, "") is None
    assert "the old secret" not in page_of(browser, OWN).text


def test_revoking_asks_first_and_takes_several_at_once(
    browser: Client, user: User, project: Project
) -> None:
    keys = [make_portal_key(user, project) for _ in range(3)]
    chosen = [str(made.key.pk) for made in keys[:2]]

    page = Page(browser.get("/portal-keys/revoke/", {"key": chosen}))
    assert "Revoke 2 portal keys?" in page.text
    assert user.portal_keys.kept().count() == 3
    response = browser.post("/portal-keys/revoke/", {"key": chosen}, follow=True)

    assert "2 portal keys revoked." in response.content.decode()
    assert [authenticate(made.secret, "") is not None for made in keys] == [False, False, True]
    assert browser.get("/portal-keys/revoke/", {"key": chosen}).status_code == 404


def test_nobody_revokes_a_key_of_a_colleague_or_of_strangers(
    browser: Client, user: User, project: Project
) -> None:
    own = make_portal_key(user, project)
    colleague = make_portal_key(join(make_user(), project), project)
    stranger = make_user()
    foreign = make_portal_key(stranger, make_project(stranger))

    for made, status in [(colleague, 403), (foreign, 404)]:
        data = {"key": [str(own.key.pk), str(made.key.pk)]}
        assert browser.get("/portal-keys/revoke/", data).status_code == status
        assert browser.post("/portal-keys/revoke/", data).status_code == status
        assert browser.get(f"/portal-keys/{made.key.pk}/rotate/").status_code == status
    assert PortalKey.objects.kept().count() == 3
    for data in ({}, {"key": "x"}, {"key": ""}, {"key": ["x"] * 500}):
        assert browser.post("/portal-keys/revoke/", data).status_code == 404


def test_an_owner_sees_and_revokes_all_keys_of_the_project(
    browser: Client, project: Project
) -> None:
    colleague = join(make_user("grace@example.com"), project)
    theirs = make_portal_key(colleague, project, name="Their script")
    service = make_service_key(project, name="The server")

    seen_by_editor = page_of(browser, LIST).text
    project.memberships.filter(user__email="ada@example.com").update(role=OWNER)
    seen = page_of(browser, LIST)

    assert "Their script" not in seen_by_editor
    assert "The server" not in seen_by_editor
    assert "Their script" in seen.one("#portal-keys").text
    assert "Rotate" not in seen.one("#portal-keys").text
    assert "Rotate" in seen.one("#service-keys").text
    assert browser.get(f"/portal-keys/{theirs.key.pk}/rotate/").status_code == 403
    assert "grace@example.com" in seen.one("#portal-keys").text
    assert "The server" in seen.one("#service-keys").text
    browser.post("/portal-keys/revoke/", {"key": [str(theirs.key.pk), str(service.key.pk)]})
    assert PortalKey.objects.kept().count() == 0


def test_an_owner_makes_a_service_key(browser: Client, user: User, project: Project) -> None:
    project.memberships.update(role=OWNER)

    refused = make(browser, owner="project", scope="manage")
    made = make(browser, owner="project", scope="submit")

    assert "A service key reads and submits." in refused.text
    acting = authenticate(secret_in(made), "")
    assert acting is not None
    assert acting.is_service_account
    assert acting != user
    assert "The server" not in page_of(browser, OWN).text


def test_the_service_account_is_no_member_to_be_seen(browser: Client, project: Project) -> None:
    make_service_key(project)
    people = project.memberships.of_people().count()

    assert "batchapp.invalid" not in page_of(browser, "/projects/support/members/").text
    assert f"{people} members" in page_of(browser, "/projects/support/members/").text
    row = page_of(browser, "/projects/").one("tbody tr")
    assert row.texts("td")[3] == str(people)
    browser.force_login(make_administrator())
    assert "batchapp.invalid" not in page_of(browser, "/administration/people/").text


def test_a_key_says_what_is_wrong_with_it(browser: Client, user: User, project: Project) -> None:
    now = timezone.now()
    make_portal_key(user, project, name="old", expires_at=now - timedelta(days=1))
    make_portal_key(user, project, name="soon", expires_at=now + timedelta(days=5))

    states = page_of(browser, OWN).texts("tbody .pill")

    assert states == ["Expires in 5 days", "Expired"]


def test_a_list_without_keys_says_what_they_are_for(browser: Client, project: Project) -> None:
    page = page_of(browser, OWN)

    assert "You have no portal key yet" in page.text
    assert page.links["New portal key"] == NEW
    project.memberships.all().delete()
    assert "you are in none" in page_of(browser, OWN).text


def test_a_list_takes_as_many_queries_for_many_keys(
    browser: Client,
    user: User,
    project: Project,
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(8):
        make_portal_key(user, project)

    with django_assert_num_queries(6):  # session, person, memberships, keys, secrets, unread
        browser.get(OWN)


def test_nobody_signs_in_as_a_service_account_even_with_a_password(
    client: Client, project: Project
) -> None:
    account = make_service_key(project).key.user
    account.set_password(PASSWORD)
    account.save()
    accounts.verify_address(account)

    client.post("/sign-in/", {"username": account.email, "password": PASSWORD})

    assert "_auth_user_id" not in client.session
    User.objects.filter(pk=account.pk).update(is_service_account=False)
    client.post("/sign-in/", {"username": account.email, "password": PASSWORD})
    assert "_auth_user_id" in client.session
