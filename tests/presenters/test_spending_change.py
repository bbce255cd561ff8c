"""The cost of a month beside that of the month before."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from batchapp.models import Batch, ModelCost, Project, User
from batchapp.presenters.spending_change import change_since_before, changes_of
from batchapp.services.reports.cost_report import sum_all
from batchapp.services.reports.line import Line
from batchapp.services.reports.scope import Scope
from tests.make import make_batch

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = date(2026, 12, 24)


def spend(project: Project, day: date, amount: str | None) -> None:
    """Finish a batch of ``project`` at noon of ``day``; None is a cost without a price."""
    batch = make_batch(project=project)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.COMPLETED, finished_at=noon)
    ModelCost.objects.filter(batch=batch).update(cost_usd=amount and Decimal(amount))


@pytest.mark.parametrize(
    ("earlier", "now", "last", "said"),
    [
        ("10", "11.2", 30, "+12 % against October"),
        ("10", "9", 30, "\u221210 % against October"),
        ("10", "10", 30, "as in October"),
        ("10", "20", 28, "+100 % against 1\u201328 October"),
        ("0", "20", 30, None),
        ("10", None, 30, None),
        (None, "10", 30, None),
    ],
)
def test_the_difference_is_said_where_both_months_are_known(
    user: User, project: Project, earlier: str | None, now: str | None, last: int, said: str | None
) -> None:
    scope = Scope(date(2026, 11, 1), date(2026, 11, last), user)
    spend(project, date(2026, 10, 5), earlier)
    spend(project, date(2026, 10, 30), "0")
    spend(project, date(2026, 11, 5), now)

    change = change_since_before(scope, sum_all(scope), TODAY)

    assert (change and change.text) == said
    assert not change or change.title.startswith("$10.00 in ")


def line(key: str, cost: str, unpriced: int = 0) -> Line:
    return Line(key, key, 1, 1, 1, 1, 0, Decimal(cost), Decimal(0), Decimal(0), unpriced)


def test_each_group_is_compared_with_itself_where_both_costs_are_known() -> None:
    now = [line("a", "12"), line("b", "10"), line("c", "5"), line("d", "1", 1), line("e", "90")]
    before = [line("a", "10"), line("b", "10"), line("d", "3"), line("e", "1")]

    changes = changes_of(now, {one.key: one for one in before})

    assert {key: (change.amount, change.percent) for key, change in changes.items()} == {
        "a": ("+$2.00", "+20 %"),
        "b": ("$0.00", "as before"),
        "c": ("", "new"),
        "e": ("+$89.00", "90 times as much"),
    }
