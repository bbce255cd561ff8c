"""Months are closed once and in order; later changes are adjustments on the next statement."""

import random
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Value
from django.db.models.functions import Concat
from django.utils import timezone

from batchapp.domain.money.statement_changes import LineKind
from batchapp.domain.months import month_after
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    AuditEvent,
    AuditKind,
    Batch,
    Connection,
    ModelCost,
    MonthClosing,
    Notice,
    NoticeKind,
    Project,
    Statement,
    StatementLine,
    User,
)
from batchapp.presenters.notice_text import notice_lines, notice_path
from batchapp.services.archive import project_deletion
from batchapp.services.reports import cost_report
from batchapp.services.reports.scope import Scope
from batchapp.services.statements import calendar, closing, unstated
from tests.make import (
    OWNER,
    finish,
    join,
    make_administrator,
    make_batch,
    make_project,
    make_user,
)
from tests.statements import (
    PaidBatches,
    actual_usd,
    at,
    close_due_months,
    money,
    settle_again,
    stated_usd,
    utc,
)
from tests.steps import Killed, advance, die, race

pytestmark = pytest.mark.django_db

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
Status = MonthClosing.Status


@pytest.fixture
def paid(project: Project) -> PaidBatches:
    return PaidBatches(project)


def statement_of(month: date) -> Statement:
    return Statement.objects.closed().get(month=month)


def lines_of(month: date) -> list[tuple[str, str, Decimal | None]]:
    lines = StatementLine.objects.filter(statement__month=month).order_by("number")
    return [(line.batch_name, line.kind, line.cost_usd) for line in lines]


def dollars(text: str) -> Decimal:
    return Decimal(text)


class TestAStatement:
    def test_has_a_line_for_each_model_of_each_batch_that_completed_in_the_month(
        self, paid: PaidBatches
    ) -> None:
        first = paid.make(utc(2026, 1, 10), "1.5", name="First", cost_centre="4711")
        paid.add_model(first.batch, "0.25", model="Other")
        paid.make(utc(2026, 1, 20), "2", name="Second")
        paid.make(utc(2026, 2, 1), "9", name="Of February")

        with at(utc(2026, 2, 4)):
            close_due_months()

        statement = statement_of(JANUARY)
        assert lines_of(JANUARY) == [
            ("First", LineKind.BATCH, dollars("1.5")),
            ("First", LineKind.BATCH, dollars("0.25")),
            ("Second", LineKind.BATCH, dollars("2")),
        ]
        assert (statement.batches, statement.lines_number) == (2, 3)
        assert (statement.cost_usd, statement.unpriced) == (dollars("3.75"), 0)
        assert (statement.requests, statement.input_tokens) == (9, 300)

    def test_stays_as_it_is_whatever_changes_afterwards(
        self, paid: PaidBatches, project: Project
    ) -> None:
        cost = paid.make(utc(2026, 1, 10), "1.5", name="First", cost_centre="4711")
        with at(utc(2026, 2, 4)):
            close_due_months()
        before = frozen()

        Batch.objects.filter(pk=cost.batch_id).update(name="New", cost_centre="1", window="1h")
        ModelCost.objects.update(unit_price=None, cost_usd=None, answers=0)
        Project.objects.update(name="New name")
        User.objects.update(email=Concat(Value("new-"), "email"))
        Connection.objects.update(is_sandbox=True)
        with at(utc(2026, 4, 5)):
            close_due_months()
        ModelCost.objects.all().delete()
        Batch.objects.filter(pk=cost.batch_id).delete()

        assert frozen(before=FEBRUARY) == before
        (line,) = statement_of(JANUARY).lines.all()
        assert line.batch_id == cost.batch_id  # which leads nowhere any more
        assert line.unit_price is not None
        assert (line.batch_name, line.person) == ("First", paid.first.created_by.email)

    def test_is_not_made_of_a_month_without_a_cost(self, paid: PaidBatches) -> None:
        paid.make(utc(2026, 1, 10))
        paid.make(utc(2026, 3, 10))

        with at(utc(2026, 4, 5)):
            close_due_months()

        assert list(Statement.objects.values_list("month", flat=True)) == [MARCH, JANUARY]
        assert MonthClosing.objects.get(month=FEBRUARY).status == Status.CLOSED

    def test_leaves_out_what_a_sandbox_answered(self, paid: PaidBatches) -> None:
        paid.make(utc(2026, 1, 10))
        Connection.objects.filter(pk=paid.first.connection_id).update(is_sandbox=True)
        other = PaidBatches(make_project())
        other.make(utc(2026, 1, 10))

        with at(utc(2026, 2, 5)):
            close_due_months()

        assert [row.project for row in Statement.objects.all()] == [other.first.project]

    def test_names_what_has_no_price_and_adds_up_the_rest(self, paid: PaidBatches) -> None:
        paid.make(utc(2026, 1, 10), None)
        paid.make(utc(2026, 1, 11), "2")

        with at(utc(2026, 2, 5)):
            close_due_months()

        statement = statement_of(JANUARY)
        assert (statement.cost_usd, statement.unpriced) == (Decimal(2), 1)

    def test_of_a_deleted_project_is_made_all_the_same(self, project: Project) -> None:
        owner = make_user()
        project.memberships.create(user=owner, role=OWNER)
        paid = PaidBatches(project)
        paid.make(utc(2026, 1, 10), "2")
        Batch.objects.filter(pk=paid.first.pk).update(finished_at=utc(2026, 1, 9))
        project_deletion.delete_project(project, owner)

        with at(utc(2026, 2, 5)):
            close_due_months()

        assert statement_of(JANUARY).cost_usd == 2


