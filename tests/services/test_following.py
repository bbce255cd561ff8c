"""From running at the provider to a settled batch."""

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest
from django.utils import timezone

from batchapp import tasks
from batchapp.domain.outcome import Outcome
from batchapp.models import Batch, Part, Segment
from batchapp.services import browsing, preparing, steering
from tests.make import answer_line, error_line, finish, make_batch, make_upload, set_part
from tests.provider import Provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def running(provider: Provider) -> Part:
    """A part of three requests that the provider works on."""
    part = Part.objects.get(batch=make_batch())
    preparing.prepare(part)
    tasks.submit(str(part.pk))
    return due(part)


def due(part: Part) -> Part:
    Part.objects.filter(pk=part.pk, next_check_at__isnull=False).update(
        next_check_at=timezone.now(), leased_until=None
    )
    return Part.objects.get(pk=part.pk)


def go_on(part: Part) -> Batch:
    """Run what is due until the batch is over or waits for a person, as a tick would."""
    for _ in range(20):
        part = due(part)
        step = tasks.STEPS.get((Part, part.status))
        if step is None:
            break
        step(str(part.pk))
    Batch.objects.begin_settling()
    tasks.settle(str(part.batch_id))
    return Batch.objects.get(pk=part.batch_id)


def output(batch: Batch) -> bytes:
    return b"".join(browsing.download(batch, Segment.Kind.OUTPUT))


def test_every_request_is_accounted_for_and_paid_at_the_frozen_price(
    provider: Provider, running: Part
) -> None:
    provider.finish([answer_line(3), answer_line(1)], [error_line(2)])
    running.batch.connection.prices.update(input_usd=999)  # an edit never rewrites history

    batch = go_on(running)

    assert batch.status == Batch.Status.COMPLETED
    assert (batch.succeeded, batch.failed, batch.missing) == (2, 1, 0)
    assert batch.is_accounted_for
    assert (batch.input_tokens, batch.output_tokens) == (200, 100)
    assert batch.actual_cost_usd == Decimal("0.0004")
    assert output(batch) == answer_line(3) + b"\n" + answer_line(1) + b"\n"
    assert list(batch.results.values_list("custom_id", "outcome")) == [
        ("row-1", Outcome.OK),
        ("row-2", Outcome.PROVIDER_ERROR),
        ("row-3", Outcome.OK),
    ]


def test_results_come_in_while_the_batch_runs_and_each_line_once(
    provider: Provider, running: Part
) -> None:
    provider.finish([answer_line(2)], status="in_progress")
    tasks.poll(str(running.pk))
    tasks.harvest(str(due(running).pk))
    part = due(running)
    assert part.status == Part.Status.RUNNING
    assert part.output_lines == 1

    provider.finish([answer_line(2), answer_line(1), answer_line(3)])
    batch = go_on(part)

    assert output(batch).count(b"row-2") == 1
    assert batch.succeeded == 3


def test_a_line_that_slipped_behind_the_cursor_is_found_at_the_end(
    provider: Provider, running: Part
) -> None:
    provider.finish([answer_line(2), answer_line(3)], status="in_progress")
    tasks.poll(str(running.pk))
    tasks.harvest(str(due(running).pk))

    provider.finish([answer_line(2), answer_line(1), answer_line(3)])  # committed out of order
    batch = go_on(running)

    assert batch.succeeded == 3
    assert output(batch).count(b"\n") == 3


def test_a_body_cut_in_the_middle_is_fetched_again(provider: Provider, running: Part) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])

    def cut(call: str, request: httpx.Request) -> None:
        if call == "GET /v1/files/ID/content":
            raise httpx.RemoteProtocolError("peer closed connection", request=request)

    provider.after = cut
    tasks.poll(str(running.pk))
    tasks.harvest(str(due(running).pk))
    assert due(running).status == Part.Status.HARVESTING

    provider.after = lambda *_: None
    batch = go_on(running)

    assert batch.succeeded == 3


