"""A budget that is set after an upgrade counts what batches have spent and reserve already."""

from datetime import UTC, datetime
from decimal import Decimal

from django.utils import timezone

from batchapp.models.budgets.month import month_of
from tests.migrations.conftest import Migrate
from tests.migrations.rows import Rows

BEFORE, AFTER = "0037_notices", "0038_budgets"
ESTIMATED, ACTUAL, BILLED = Decimal("0.0012"), Decimal("0.0006"), Decimal("0.0007")


def test_batches_of_earlier_versions_are_reserved_and_booked(migrate: Migrate) -> None:
    old = Rows(migrate(BEFORE))
    ended = {"status": "completed", "finished_at": timezone.now()}
    over = old.make_batch(**ended)
    billed = old.make_batch(**ended, billed_cost_usd=BILLED)
    earlier = old.make_batch(**ended | {"finished_at": datetime(2025, 3, 31, 12, tzinfo=UTC)})
    unfinished = old.make_batch(status="running")
    for batch in (over, billed, earlier):
        old.make_cost(batch, estimated_cost_usd=ESTIMATED, cost_usd=ACTUAL, answers=3)
    old.make_cost(unfinished, estimated_cost_usd=ESTIMATED)

    new = Rows(migrate(AFTER))

    rows = {row.batch_id: row for row in new.model("Reservation").objects.all()}
    assert len(rows) == 4
    assert (rows[over.pk].spent_usd, rows[over.pk].is_open) == (ACTUAL, False)
    assert rows[over.pk].month == month_of()
    assert rows[billed.pk].spent_usd == BILLED
    assert rows[earlier.pk].month.isoformat() == "2025-03-01"
    assert (rows[unfinished.pk].is_open, rows[unfinished.pk].spent_usd) == (True, None)
    assert rows[unfinished.pk].reserved_usd == ESTIMATED
    owners = {(row.project_id, row.person_id) for row in rows.values()}
    assert owners == {(old.project.pk, old.user.pk)}