class TestAnAdjustment:
    @pytest.fixture
    def cost(self, paid: PaidBatches) -> ModelCost:
        """A cost of 2 dollars on the statement of January."""
        cost = paid.make(utc(2026, 1, 10), "2", name="Retried", cost_centre="4711")
        with at(utc(2026, 2, 4)):
            close_due_months()
        return cost

    def test_of_a_retry_in_place_has_the_difference_and_names_the_earlier_line(
        self, cost: ModelCost
    ) -> None:
        settle_again(cost, utc(2026, 2, 10), "2.5", answers=4, output_tokens=60)

        with at(utc(2026, 3, 4)):
            close_due_months()

        (line,) = statement_of(FEBRUARY).lines.all()
        assert (line.kind, line.cost_usd, line.total_usd) == (
            LineKind.ADJUSTMENT,
            dollars("0.5"),
            dollars("2.5"),
        )
        assert (line.answers, line.output_tokens, line.requests) == (1, 10, 0)
        assert line.earlier
        assert line.earlier.statement.month == JANUARY
        assert statement_of(FEBRUARY).adjustments_usd == dollars("0.5")
        assert statement_of(FEBRUARY).batches == 0

    def test_that_lowers_the_sum_is_a_credit(self, cost: ModelCost) -> None:
        ModelCost.objects.filter(pk=cost.pk).update(cost_usd=dollars("0.5"))

        with at(utc(2026, 3, 4)):
            close_due_months()

        assert lines_of(FEBRUARY) == [("Retried", LineKind.CREDIT, dollars("-1.5"))]

    def test_is_not_made_of_a_batch_that_settles_again_with_the_same_figures(
        self, cost: ModelCost
    ) -> None:
        settle_again(cost, utc(2026, 2, 10), "2")

        with at(utc(2026, 4, 4)):
            close_due_months()

        assert not Statement.objects.exclude(month=JANUARY).exists()

    def test_is_charged_to_the_cost_centre_of_the_earlier_line(self, cost: ModelCost) -> None:
        Batch.objects.filter(pk=cost.batch_id).update(cost_centre="new")
        settle_again(cost, utc(2026, 2, 10), "3")

        with at(utc(2026, 3, 4)):
            close_due_months()

        assert statement_of(FEBRUARY).lines.get().cost_centre == "4711"

    def test_takes_back_a_cost_that_turns_out_to_be_unknown(self, cost: ModelCost) -> None:
        settle_again(cost, utc(2026, 2, 10), None)

        with at(utc(2026, 3, 4)):
            close_due_months()

        assert lines_of(FEBRUARY) == [
            ("Retried", LineKind.CREDIT, dollars("-2")),
            ("Retried", LineKind.ADJUSTMENT, None),
        ]

    def test_waits_until_a_batch_that_runs_again_is_over(
        self, cost: ModelCost, project: Project
    ) -> None:
        settle_again(cost, utc(2026, 2, 10), "3")
        Batch.objects.filter(pk=cost.batch_id).update(finished_at=None, status="running")
        with at(utc(2026, 3, 4)):
            close_due_months()
        assert stated_usd(project) == 2

        settle_again(cost, utc(2026, 3, 5), "3")
        with at(utc(2026, 4, 4)):
            close_due_months()

        assert lines_of(MARCH) == [("Retried", LineKind.ADJUSTMENT, dollars("1"))]


