"""Who is deactivated is out at once, and nobody deactivates the last administrator."""

import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client

from batchapp import access
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, Batch, Event, User
from batchapp.services.lifecycle import controls
from batchapp.services.people import deactivate
from tests.make import (
    OWNER,
    finish,
    join,
    make_administrator,
    make_batch,
    make_key,
    make_project,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def administrator() -> User:
    return make_administrator("ada@example.com")


def own_batch(person: User, **fields: object) -> Batch:
    project = make_project(person, role=OWNER)
    return make_batch(project, person, key=make_key(person, project.connection), **fields)


def test_all_sessions_end_at_once_and_do_not_come_back(administrator: User) -> None:
    bob, eve = make_user("bob@example.com"), make_user("eve@example.com")
    browsers = [Client(), Client(), Client()]
    for browser, person in zip(browsers, [bob, bob, eve], strict=True):
        browser.force_login(person)

    assert deactivate.deactivate(bob, administrator)
    assert not deactivate.deactivate(bob, administrator)

    assert [browser.get("/").status_code for browser in browsers] == [302, 302, 200]
    assert deactivate.activate(bob, administrator)
    assert not deactivate.activate(bob, administrator)
    assert [browser.get("/").status_code for browser in browsers] == [302, 302, 200]
    kinds = AuditEvent.objects.filter(data__person=bob.email).order_by("pk")
    assert list(kinds.values_list("kind", flat=True)) == ["person_deactivated", "person_activated"]


def test_own_keys_pay_for_nothing_until_the_account_is_active_again(administrator: User) -> None:
    bob = make_user()
    batch = own_batch(bob)

    deactivate.deactivate(bob, administrator)
    assert not access.may_be_spent(batch.key, batch.project)

    deactivate.activate(bob, administrator)
    assert access.may_be_spent(batch.key, batch.project)


def test_nobody_deactivates_the_own_account_or_the_last_administrator(
    administrator: User,
) -> None:
    second = make_administrator()

    with pytest.raises(Refused) as own:
        deactivate.deactivate(administrator, administrator)
    assert deactivate.deactivate(second, administrator)

    assert own.value.code == Refusal.OWN_ACCOUNT
    administrator.refresh_from_db()
    assert administrator.is_active


@pytest.mark.django_db(transaction=True)
def test_two_administrators_do_not_deactivate_each_other_at_once(administrator: User) -> None:
    second = make_administrator()
    start = threading.Barrier(2)

    def run(people: tuple[User, User]) -> bool:
        start.wait(60)
        try:
            return deactivate.deactivate(*people)
        except (Refused, access.NotAllowed):
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as threads:
        pairs = [(administrator, second), (second, User.objects.get(pk=administrator.pk))]
        done = list(threads.map(run, pairs))

    assert sorted(done) == [False, True]
    assert User.objects.filter(is_superuser=True, is_active=True).count() == 1


def test_it_is_said_what_runs_on_own_keys_and_which_projects_lose_their_owner(
    administrator: User,
) -> None:
    bob = make_user()
    known = own_batch(bob, estimated_cost_usd=Decimal("1.25"))
    own_batch(bob, estimated_cost_usd=None)
    finish(own_batch(bob, estimated_cost_usd=Decimal(7)))
    sandbox = own_batch(bob, estimated_cost_usd=Decimal(9))
    type(sandbox.connection).objects.filter(pk=sandbox.connection_id).update(is_sandbox=True)
    make_batch(known.project, bob, estimated_cost_usd=Decimal(5))  # on the key of the project
    shared = make_project(bob, role=OWNER, name="Shared")
    join(make_user(), shared, OWNER)

    found = deactivate.consequences_of(bob, administrator)

    assert (found.batches, found.estimated_usd, found.unpriced) == (3, Decimal("1.25"), 1)
    assert len(found.ownerless) == 4
    assert shared not in found.ownerless


def test_only_the_batches_that_the_person_pays_are_cancelled(administrator: User) -> None:
    bob = make_user()
    paid = [own_batch(bob) for _ in range(2)]
    other = make_batch(paid[0].project, bob)
    over = finish(own_batch(bob))

    assert controls.cancel_batches_paid_by(bob, administrator) == (2, 0)
    assert controls.cancel_batches_paid_by(bob, administrator) == (0, 0)

    cancelled = Batch.objects.filter(cancel_requested_at__isnull=False)
    assert {batch.pk for batch in cancelled} == {batch.pk for batch in paid}
    assert over.status == Batch.objects.get(pk=over.pk).status
    assert Batch.objects.get(pk=other.pk).cancel_requested_at is None
    event = Event.objects.get(batch=paid[0], kind="cancel_requested")
    assert event.actor == administrator
