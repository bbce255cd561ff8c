"""Models that people ask for and nobody has priced."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.models import Batch, Upload
from batchapp.services.prices.unpriced_models import recent_unpriced_models
from tests.make import (
    make_batch,
    make_connection,
    make_price,
    make_project,
    make_upload,
    request_file,
)

pytestmark = pytest.mark.django_db


def unpriced() -> list[tuple[str, list[str], int, int]]:
    return [
        (row.model, row.windows, row.file_requests, row.batch_requests)
        for row in recent_unpriced_models(timezone.now())
    ]


def test_models_with_a_price_in_every_window_are_not_listed() -> None:
    make_batch()

    assert unpriced() == []


def test_requests_of_files_and_of_batches_are_added_up_the_most_requested_first() -> None:
    project = make_project()
    make_upload(project, content=request_file(2, model="rare"))
    upload = make_upload(project, content=request_file(5, model="unknown"))
    make_upload(
        make_project(connection=project.connection), content=request_file(3, model="unknown")
    )
    make_batch(project, upload=upload)

    assert unpriced() == [
        ("unknown", ["24h", "1h"], 8, 5),
        ("rare", ["24h", "1h"], 2, 0),
    ]


def test_only_windows_without_a_price_are_named_and_a_pattern_is_one() -> None:
    project = make_project()
    make_upload(project, content=request_file(2, model="maker/rare"))
    make_price(project.connection, "1h", Decimal(0), Decimal(0), model="maker/*")

    assert unpriced() == [("maker/rare", ["24h"], 2, 0)]


def test_a_price_of_another_connection_is_none() -> None:
    project = make_project()
    make_upload(project, content=request_file(2, model="rare"))
    for window in ("24h", "1h"):
        make_price(make_connection(), window, Decimal(1), Decimal(1), model="rare")

    assert [model for model, *_ in unpriced()] == ["rare"]


def test_what_is_older_than_ninety_days_is_forgotten() -> None:
    upload = make_upload(content=request_file(2, model="rare"))
    make_batch(upload.project, upload=upload)
    long_ago = timezone.now() - timedelta(days=91)
    Upload.objects.update(created_at=long_ago)

    assert unpriced() == [("rare", ["24h", "1h"], 0, 2)]

    Batch.objects.update(created_at=long_ago)

    assert unpriced() == []


@pytest.mark.parametrize("report_fields", [None, {}, {"models": 7}, {"models": {"a": 1, "b": {}}}])
def test_reports_of_another_version_are_skipped(report_fields: object) -> None:
    make_upload(content=request_file(2, model="rare"))
    Upload.objects.update(report_fields=report_fields)

    assert unpriced() == []