def test_a_price_that_becomes_known_later_is_an_adjustment(paid: PaidBatches) -> None:
    cost = paid.make(utc(2026, 1, 10), None, name="Unpriced")
    with at(utc(2026, 2, 4)):
        close_due_months()
    ModelCost.objects.filter(pk=cost.pk).update(cost_usd=Decimal(7))

    with at(utc(2026, 4, 4)):
        close_due_months()

    assert lines_of(FEBRUARY) == [("Unpriced", LineKind.ADJUSTMENT, Decimal(7))]
    assert lines_of(MARCH) == []


def test_a_batch_of_a_closed_month_that_no_statement_has_comes_as_an_adjustment(
    paid: PaidBatches,
) -> None:
    paid.make(utc(2026, 1, 10))
    with at(utc(2026, 2, 4)):
        close_due_months()
    paid.make(utc(2026, 1, 31), "4", name="By a clock that was behind")

    with at(utc(2026, 3, 4)):
        close_due_months()

    assert lines_of(FEBRUARY) == [("By a clock that was behind", LineKind.ADJUSTMENT, Decimal(4))]
    assert statement_of(FEBRUARY).lines.get().earlier is None


def report_of(project: Project, month: date) -> Decimal:
    """Return what the report says was paid in the month."""
    last = month_after(month) - timedelta(days=1)
    reader = make_user()
    join(reader, project)
    return cost_report.sum_all(Scope(month, last, reader)).cost_usd


