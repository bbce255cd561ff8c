"""A budget that is set after an upgrade counts what batches have spent and reserve already."""

from datetime import UTC, datetime
from decimal import Decimal

from batchapp.models import Batch, Reservation
from batchapp.models.budgets.month import month_of
from tests.make import finish, make_batch, make_project, make_upload
from tests.migrations.conftest import Migrate

BEFORE, AFTER = "0037_notices", "0038_budgets"


def test_batches_of_earlier_versions_are_reserved_and_booked(migrate: Migrate) -> None:
    team = make_project()
    upload = make_upload(team)
    over, billed, earlier = (finish(make_batch(team, upload=upload)) for _ in range(3))
    Batch.objects.filter(pk=billed.pk).update(billed_cost_usd=Decimal("0.0007"))
    Batch.objects.filter(pk=earlier.pk).update(finished_at=datetime(2025, 3, 31, 12, tzinfo=UTC))
    unfinished = make_batch(team, upload=upload)
    migrate(BEFORE)

    migrate(AFTER)

    rows = {row.batch_id: row for row in Reservation.objects.all()}
    assert len(rows) == 4
    assert (rows[over.pk].spent_usd, rows[over.pk].is_open) == (over.actual_cost_usd, False)
    assert rows[over.pk].month == month_of()
    assert rows[billed.pk].spent_usd == Decimal("0.0007")
    assert rows[earlier.pk].month.isoformat() == "2025-03-01"
    assert (rows[unfinished.pk].is_open, rows[unfinished.pk].spent_usd) == (True, None)
    assert rows[unfinished.pk].reserved_usd == unfinished.estimated_cost_usd
    assert {row.project_id for row in rows.values()} == {team.pk}
