"""The cost of a month beside that of the month before."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from batchapp.models import Batch, ModelCost, Project, User
from batchapp.presenters.spending_change import change_since_month_before, month_before
from batchapp.services.reports.cost_report import Scope, sum_all
from tests.make import make_batch

pytestmark = pytest.mark.django_db


def spend(project: Project, day: date, amount: str | None) -> None:
    """Finish a batch of ``project`` at noon of ``day``; None is a cost without a price."""
    batch = make_batch(project=project)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    Batch.objects.filter(pk=batch.pk).update(status=Batch.Status.COMPLETED, finished_at=noon)
    ModelCost.objects.filter(batch=batch).update(cost_usd=amount and Decimal(amount))


@pytest.mark.parametrize(
    ("first", "last", "before"),
    [
        (date(2026, 11, 1), date(2026, 11, 29), (date(2026, 10, 1), date(2026, 10, 29))),
        (date(2026, 11, 1), date(2026, 11, 30), (date(2026, 10, 1), date(2026, 10, 31))),
        (date(2026, 3, 1), date(2026, 3, 30), (date(2026, 2, 1), date(2026, 2, 28))),
        (date(2026, 1, 1), date(2026, 1, 1), (date(2025, 12, 1), date(2025, 12, 1))),
        (date(2026, 11, 2), date(2026, 11, 30), None),
        (date(2026, 11, 1), date(2026, 12, 1), None),
    ],
)
def test_a_month_is_compared_with_the_same_days_of_the_one_before(
    user: User, first: date, last: date, before: tuple[date, date] | None
) -> None:
    earlier = month_before(Scope(first, last, user))

    assert (earlier and (earlier.first, earlier.last)) == before


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

    change = change_since_month_before(scope, sum_all(scope.model_costs()))

    assert (change and change.text) == said
    assert not change or change.title.startswith("$10.00 in ")