class TestTheTimeOfTheClose:
    def test_is_some_days_after_the_end_in_the_time_zone_of_the_portal(
        self, paid: PaidBatches, settings: Any
    ) -> None:
        settings.TIME_ZONE, settings.STATEMENT_CLOSING_DAYS = "America/New_York", 3
        zone = ZoneInfo("America/New_York")
        paid.make(datetime(2026, 2, 28, 23, 59, 59, tzinfo=zone), "1")
        paid.make(datetime(2026, 3, 1, 0, 0, tzinfo=zone), "2")
        # The clocks go ahead on 8 March.
        paid.make(datetime(2026, 3, 31, 23, 59, 59, tzinfo=zone), "4")
        paid.make(datetime(2026, 4, 1, 0, 0, tzinfo=zone), "8")

        with at(datetime(2026, 3, 3, 23, 59, tzinfo=zone)):
            close_due_months()
            assert not Statement.objects.exists()
        with at(datetime(2026, 3, 4, 0, 0, tzinfo=zone)):
            close_due_months()
            assert statement_of(FEBRUARY).cost_usd == 1
        with at(datetime(2026, 4, 4, 0, 0, tzinfo=zone)):
            close_due_months()

        assert statement_of(MARCH).cost_usd == 6

    @pytest.mark.parametrize(
        ("zone", "month", "begins", "ends"),
        [
            ("Pacific/Kiritimati", date(2026, 1, 1), utc(2025, 12, 31, 10), utc(2026, 1, 31, 10)),
            ("Pacific/Pago_Pago", date(2026, 1, 1), utc(2026, 1, 1, 11), utc(2026, 2, 1, 11)),
            # On the first of October the clock goes from 00:00 to 01:00.
            ("America/Asuncion", date(2023, 9, 1), utc(2023, 9, 1, 4), utc(2023, 10, 1, 4)),
            # On the first of November it goes from 01:00 back to 00:00.
            ("America/Havana", date(2026, 10, 1), utc(2026, 10, 1, 4), utc(2026, 11, 1, 4)),
        ],
    )
    def test_and_its_batches_are_those_of_the_portal_at_each_end_of_the_world(
        self,
        paid: PaidBatches,
        project: Project,
        settings: Any,
        zone: str,
        month: date,
        begins: datetime,
        ends: datetime,
    ) -> None:
        settings.TIME_ZONE, settings.STATEMENT_CLOSING_DAYS = zone, 0
        second = timedelta(seconds=1)
        for cost, moment in enumerate((begins - second, begins, ends - second, ends)):
            paid.make(moment, 10**cost)
        with timezone.override("America/Los_Angeles"):  # of whoever asks
            with at(ends - second):
                close_due_months()
                closed_before = Statement.objects.closed().filter(month=month).exists()
                reported = report_of(project, month)
            with at(ends):
                close_due_months()

        assert not closed_before
        assert statement_of(month).cost_usd == reported == 110
        assert Statement.objects.closed().latest("month").month == month

    def test_follows_the_setting(self, paid: PaidBatches, settings: Any) -> None:
        settings.STATEMENT_CLOSING_DAYS = 0
        paid.make(utc(2026, 1, 31, 23))

        with at(utc(2026, 2, 1)):
            close_due_months()

        assert statement_of(JANUARY).closed_at == utc(2026, 2, 1)

    def test_of_several_months_comes_in_their_order_when_workers_were_away(
        self, paid: PaidBatches, project: Project
    ) -> None:
        cost = paid.make(utc(2026, 1, 10), "1", name="January")
        paid.make(utc(2026, 2, 10), "2", name="February")
        with at(utc(2026, 1, 15)):
            close_due_months()
            assert not Statement.objects.exists()
        settle_again(cost, utc(2026, 2, 11), "1.5")

        with at(utc(2026, 3, 20)):
            close_due_months()

        # The batch ended in February for the last time, and January was not closed before.
        assert lines_of(FEBRUARY) == [
            ("February", LineKind.BATCH, Decimal(2)),
            ("January", LineKind.BATCH, dollars("1.5")),
        ]
        assert MonthClosing.open_month() == MARCH

    def test_is_put_right_after_a_clock_that_ran_ahead(
        self, paid: PaidBatches, project: Project
    ) -> None:
        paid.make(utc(2026, 1, 10), "1")
        with at(utc(2026, 2, 5)):
            close_due_months()
        with at(utc(2027, 5, 5)):
            close_due_months()
        paid.make(utc(2026, 2, 10), "2", name="Late")

        with at(utc(2026, 3, 5)):
            close_due_months()
            assert calendar.open_months() == [MARCH]
        with at(utc(2027, 6, 5)):
            close_due_months()

        assert stated_usd(project) == actual_usd(project) == 3

    def test_begins_with_the_month_of_the_first_paid_batch(self) -> None:
        with at(utc(2026, 1, 31, 12)):
            finish(make_batch())

        assert MonthClosing.open_month() == JANUARY

    def test_has_not_begun_while_only_a_sandbox_answers(self, project: Project) -> None:
        Connection.objects.update(is_sandbox=True)

        finish(make_batch(project))

        assert not MonthClosing.objects.exists()


