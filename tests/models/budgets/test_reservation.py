"""What batches reserve and spend of budgets, from the order to the end and after it."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import time_machine
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    Batch,
    Budget,
    EventKind,
    ModelCost,
    Notice,
    NoticeKind,
    Project,
    ProviderBatch,
    Reservation,
)
from batchapp.models.budgets.month import month_of
from batchapp.presenters.refusal_text import refusal_text
from batchapp.services.lifecycle import controls, retry_in_place
from batchapp.services.orders import place_order
from tests.make import (
    MODEL,
    OWNER,
    answer_line,
    error_line,
    finish,
    join,
    make_batch,
    make_budget,
    make_key,
    make_portal_key,
    make_project,
    make_upload,
    make_user,
    request_file,
    set_state,
    writer_in,
)
from tests.provider import Provider
from tests.steps import run_steps

pytestmark = pytest.mark.django_db


def used(project: Project, month: date | None = None) -> tuple[Decimal, Decimal, int]:
    """Return what is spent, reserved and unknown in the month."""
    parts = Reservation.objects.parts(project, month or month_of())
    return (
        sum((part.use.spent for part in parts), Decimal(0)),
        sum((part.use.reserved for part in parts), Decimal(0)),
        sum(part.use.unknown for part in parts),
    )


def reserved_by(batch: Batch) -> Decimal:
    amount = batch.reservations.get().reserved_usd
    assert amount is not None
    return amount


@pytest.fixture
def team() -> Project:
    """A project whose batches of the tests all cost the same."""
    return make_project(name="Support")


@pytest.fixture
def cost(team: Project) -> Decimal:
    """What one batch of the tests reserves."""
    first = make_batch(team)
    amount = reserved_by(first)
    first.delete()
    return amount


def test_an_order_reserves_its_expected_cost_and_a_fifth_more(team: Project) -> None:
    batch = make_batch(team)

    estimate = batch.estimated_cost_usd
    assert estimate
    assert reserved_by(batch) == estimate * Decimal("1.2")
    assert used(team) == (0, reserved_by(batch), 0)
    row = batch.reservations.get()
    assert (row.person, row.portal_key, row.model) == (batch.created_by, None, MODEL)
    assert (row.month, row.is_open) == (month_of(), True)


def test_a_project_may_reserve_the_most_that_a_batch_costs(team: Project) -> None:
    Project.objects.update(reserves_most=True)

    batch = make_batch(team)

    assert reserved_by(batch) == batch.model_costs.get().estimated_ceiling_usd


def test_the_dearer_of_window_and_fallback_window_is_reserved(team: Project) -> None:
    upload, key = make_upload(team), make_key(team)
    connection_ = team.connection
    connection_.prices.filter(window="24h").update(input_usd=7, output_usd=14)

    batch = place_order.place_order(
        team,
        writer_in(team),
        upload,
        key,
        window="1h",
        fallback="24h",
        submission=upload.pk,
    )

    at_first_price = batch.estimated_cost_usd
    assert at_first_price
    assert reserved_by(batch) == at_first_price * Decimal("1.2") * 7 / 2


def test_an_order_that_does_not_fit_is_refused_and_nothing_is_stored(
    team: Project, cost: Decimal
) -> None:
    owner = join(make_user("olga@example.com"), team, OWNER)
    make_budget(team, cost * 2)
    make_batch(team)
    make_batch(team)

    with pytest.raises(Refused) as refused:
        make_batch(team)

    assert refused.value.code == Refusal.OVER_BUDGET
    assert (Batch.objects.count(), used(team)[1]) == (2, cost * 2)
    text = refusal_text(refused.value)
    assert "the budget of Support has $0" in text
    assert str(owner) in text
    assert "The next month begins on 1 " in text


def test_a_batch_without_a_price_is_refused_and_never_counted_as_free(team: Project) -> None:
    team.connection.prices.all().delete()
    budget = make_budget(team, 1_000)

    with pytest.raises(Refused) as refused:
        make_batch(team)

    assert refused.value.code == Refusal.BUDGET_COST_UNKNOWN
    assert f"There is no price for {MODEL}" in refusal_text(refused.value)
    budget.delete()
    make_batch(team)
    assert used(team) == (0, 0, 1)


def test_a_cost_that_nothing_limits_is_refused_where_the_most_is_reserved(team: Project) -> None:
    Project.objects.update(reserves_most=True)
    make_budget(team, 1_000)
    unlimited = request_file().replace(b'"max_tokens": 100, ', b"")

    with pytest.raises(Refused) as refused:
        make_batch(team, upload=make_upload(team, content=unlimited))

    assert refused.value.code == Refusal.BUDGET_COST_UNKNOWN
    assert "Set max_tokens in every request" in refusal_text(refused.value)


def test_a_budget_that_only_tells_stops_nothing_and_tells_once(
    team: Project, cost: Decimal
) -> None:
    make_budget(team, cost * Decimal("1.5"), when_over=Budget.Over.TELL)

    for _ in range(3):
        make_batch(team)

    told = Notice.objects.order_by("created_at").values_list("kind", "data__level")
    assert [*told] == [
        (NoticeKind.BUDGET_THRESHOLD, 50),
        (NoticeKind.BUDGET_EXCEEDED, None),
    ]


def test_a_lower_level_is_not_told_after_a_higher_one_and_a_changed_budget_tells_anew(
    team: Project, cost: Decimal
) -> None:
    def told() -> list[tuple[str, int | None]]:
        notices = Notice.objects.filter(kind__startswith="budget").order_by("created_at")
        return [*notices.values_list("kind", "data__level")]

    make_budget(team, cost)
    finish(make_batch(team))  # reserves all, and costs less than half in the end
    assert told() == [(NoticeKind.BUDGET_THRESHOLD, 100)]

    Reservation.objects.tell(team)
    assert told() == [(NoticeKind.BUDGET_THRESHOLD, 100)]

    spent = Decimal(Batch.objects.get().actual_cost_usd or 0)
    Budget.objects.update(amount_usd=spent * 2)
    Reservation.objects.tell(team)
    assert told()[1:] == [(NoticeKind.BUDGET_THRESHOLD, 50)]


def test_the_budgets_of_a_person_a_model_and_a_portal_key_count_their_own_part(
    team: Project, cost: Decimal
) -> None:
    ada, bob = writer_in(team), writer_in(team)
    portal_key = make_portal_key(bob, team, scope="submit").key
    make_budget(team, cost, ada)
    make_budget(team, cost, portal_key)
    make_budget(team, cost * 4, MODEL)
    upload = make_upload(team)
    make_batch(team, ada, upload=upload)
    make_batch(team, bob, upload=upload)

    with pytest.raises(Refused, match=Budget.Kind.PERSON.value):
        make_batch(team, ada, upload=upload)
    bob.portal_key = portal_key
    by_key = make_batch(team, bob, upload=upload)
    assert by_key.portal_key == portal_key
    assert by_key.reservations.get().portal_key == portal_key
    with pytest.raises(Refused, match=Budget.Kind.PORTAL_KEY.value):
        make_batch(team, bob, upload=upload)
    bob.portal_key = None
    make_batch(team, bob, upload=upload)
    with pytest.raises(Refused, match=Budget.Kind.MODEL.value):
        make_batch(team, bob, upload=upload)


def test_the_end_replaces_what_was_reserved_by_the_cost(team: Project) -> None:
    batch = finish(make_batch(team))

    assert batch.actual_cost_usd
    assert used(team) == (batch.actual_cost_usd, 0, 0)
    assert not batch.reservations.get().is_open


def test_a_cost_above_the_reservation_counts_and_is_told(team: Project, cost: Decimal) -> None:
    make_budget(team, cost)
    batch = make_batch(team)

    finish(batch, [answer_line(n, tokens=(100_000, 50_000)) for n in (1, 2, 3)])

    batch.refresh_from_db()
    assert used(team)[0] == batch.actual_cost_usd == Decimal("0.6")
    assert Notice.objects.filter(kind=NoticeKind.BUDGET_EXCEEDED).count() == 1
    event = batch.events.get(kind=EventKind.ABOVE_RESERVATION)
    assert Decimal(event.data["cost"]) == Decimal("0.6")
    with pytest.raises(Refused):
        make_batch(team)


def test_what_fails_or_is_cancelled_frees_what_was_not_spent(team: Project) -> None:
    failed = make_batch(team)
    finish(failed, [answer_line(1)], [error_line(2), error_line(3)])
    unsent = make_batch(team)
    controls.request_cancel(unsent, unsent.created_by)

    run_steps(unsent.provider_batches.get())

    failed.refresh_from_db()
    assert used(team) == (failed.actual_cost_usd, 0, 0)
    assert unsent.reservations.get().spent_usd == 0


# Month ends


@pytest.mark.parametrize(
    ("time_zone", "at", "month"),
    [
        ("UTC", datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), date(2026, 10, 1)),
        ("Asia/Tokyo", datetime(2026, 10, 31, 15, 0, tzinfo=UTC), date(2026, 11, 1)),
        ("Asia/Tokyo", datetime(2026, 10, 31, 14, 59, 59, tzinfo=UTC), date(2026, 10, 1)),
        ("America/New_York", datetime(2026, 11, 1, 3, 59, 59, tzinfo=UTC), date(2026, 10, 1)),
        ("America/New_York", datetime(2026, 11, 1, 4, 0, tzinfo=UTC), date(2026, 11, 1)),
        ("Pacific/Kiritimati", datetime(2026, 12, 31, 10, 0, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_the_month_is_that_of_the_portal_whoever_asks(
    settings: Settings, time_zone: str, at: datetime, month: date
) -> None:
    settings.TIME_ZONE = time_zone

    with timezone.override("Pacific/Honolulu"):
        assert month_of(at) == month


OCTOBER, NOVEMBER = date(2026, 10, 1), date(2026, 11, 1)


@pytest.fixture
def last_of_october() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(datetime(2026, 10, 31, 23, 50, tzinfo=UTC)) as traveller:
        yield traveller


def test_a_batch_that_spans_the_month_end_is_booked_where_it_ends(
    last_of_october: time_machine.Traveller, team: Project, cost: Decimal
) -> None:
    batch = make_batch(team)
    assert used(team, OCTOBER)[1] == cost

    last_of_october.move_to(datetime(2026, 11, 1, 0, 10, tzinfo=UTC))
    reserved_meanwhile = used(team)
    finish(batch)

    batch.refresh_from_db()
    assert reserved_meanwhile == (0, cost, 0)
    assert used(team, OCTOBER) == (0, 0, 0)
    assert used(team, NOVEMBER) == (batch.actual_cost_usd, 0, 0)


def test_what_is_still_reserved_leaves_less_of_the_new_month(
    last_of_october: time_machine.Traveller, team: Project, cost: Decimal
) -> None:
    make_budget(team, cost)
    batch = make_batch(team)
    last_of_october.move_to(datetime(2026, 11, 1, 0, 10, tzinfo=UTC))

    with pytest.raises(Refused) as refused:
        make_batch(team)

    assert refused.value.data["month"] == "2026-11-01"
    assert "left in November 2026" in refusal_text(refused.value)
    finish(batch, [])
    make_batch(team)


def test_a_new_month_begins_with_the_whole_budget(
    last_of_october: time_machine.Traveller, team: Project, cost: Decimal
) -> None:
    make_budget(team, cost)
    finish(make_batch(team))
    with pytest.raises(Refused):
        make_batch(team)

    last_of_october.move_to(datetime(2026, 11, 1, 0, 10, tzinfo=UTC))

    make_batch(team)


# After the order


def test_a_price_that_changes_after_the_order_changes_no_reservation(team: Project) -> None:
    batch = make_batch(team)
    before = reserved_by(batch)
    team.connection.prices.update(input_usd=100, output_usd=100)

    finish(batch)

    batch.refresh_from_db()
    row = batch.reservations.get()
    assert (row.reserved_usd, row.spent_usd) == (before, batch.actual_cost_usd)
    assert used(team)[0] == Decimal("0.0006")  # at the price of the order


def test_a_price_that_changes_before_the_order_is_refused_and_reserves_nothing(
    team: Project,
) -> None:
    upload, key, person = make_upload(team), make_key(team), writer_in(team)
    seen = timezone.now()

    with pytest.raises(Refused) as refused:
        place_order.place_order(
            team,
            person,
            upload,
            key,
            window="24h",
            submission=upload.pk,
            shown_prices="of another page",
            shown_at=seen,
        )

    assert refused.value.code == Refusal.PRICES_CHANGED
    assert used(team) == (0, 0, 0)


def test_a_budget_below_what_is_reserved_cancels_nothing_and_stops_new_orders(
    team: Project, cost: Decimal
) -> None:
    budget = make_budget(team, cost * 10)
    batch = make_batch(team)
    Budget.objects.update(amount_usd=cost / 2)

    with pytest.raises(Refused) as refused:
        make_batch(team)

    batch.refresh_from_db()
    budget.refresh_from_db()
    assert Decimal(refused.value.data["free"]) == 0
    assert batch.status == Batch.Status.RUNNING
    limit = budget.limit(Reservation.objects.parts(team, month_of()))
    assert (limit.is_exceeded, limit.free) == (True, 0)
    finish(batch)  # its cost counts as if the budget had not changed
    assert used(team)[0] == Decimal("0.0006")


def test_a_budget_that_is_removed_stops_nothing_and_all_counts_for_a_later_one(
    team: Project, cost: Decimal
) -> None:
    make_budget(team, cost)
    make_batch(team)
    Budget.objects.all().delete()
    make_batch(team)

    make_budget(team, cost * 3)

    make_batch(team)
    with pytest.raises(Refused):
        make_batch(team)


def test_a_deleted_person_leaves_a_budget_with_a_name_that_counts_nothing(
    team: Project, cost: Decimal
) -> None:
    gone, stays = make_user("gone@example.com"), writer_in(team)
    budget = make_budget(team, 0, gone)

    gone.delete()

    budget.refresh_from_db()
    assert (budget.person, budget.name, budget.is_orphaned) == (None, "gone@example.com", True)
    make_batch(team, stays)


def test_a_person_who_left_still_counts_for_the_project(team: Project, cost: Decimal) -> None:
    make_budget(team, cost)
    gone = writer_in(team)
    make_batch(team, gone)

    team.memberships.filter(user=gone).delete()

    with pytest.raises(Refused):
        make_batch(team)


def test_what_is_retried_in_place_reserves_its_own_part_once_more(
    provider: Provider, running: ProviderBatch
) -> None:
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = run_steps(running)
    whole, spent = reserved_by(batch), batch.actual_cost_usd
    assert spent

    retry_in_place.request_retry_in_place(batch, batch.created_by)

    row = batch.reservations.get()
    two_thirds = (whole * 2 / 3).quantize(Decimal("0.00000001"))
    assert (row.is_open, row.reserved_usd, row.spent_usd) == (True, spent + two_thirds, None)
    finish(batch)
    assert batch.reservations.get().spent_usd == Decimal("0.0006")


@pytest.mark.parametrize("over", [Budget.Over.STOP, Budget.Over.APPROVAL])
def test_a_retry_in_place_that_does_not_fit_is_refused_and_the_batch_stays_over(
    provider: Provider, running: ProviderBatch, over: Budget.Over
) -> None:
    provider.finish([answer_line(1)], [error_line(2), error_line(3)])
    batch = run_steps(running)
    make_budget(batch.project, batch.actual_cost_usd or 0, when_over=over)

    with pytest.raises(Refused) as refused:
        retry_in_place.request_retry_in_place(batch, batch.created_by)

    batch.refresh_from_db()
    row = batch.reservations.get()
    assert refused.value.code == Refusal.OVER_BUDGET
    assert (batch.status, row.is_open) == (Batch.Status.COMPLETED, False)
    assert row.spent_usd == batch.actual_cost_usd


def test_a_paused_batch_keeps_its_reservation_and_resumes_on_it(team: Project) -> None:
    batch = make_batch(team)
    reserved = reserved_by(batch)
    Batch.objects.filter(pk=batch.pk).update(pause_requested_at=timezone.now())
    set_state(batch, status="waiting", parked_reason="paused", next_check_at=None)
    make_budget(team, reserved / 2)

    assert controls.resume(batch, batch.created_by)

    assert used(team) == (0, reserved, 0)


def test_trying_again_goes_on_with_the_reservation_that_is_there(team: Project) -> None:
    batch = make_batch(team)
    reserved = reserved_by(batch)
    set_state(batch, status="waiting", parked_reason="needs_attention", next_check_at=None)
    make_budget(team, reserved / 2)

    assert controls.try_again(batch, batch.created_by) == 1

    assert used(team) == (0, reserved, 0)


def test_a_retry_file_is_an_order_of_its_own(team: Project, cost: Decimal) -> None:
    make_budget(team, cost * Decimal("1.5"))
    parent = finish(make_batch(team), [], [error_line(n) for n in (1, 2, 3)])
    upload = make_upload(team)
    upload.retry_of = parent
    upload.save()

    retry = make_batch(team, upload=upload)

    assert (retry.parent, reserved_by(retry)) == (parent, cost)
    with pytest.raises(Refused):
        make_batch(team, upload=upload)


def test_late_answers_update_what_is_spent(team: Project) -> None:
    batch = finish(make_batch(team), [answer_line(1)])
    first = batch.actual_cost_usd
    assert used(team)[0] == first

    batch.return_to_running()
    assert used(team) == (0, first, 0)
    set_state(batch, status="running")
    finish(batch, [answer_line(n) for n in (1, 2, 3)])

    assert used(team) == (Decimal("0.0006"), 0, 0)
    assert not batch.events.filter(kind=EventKind.ABOVE_RESERVATION).exists()


def test_what_the_provider_bills_counts_instead_of_what_the_tokens_cost(team: Project) -> None:
    batch = finish(make_batch(team))

    Reservation.objects.book_billed(batch, Decimal("0.00061"))

    assert used(team) == (Decimal("0.00061"), 0, 0)


def test_a_cost_that_is_not_known_in_the_end_keeps_its_reservation(team: Project) -> None:
    batch = make_batch(team)
    reserved = reserved_by(batch)
    ModelCost.objects.update(unit_price=None)

    finish(batch)

    assert used(team) == (reserved, 0, 1)


def test_a_batch_of_an_older_version_is_booked_as_well(team: Project) -> None:
    batch = make_batch(team)
    Reservation.objects.all().delete()

    finish(batch)

    assert used(team) == (Decimal("0.0006"), 0, 0)


def test_new_costs_after_an_approval_replace_the_reservation(team: Project, cost: Decimal) -> None:
    make_budget(team, cost * 2, when_over=Budget.Over.STOP)
    batch = make_batch(team)
    costs = list(batch.model_costs.all())
    for row in costs:
        row.estimated_cost_usd = row.estimated_cost_usd and row.estimated_cost_usd * 2

    Reservation.objects.hold_anew(batch, costs)

    assert used(team) == (0, cost * 2, 0)
    costs[0].estimated_cost_usd = cost * 3
    with pytest.raises(Refused):
        Reservation.objects.hold_anew(batch, costs)


def test_an_imported_batch_counts_and_is_not_refused(team: Project) -> None:
    make_budget(team, 0)
    batch = make_batch(make_project(connection=team.connection))
    batch.reservations.all().delete()
    batch.project = team
    batch.save()

    Reservation.objects.count_in(batch, list(batch.model_costs.all()))

    assert used(team) == (0, batch.estimated_cost_usd, 0)
    assert Notice.objects.filter(kind=NoticeKind.BUDGET_EXCEEDED).exists()


# Several at once, and many


def test_an_order_asks_for_all_sums_by_one_query(
    team: Project, cost: Decimal, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    batch = make_batch(team)
    costs = list(batch.model_costs.all())
    for budget in (writer_in(team), MODEL, ""):
        make_budget(team, cost * 100, budget)

    with django_assert_num_queries(3):  # the policy, the budgets, the sums
        Reservation.objects.require_room(batch, costs)


@pytest.mark.django_db(transaction=True)
def test_of_orders_at_once_no_more_are_taken_than_fit() -> None:
    team = make_project()
    upload, key, person = make_upload(team), make_key(team), writer_in(team)
    first = make_batch(team, upload=upload, key=key)
    cost = reserved_by(first)
    first.delete()
    make_budget(team, cost * 7 + cost / 2)
    make_budget(team, cost * 5, writer := writer_in(team))
    start = threading.Barrier(8)

    def race(number: int) -> int:
        placed = 0
        start.wait()
        try:
            for _ in range(5):
                with suppress(Refused):
                    make_batch(team, writer if number % 2 else person, upload=upload, key=key)
                    placed += 1
        finally:
            connection.close()
        return placed

    with ThreadPoolExecutor(8) as threads:
        placed = sum(threads.map(race, range(8)))

    assert placed == Batch.objects.count() == 7
    assert used(team)[1] == cost * 7
    assert Batch.objects.filter(created_by=writer).count() <= 5
