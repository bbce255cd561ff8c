"""Run the steps of workers one after another and without waiting, as ticks would do."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models.signals import post_save
from django.utils import timezone

from batchapp import tasks
from batchapp.models import Batch, BatchImport, LeasedRow, ProviderBatch
from batchapp.pipeline.retry_policy import PATIENCE
from batchapp.pipeline.states import step_of


class Killed(BaseException):
    """The worker died here."""


def die(*_: object, **__: object) -> None:
    raise Killed


def make_due(provider_batch: ProviderBatch) -> ProviderBatch:
    """Read the row again, due and without a lease unless it waits for a person."""
    ProviderBatch.objects.filter(pk=provider_batch.pk, next_check_at__isnull=False).update(
        next_check_at=timezone.now(), leased_until=None
    )
    return ProviderBatch.objects.get(pk=provider_batch.pk)


def advance(row: LeasedRow) -> None:
    """Do as the worker that gets the message of ``row``."""
    tasks.advance(row.row_kind, str(row.pk))


def exhaust_patience() -> None:
    """Let the provider have refused for so long that its next refusal counts."""
    ProviderBatch.objects.update(refused_since=timezone.now() - 2 * PATIENCE)
    BatchImport.objects.update(refused_since=timezone.now() - 2 * PATIENCE)


def run_step(provider_batch: ProviderBatch) -> ProviderBatch:
    """Run the step of the row once."""
    provider_batch = make_due(provider_batch)
    advance(provider_batch)
    return make_due(provider_batch)


def run_steps(provider_batch: ProviderBatch) -> Batch:
    """Run steps until the batch is over or waits for a person."""
    for _ in range(20):
        provider_batch = make_due(provider_batch)
        if provider_batch.status in ProviderBatch.OVER or provider_batch.parked_reason:
            break
        run_step(provider_batch)
    ProviderBatch.objects.start_settling()
    tasks.advance("batch", str(provider_batch.batch_id))
    return Batch.objects.get(pk=provider_batch.batch_id)


def race(*racers: Callable[[], object]) -> None:
    """Run all racers at the same moment, each with a database connection of its own."""
    start = threading.Barrier(len(racers))

    def run(racer: Callable[[], object]) -> None:
        try:
            start.wait()
            racer()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[racer]) for racer in racers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@contextmanager
def faster_worker(model: type[LeasedRow]) -> Iterator[list[LeasedRow]]:
    """Let a worker claim each new row of ``model`` before anybody else; yield what it claimed."""
    claimed: list[LeasedRow] = []

    def claim(sender: type[LeasedRow], instance: LeasedRow, created: bool, **_: Any) -> None:
        row = created and model.objects.claim(instance.pk, instance.status)
        claimed.extend([row] if row else [])

    post_save.connect(claim, sender=model)
    try:
        yield claimed
    finally:
        post_save.disconnect(claim, sender=model)


def finish_claimed(rows: list[LeasedRow]) -> None:
    """Let the worker that claimed ``rows`` do its work on them, and forget them."""
    while rows:
        row = rows.pop()
        step = step_of(row)
        assert step
        step.run(row)
