"""Owners set, change and remove budgets, and the audit keeps what they were."""

from decimal import Decimal

import pytest
from pytest_django import DjangoAssertNumQueries

from batchapp import access
from batchapp.domain.money.budgets import ReservePolicy
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import AuditEvent, AuditKind, Budget, Notice, NoticeKind, Project, User
from batchapp.services.budgets import budget_use, budgets
from batchapp.services.budgets.budgets import BudgetSettings
from tests.make import (
    MODEL,
    OWNER,
    VIEWER,
    finish,
    join,
    make_batch,
    make_budget,
    make_key,
    make_portal_key,
    make_project,
    make_upload,
    make_user,
    writer_in,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]
TEN = BudgetSettings(Decimal(10), Budget.Over.STOP, (50, 80, 100))


@pytest.fixture
def team() -> Project:
    return make_project(name="Support")


@pytest.fixture
def owner(team: Project) -> User:
    return join(make_user("olga@example.com"), team, OWNER)


def events() -> list[tuple[str, object, object]]:
    rows = AuditEvent.objects.order_by("pk")
    return [(row.kind, row.data.get("before"), row.data.get("after")) for row in rows]


def test_the_audit_keeps_each_change_with_what_was_before(team: Project, owner: User) -> None:
    budget = budgets.set_budget(team, owner, None, TEN, address="192.0.2.1")
    more = BudgetSettings(Decimal(20), Budget.Over.TELL, (100,))
    assert budgets.change_budget(budget, owner, more)
    assert not budgets.change_budget(budget, owner, more)
    budget.refresh_from_db()
    assert budgets.remove_budget(budget, owner)
    assert not budgets.remove_budget(budget, owner)

    ten = {"amount": "10", "when_over": "stop", "alert_levels": [50, 80, 100]}
    twenty = {"amount": "20", "when_over": "tell", "alert_levels": [100]}
    first = AuditEvent.objects.earliest("pk")
    assert (first.actor, first.project, first.address) == (owner, team, "192.0.2.1")
    assert [(kind, before, after and after["amount"]) for kind, before, after in events()] == [
        (AuditKind.BUDGET_SET, None, "10"),
        (AuditKind.BUDGET_CHANGED, ten, "20"),
        (AuditKind.BUDGET_REMOVED, twenty, None),
    ]


def test_a_second_budget_of_the_same_part_is_refused(team: Project, owner: User) -> None:
    key = make_portal_key(owner, team).key
    for subject in (None, owner, key, MODEL):
        budgets.set_budget(team, owner, subject, TEN)
        with pytest.raises(Refused) as refused:
            budgets.set_budget(team, owner, subject, TEN)
        assert refused.value.code == Refusal.BUDGET_EXISTS

    names = team.budgets.in_order().values_list("name", flat=True)
    assert [*names] == ["", MODEL, "olga@example.com", key.name]


def test_a_budget_counts_what_was_spent_before_it_was_set_and_tells_at_once(
    team: Project, owner: User
) -> None:
    batch = finish(make_batch(team))
    assert batch.actual_cost_usd

    small = BudgetSettings(batch.actual_cost_usd, Budget.Over.STOP, (100,))
    budgets.set_budget(team, owner, None, small)

    (use,) = budget_use.budgets_of(team, owner)
    assert (use.limit.use.spent, use.limit.free) == (batch.actual_cost_usd, 0)
    notice = Notice.objects.get(kind=NoticeKind.BUDGET_THRESHOLD)
    assert notice.data["level"] == 100


def test_what_orders_reserve_from_now_on_is_in_the_audit(team: Project, owner: User) -> None:
    assert budgets.set_reserve_policy(team, owner, ReservePolicy(by_most=True, percent=150))
    assert not budgets.set_reserve_policy(team, owner, ReservePolicy(by_most=True, percent=150))

    assert events() == [
        (
            AuditKind.RESERVE_POLICY_CHANGED,
            {"by_most": False, "percent": 120},
            {"by_most": True, "percent": 150},
        )
    ]


def test_members_see_the_budgets_of_the_project_and_their_own(team: Project, owner: User) -> None:
    ada, viewer = writer_in(team), join(make_user(), team, VIEWER)
    key = make_portal_key(ada, team).key
    for subject in ("", MODEL, ada, owner, key):
        make_budget(team, 10, subject)

    def seen(person: User) -> list[str]:
        return [use.budget.kind for use in budget_use.budgets_of(team, person)]

    assert seen(viewer) == ["project", "model"]
    assert seen(ada) == ["project", "model", "person", "portal_key"]
    assert seen(owner) == ["project", "model", "person", "person", "portal_key"]


def test_an_order_is_compared_before_it_is_placed(team: Project, owner: User) -> None:
    upload, key, ada = make_upload(team), make_key(team), writer_in(team)
    batch = make_batch(team, ada, upload=upload, key=key)
    costs = list(batch.model_costs.all())
    reserved = batch.reservations.get().reserved_usd
    assert reserved
    assert budget_use.room_for(team, ada, costs) is None
    make_budget(team, reserved * 3)
    make_budget(team, reserved, owner)
    mine = make_budget(team, reserved * 2, ada)

    room = budget_use.room_for(team, ada, costs)

    assert room
    assert [(row.budget.kind, row.left) for row in room.budgets] == [
        ("project", reserved),
        ("person", 0),
    ]
    assert room.refusal is None
    Budget.objects.filter(pk=mine.pk).update(amount_usd=reserved)
    room = budget_use.room_for(team, ada, costs)
    assert room
    assert room.refusal
    assert (room.refusal.code, room.budgets[1].has_room) == (Refusal.OVER_BUDGET, False)


def test_the_budgets_of_many_projects_take_two_queries(
    owner: User, team: Project, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    other = make_project(owner)
    make_budget(team, 10)
    make_budget(other, 5)
    make_batch(team)

    access.keep_memberships(owner)
    with django_assert_num_queries(3):  # the memberships, the budgets, the sums
        limits = budget_use.month_uses([team, other, Project(name="Of others")], owner)

    assert {limit.amount for limit in limits.values()} == {Decimal(10), Decimal(5)}
    assert limits[team.pk].use.reserved > 0