def test_a_death_between_storing_and_recording_loses_and_doubles_nothing(
    provider: Provider, running: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    tasks.poll(str(running.pk))
    with monkeypatch.context() as dying:
        dying.setattr(Part, "renew", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tasks.harvest(str(due(running).pk))
    assert not Segment.objects.exists()

    batch = go_on(running)

    assert batch.succeeded == 3
    assert output(batch).count(b"\n") == 3


def test_lines_nobody_asked_for_and_garbage_are_kept_and_reported(
    provider: Provider, running: Part
) -> None:
    strange = [answer_line(99), b"<html>", b"\xff\xfe", b'{"custom_id": 5}']
    provider.finish([answer_line(1), *strange, answer_line(2), answer_line(3)])

    batch = go_on(running)

    assert batch.succeeded == 3
    assert output(batch).count(b"\n") == 7
    assert batch.events.filter(text__startswith="4 result lines").count() == 1


def test_what_never_came_back_is_missing_and_said_so(provider: Provider, running: Part) -> None:
    provider.finish([answer_line(1)])

    batch = go_on(running)

    assert (batch.succeeded, batch.missing) == (1, 2)
    assert not batch.is_accounted_for
    assert batch.events.filter(text__contains="3 in = 1 answered + 2 missing").exists()


def test_a_batch_without_one_answer_has_failed(provider: Provider, running: Part) -> None:
    provider.finish([], [error_line(n) for n in (1, 2, 3)], status="failed")

    batch = go_on(running)

    assert batch.status == Batch.Status.FAILED
    assert batch.actual_cost_usd == 0


def test_cancelling_keeps_and_pays_what_was_answered(provider: Provider, running: Part) -> None:
    provider.finish([answer_line(1)], status="in_progress")
    steering.request_cancel(running.batch, running.batch.created_by)

    batch = go_on(running)

    assert batch.status == Batch.Status.CANCELLED
    assert (batch.succeeded, batch.cancelled) == (1, 2)
    assert output(batch) == answer_line(1) + b"\n"
    assert batch.actual_cost_usd == Decimal("0.0002")


def test_a_batch_that_ended_is_not_cancelled_over_there(provider: Provider, running: Part) -> None:
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    steering.request_cancel(running.batch, running.batch.created_by)

    batch = go_on(running)

    assert batch.status == Batch.Status.COMPLETED
    assert "POST /v1/batches/ID/cancel" not in provider.calls


def test_a_batch_the_provider_lost_waits_for_a_person(provider: Provider, running: Part) -> None:
    provider.before = lambda *_: httpx.Response(404, text="Batch with ID x not found")

    tasks.poll(str(running.pk))

    part = due(running)
    assert part.status == Part.Status.NEEDS_ATTENTION
    assert part.stopped_in == Part.Status.RUNNING
    steering.try_again(part.batch, part.batch.created_by)
    provider.before = lambda *_: None
    provider.finish([answer_line(n) for n in (1, 2, 3)])
    assert go_on(part).succeeded == 3


def test_an_unknown_status_counts_as_running(provider: Provider, running: Part) -> None:
    provider.finish([], status="pondering")

    tasks.poll(str(running.pk))

    assert due(running).status == Part.Status.RUNNING


def test_a_plain_provider_is_read_at_the_end_only(provider: Provider, running: Part) -> None:
    connection = running.batch.connection
    connection.has_partial_results = False
    connection.save()
    provider.finish([answer_line(1)], status="in_progress")
    tasks.poll(str(running.pk))
    assert due(running).status == Part.Status.RUNNING

    provider.finish([answer_line(n) for n in (1, 2, 3)])
    assert go_on(running).succeeded == 3


def test_a_model_without_a_price_is_never_free() -> None:
    batch = make_batch()
    batch.charges.update(input_price=None, output_price=None)

    batch = finish(batch)

    assert batch.actual_cost_usd is None
    assert batch.charges.get().cost_usd is None
    assert batch.charges.get().input_tokens == 300


def test_answers_without_usage_are_counted(provider: Provider, running: Part) -> None:
    silent = answer_line(1).replace(b'"usage"', b'"usages"')
    provider.finish([silent, answer_line(2), answer_line(3)])

    batch = go_on(running)

    assert batch.charges.get().answers_without_usage == 1


def test_cancelling_before_the_ledger_is_written_still_adds_up() -> None:
    batch = make_batch(upload=make_upload())
    steering.request_cancel(batch, batch.created_by)
    set_part(batch, status=Part.Status.CANCELLED, next_check_at=None)

    Batch.objects.begin_settling()
    tasks.settle(str(batch.pk))

    batch.refresh_from_db()
    assert (batch.status, batch.cancelled) == (Batch.Status.CANCELLED, 3)


def test_late_results_of_a_cancelled_batch_are_waited_for(
    provider: Provider, running: Part
) -> None:
    provider.finish([answer_line(1)], status="cancelled")

    tasks.poll(str(running.pk))

    part = Part.objects.get(pk=running.pk)
    assert part.status == Part.Status.HARVESTING
    assert part.next_check_at
    assert part.next_check_at > timezone.now() + timedelta(seconds=20)