class TestClosingByHand:
    @pytest.fixture(autouse=True)
    def _january(self, paid: PaidBatches) -> None:
        paid.make(utc(2026, 1, 10))
        with at(utc(2026, 1, 31)):
            close_due_months()

    def test_comes_before_the_days_are_over_and_is_recorded(self) -> None:
        administrator = make_administrator()
        with at(utc(2026, 2, 1)):
            row = closing.close_by_hand(JANUARY, administrator)
            assert row
            advance(row)

        assert statement_of(JANUARY).cost_usd == 1
        event = AuditEvent.objects.get(kind=AuditKind.MONTH_CLOSED)
        assert event.actor == administrator
        assert event.data == {"month": "2026-01-01"}

    def test_is_refused_before_the_month_is_over(self) -> None:
        with at(utc(2026, 1, 31, 23, 59, 59)), pytest.raises(Refused) as refused:
            closing.close_by_hand(JANUARY, make_administrator())

        assert refused.value.code == Refusal.MONTH_NOT_OVER

    def test_is_refused_while_an_earlier_month_is_open(self) -> None:
        with at(utc(2026, 3, 1)), pytest.raises(Refused) as refused:
            closing.close_by_hand(FEBRUARY, make_administrator())

        assert refused.value.data == {"month": "2026-01-01"}

    def test_does_nothing_a_second_time(self) -> None:
        with at(utc(2026, 2, 1)):
            assert closing.close_by_hand(JANUARY, make_administrator())
            assert closing.close_by_hand(JANUARY, make_administrator()) is None
            close_due_months()
            assert closing.close_by_hand(JANUARY, make_administrator()) is None

        assert AuditEvent.objects.filter(kind=AuditKind.MONTH_CLOSED).count() == 1


def test_people_are_told_once_of_a_statement_that_they_wait_for(
    paid: PaidBatches, project: Project
) -> None:
    paid.make(utc(2024, 1, 10), "1")
    paid.make(utc(2026, 1, 10), "1.5")

    with at(utc(2026, 2, 5)):
        close_due_months()
        close_due_months()

    notice = Notice.objects.get(kind=NoticeKind.STATEMENT_READY)
    assert notice_path(notice) == f"/statements/2026-01/{project.slug}/"
    assert notice_lines(notice) == ["The sum is $1.50, for 1 batch."]


