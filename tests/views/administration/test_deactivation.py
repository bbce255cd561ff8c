"""The page that deactivates a person asks what becomes of the batches that the person pays."""

from decimal import Decimal

import pytest
from django.test import Client

from batchapp.models import Batch, User
from tests.html import Page, page_of
from tests.make import (
    OWNER,
    make_administrator,
    make_batch,
    make_key,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(make_administrator("ada@example.com"))
    return client


@pytest.fixture
def bob() -> User:
    return make_user("bob@example.com", first_name="Bob", last_name="Stone")


def url_of(person: User, verb: str = "deactivate") -> str:
    return f"/administration/people/{person.pk}/{verb}/"


def batch_of(person: User) -> Batch:
    project = make_project(person, role=OWNER, name="Letters")
    key = make_key(person, project.connection)
    return make_batch(project, person, key=key, estimated_cost_usd=Decimal("1.25"))


def test_a_person_without_batches_is_deactivated_and_activated_again(
    desk: Client, bob: User
) -> None:
    page = page_of(desk, url_of(bob))
    assert "No batch under way runs on" in page.text
    assert not page.all("[name=batches]")

    done = Page(desk.post(url_of(bob), follow=True))

    assert "Bob Stone is signed out everywhere and cannot sign in any more." in done.text
    bob.refresh_from_db()
    assert not bob.is_active
    people = page_of(desk, "/administration/people/?state=deactivated")
    (form,) = [row for row in people.all("form") if "Activate again" in row.text]
    desk.post(form["action"])
    bob.refresh_from_db()
    assert bob.is_active


@pytest.mark.parametrize(("choice", "is_cancelled"), [("finish", False), ("cancel", True)])
def test_it_asks_what_becomes_of_running_batches(
    desk: Client, bob: User, choice: str, is_cancelled: bool
) -> None:
    batch = batch_of(bob)
    page = page_of(desk, url_of(bob))
    assert "1 batch under way runs on the" in page.text
    assert "own keys, for about $1.25 in full" in page.text
    assert "No active owner is left in Letters." in page.text
    assert not page.all("[name=batches][checked]")

    refused = Page(desk.post(url_of(bob)))
    assert "Choose what becomes of the batches." in refused.text
    bob.refresh_from_db()
    assert bob.is_active

    desk.post(url_of(bob), {"batches": choice})

    bob.refresh_from_db()
    batch.refresh_from_db()
    assert not bob.is_active
    assert bool(batch.cancel_requested_at) == is_cancelled


def test_nobody_deactivates_the_own_account(desk: Client) -> None:
    ada = User.objects.get(email="ada@example.com")

    assert "This is your own account." in page_of(desk, url_of(ada)).text
    assert "This is your own account." in Page(desk.post(url_of(ada))).text
    ada.refresh_from_db()
    assert ada.is_active


def test_nobody_but_administrators_does_it(browser: Client, bob: User) -> None:
    for verb in ("deactivate", "activate"):
        assert browser.post(url_of(bob, verb)).status_code == 403
    assert browser.get(url_of(bob)).status_code == 403
    bob.refresh_from_db()
    assert bob.is_active
