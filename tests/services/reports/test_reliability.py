"""Failures, lateness and waste by model."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.models import Batch, ModelCost, ProviderBatch, Upload, User
from batchapp.services.reports import reliability
from batchapp.services.reports.cost_report import portal_today
from batchapp.services.reports.scope import Scope
from tests.make import (
    MODEL,
    answer_line,
    error_line,
    finish,
    make_administrator,
    make_batch,
    make_upload,
    request_file,
)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stopped_clock")]


@pytest.fixture
def scope() -> Scope:
    today = portal_today()
    return Scope(today - timedelta(days=1), today, make_administrator())


def only(scope: Scope, name: str) -> list[Batch]:
    return list(Scope(scope.first, scope.last, scope.viewer, only=name).batches())


def test_requests_without_an_answer_have_failed_unless_some_were_cancelled(scope: Scope) -> None:
    failed = finish(make_batch(), [answer_line(1)], [error_line(2), error_line(3)])
    cancelled = finish(make_batch(), [answer_line(1)], [error_line(2)])
    Batch.objects.filter(pk=cancelled.pk).update(cancelled=1)

    (line,) = reliability.by_model(scope)

    assert (line.model, line.batches, line.requests) == (MODEL, 2, 6)
    assert (line.failed, line.counted) == (2, 3)
    assert only(scope, "failed") == [failed]


def test_a_batch_is_late_if_it_ended_after_its_window(scope: Scope) -> None:
    late, _ = (finish(make_batch()) for _ in range(2))
    now = timezone.now()
    ProviderBatch.objects.update(ended_at=now, expires_at=now)
    ProviderBatch.objects.filter(batch=late).update(expires_at=now - timedelta(seconds=1))

    (line,) = reliability.by_model(scope)

    assert (line.late, line.batches) == (1, 2)
    assert only(scope, "late") == [late]


def test_waste_is_counted_with_its_cost_and_an_unknown_cost_stays_unknown(scope: Scope) -> None:
    first = finish(make_batch())
    retry = finish(make_batch(parent=first))
    other = finish(make_batch(upload=make_upload(content=request_file(model="new/model"))))
    ModelCost.objects.update(cost_usd=Decimal("0.3"))
    ModelCost.objects.filter(batch=first).update(cut_short=2, cut_short_usd=Decimal("0.1"))
    ModelCost.objects.filter(batch=other).update(cut_short=1, cut_short_usd=None)
    repeated = {MODEL: {"requests": 1}}
    for upload in Upload.objects.filter(pk=first.upload_id):
        upload.report_fields["repeated"] = repeated
        upload.save()

    lines = {line.model: line for line in reliability.by_model(scope)}
    total = reliability.overall(scope, list(lines.values()))

    known = lines[MODEL]
    assert (known.cut_short, known.cut_short_usd) == (2, Decimal("0.1"))
    assert (known.retries, known.retries_usd) == (1, Decimal("0.3"))
    assert (known.repeated, known.repeated_usd) == (1, Decimal("0.1"))
    assert (lines["new/model"].cut_short, lines["new/model"].cut_short_usd) == (1, None)
    assert (total.cut_short, total.cut_short_usd, total.repeated) == (3, None, 1)
    assert only(scope, "retries") == [retry]
    assert {*only(scope, "cut_short")} == {first, other}


def test_the_sum_over_all_models_counts_a_batch_of_two_models_once(scope: Scope) -> None:
    batch = finish(make_batch())
    (cost,) = batch.model_costs.all()
    cost.pk, cost.model = None, "other/model"
    cost.save()

    lines = reliability.by_model(scope)

    assert [line.batches for line in lines] == [1, 1]
    assert reliability.overall(scope, lines).batches == 1


def test_other_teams_are_not_counted(scope: Scope, user: User) -> None:
    finish(make_batch())

    assert reliability.by_model(Scope(scope.first, scope.last, user)) == []
