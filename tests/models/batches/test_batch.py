"""Pages that count or add up batches read an index, however many batches there are."""

from copy import deepcopy
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from batchapp.models import Batch, ModelCost, Project, ProviderKey, Upload
from batchapp.services.reports import cost_report
from batchapp.services.reports.line import SUMS
from batchapp.services.reports.scope import Scope
from tests.make import finish, make_administrator, make_batch

pytestmark = pytest.mark.django_db
OLDER_BATCHES = 2_000


@pytest.fixture(scope="module")
def batch_of_module(module_rows: None) -> Batch:
    """A batch that finished now, among many that finished years ago."""
    batch = finish(make_batch())
    add_older_batches(batch)
    return batch


@pytest.fixture
def batch(batch_of_module: Batch) -> Batch:
    """The batch as an object that a test may change."""
    return deepcopy(batch_of_module)


def add_older_batches(batch: Batch) -> None:
    """Add batches of earlier years, with costs, in the project of ``batch`` and in others."""
    old = timezone.now() - timedelta(days=1000)
    batches, costs, uploads = [], [], []
    for sample in [make_batch(batch.project, key=batch.key), *(make_batch() for _ in range(9))]:
        Batch.objects.filter(pk=sample.pk).update(status=Batch.Status.COMPLETED, finished_at=old)
        sample.refresh_from_db()
        for number in range(OLDER_BATCHES // 10):
            upload = deepcopy(sample.upload)
            upload.pk = uuid4()
            uploads.append(upload)
            copy = deepcopy(sample)
            copy.pk, copy.submission, copy.upload = uuid4(), uuid4(), upload
            copy.finished_at = old - timedelta(hours=number)
            batches.append(copy)
            cost = ModelCost(batch=copy, model="old", requests=3, estimated_input_tokens=9)
            cost.estimated_output_tokens = 9
            costs.append(cost)
    Upload.objects.bulk_create(uploads)
    Batch.objects.bulk_create(batches)
    ModelCost.objects.bulk_create(costs)


def plan_of(rows: QuerySet[Any]) -> str:
    """Return how the database finds ``rows``, after it counted those of the large tables.

    By these counts PostgreSQL chooses between indexes. It keeps them when the test is rolled back:
    a table without rows would stay empty to the tests that follow.
    """
    with connection.cursor() as cursor:
        for model in (Upload, Batch, ModelCost):
            cursor.execute(f"ANALYZE {model._meta.db_table}")
    return rows.explain()


@pytest.mark.parametrize(
    ("model", "name", "index"),
    [
        (ProviderKey, "key", "batch_by_key"),
        (Project, "project", "batch_by_status"),
    ],
)
def test_batches_under_way_are_counted_by_their_index(
    batch: Batch, model: type[ProviderKey] | type[Project], name: str, index: str
) -> None:
    running = make_batch(batch.project, upload=batch.upload, key=batch.key)
    number = Batch.objects.unfinished().count_for(name)
    rows = model.objects.filter(pk=getattr(running, f"{name}_id")).annotate(number=number)

    assert index in plan_of(rows)
    assert [row.number for row in rows] == [1]


def test_the_batches_of_a_file_are_counted_by_their_index(batch: Batch) -> None:
    rows = Upload.objects.filter(pk=batch.upload_id)
    rows = rows.annotate(number=Batch.objects.count_for("upload"))

    assert "batch_by_file" in plan_of(rows)
    assert rows.get().number == 1


def test_a_row_without_batches_counts_none(batch: Batch) -> None:
    rows = ProviderKey.objects.annotate(number=Batch.objects.unfinished().count_for("key"))

    assert rows.get(pk=batch.key_id).number == 0


@pytest.fixture
def scope(batch: Batch) -> Scope:
    """The administrators' report of this year, in which one batch finished."""
    today = timezone.localdate()
    return Scope(date(today.year, 1, 1), today, make_administrator())


def test_a_report_reads_only_the_batches_of_its_days(scope: Scope) -> None:
    plan = plan_of(scope.model_costs().order_by().values("batch").annotate(**SUMS))

    assert "batch_by_end" in plan
    assert "SCAN batchapp_batch" not in plan
    assert cost_report.sum_all(scope).batches == 1


@pytest.mark.skipif(
    connection.vendor == "postgresql",
    reason="reads an index alone only after VACUUM, which no transaction of a test may run",
)
def test_a_report_reads_the_sums_of_costs_from_their_index(scope: Scope) -> None:
    plan = plan_of(scope.model_costs().order_by().values("batch").annotate(**SUMS))

    assert "cost_sums" in plan


def test_a_report_lists_its_latest_batches_in_the_order_of_their_index(
    batch: Batch, scope: Scope
) -> None:
    assert "batch_by_end" in plan_of(scope.batches()[:20])
    assert list(scope.batches()) == [batch]


@pytest.mark.parametrize(("by", "queries"), [("project", 2), ("user", 2), ("model", 4)])
def test_a_report_adds_up_groups_and_periods_at_once_and_truncates_no_time(
    scope: Scope, by: str, queries: int
) -> None:
    with CaptureQueriesContext(connection) as captured:
        sums = cost_report.sum_up(scope, by)

    assert len(captured) == queries
    assert "trunc" not in "".join(query["sql"].lower() for query in captured)
    assert [line.batches for line in sums.lines] == [sums.total.batches] == [1]
    assert (sums.unit, sums.periods) == cost_report.sum_over_time(scope)


def test_the_retries_of_a_batch_are_found_by_their_index(batch: Batch) -> None:
    assert "batch_retries" in plan_of(batch.retries.all())