def test_a_worker_that_dies_leaves_no_half_statement_and_the_next_one_makes_it_whole(
    paid: PaidBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        paid.make(utc(2026, 1, 10, number), "1.01")
    monkeypatch.setattr(unstated, "BLOCK", 2)
    with at(utc(2026, 1, 31)):
        close_due_months()
    draft = unstated.draft_lines

    def die_at_the_last(costs: list[ModelCost], month: date) -> list[StatementLine]:
        return draft(costs, month) if len(costs) == 2 else die()  # type: ignore[return-value]

    with at(utc(2026, 2, 5)), monkeypatch.context() as patch:
        patch.setattr(unstated, "draft_lines", die_at_the_last)
        with pytest.raises(Killed):
            close_due_months()
        assert StatementLine.objects.count() == 4
        assert not Statement.objects.closed().exists()

    MonthClosing.objects.update(leased_until=None)
    with at(utc(2026, 2, 5)):
        close_due_months()

    assert statement_of(JANUARY).cost_usd == dollars("5.05")
    assert [line.number for line in statement_of(JANUARY).lines.all()] == [1, 2, 3, 4, 5]


class History:
    """Random events of two projects, in which time goes on and months are closed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.projects = [PaidBatches(make_project()) for _ in range(2)]
        self.now = utc(2026, 1, 5)
        self.costs = [self.projects[0].make(utc(2026, 1, 3), "1")]

    def go_on(self) -> None:
        self.now += timedelta(days=self.chance.randrange(7), hours=self.chance.randrange(24))
        events = [self.batch, self.batch, self.model, self.again, self.run, self.price]
        self.chance.choice([*events, self.move, self.delete])()
        if self.chance.random() < 0.5:
            with at(self.now):
                close_due_months()

    def end(self) -> None:
        Batch.objects.filter(finished_at=None, model_costs__isnull=False).update(
            finished_at=self.now
        )
        with at(self.now + timedelta(days=80)):
            close_due_months()

    def amount(self) -> str | None:
        return self.chance.choice([None, "0", f"{self.chance.randrange(10**10)}E-8"])

    def cost(self) -> ModelCost:
        return self.chance.choice(self.costs)

    def batch(self) -> None:
        self.costs.append(self.chance.choice(self.projects).make(self.now, self.amount()))

    def model(self) -> None:
        name = f"model {len(self.costs)}"
        batch = self.cost().batch
        self.costs.append(self.projects[0].add_model(batch, self.amount(), model=name))

    def again(self) -> None:
        settle_again(self.cost(), self.now, self.amount(), answers=self.chance.randrange(9))

    def run(self) -> None:
        Batch.objects.filter(pk=self.cost().batch_id).update(finished_at=None)

    def price(self) -> None:
        ModelCost.objects.filter(pk=self.cost().pk).update(cost_usd=money(self.amount()))

    def move(self) -> None:
        where = self.chance.choice(["", "4711"])
        Batch.objects.filter(pk=self.cost().batch_id).update(cost_centre=where)

    def delete(self) -> None:
        project = self.chance.choice(self.projects).first.project_id
        Project.objects.filter(pk=project).update(deleted_at=self.now, archived_at=self.now)


@pytest.mark.parametrize("seed", range(6))
def test_all_statements_add_up_to_the_actual_costs_whatever_happens(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    history, before = History(seed), frozen()
    monkeypatch.setattr(unstated, "BLOCK", history.chance.choice([1, 2, 500]))

    for _ in range(25):
        history.go_on()
        after = frozen()
        assert before.items() <= after.items()
        before = after
    history.end()

    for paid in history.projects:
        project = paid.first.project
        assert stated_usd(project) == actual_usd(project)
        for name in ("answers", "output_tokens", "requests"):
            lines = StatementLine.objects.filter(statement__project=project)
            actual = ModelCost.objects.filter(batch__project=project)
            assert total(lines, name) == total(actual, name)
    unknown = ModelCost.objects.filter(cost_usd=None).values_list("batch", "model")
    assert sorted(unknown) == sorted(last_unknown())
    for statement in Statement.objects.all():
        assert sums_of(statement) == sums_of_lines(statement)


def sums_of(statement: Statement) -> list[object]:
    sums = [statement.cost_usd, statement.adjustments_usd, statement.unpriced]
    return [*sums, statement.lines_number, statement.batches, statement.input_tokens]


def sums_of_lines(statement: Statement) -> list[object]:
    lines = list(statement.lines.all())
    of_month = [line for line in lines if line.kind == LineKind.BATCH]
    others = [line for line in lines if line.kind != LineKind.BATCH]
    return [
        sum(line.cost_usd or 0 for line in lines),
        sum(line.cost_usd or 0 for line in others),
        sum(line.cost_usd is None for line in lines),
        len(lines),
        len({line.batch_id for line in of_month}),
        sum(line.input_tokens for line in lines),
    ]


def total(rows: Any, name: str) -> int:
    return sum(rows.values_list(name, flat=True))


def last_unknown() -> list[tuple[Any, str]]:
    newest = {(row.batch_id, row.model): row for row in StatementLine.objects.order_by("pk")}
    return [key for key, row in newest.items() if row.cost_usd is None]


def frozen(before: date = date.max) -> dict[Any, str]:
    """Return all that statements of earlier months say, by the ids of the rows."""
    statements = Statement.objects.filter(month__lt=before)
    lines = StatementLine.objects.filter(statement__in=statements)
    return {row["id"]: repr(row) for rows in (statements, lines) for row in rows.values()}


@pytest.mark.django_db(transaction=True)
def test_of_two_closings_at_the_same_moment_one_counts(woken: list[str]) -> None:
    paid = PaidBatches(make_project())
    for number in range(6):
        paid.make(utc(2026, 1, 10, number), "1.01")
    people = [make_administrator() for _ in range(2)]
    MonthClosing.objects.create(month=JANUARY, next_check_at=timezone.now())
    begun: list[Any] = []

    race(
        *[lambda user=user: begun.append(closing.close_by_hand(JANUARY, user)) for user in people]
    )
    row = next(row for row in begun if row)
    race(lambda: advance(row), lambda: advance(row), lambda: advance(row))

    assert len([row for row in begun if row]) == 1
    assert statement_of(JANUARY).cost_usd == dollars("6.06")
    assert StatementLine.objects.count() == 6
    assert MonthClosing.objects.get(month=JANUARY).status == Status.CLOSED
    assert AuditEvent.objects.filter(kind=AuditKind.MONTH_CLOSED).count() == 1
