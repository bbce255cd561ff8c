"""The steps of workers, one after another and without waiting: what a tick would have done."""

import threading
from collections.abc import Callable

from django.db import connection
from django.utils import timezone

from batchapp import tasks
from batchapp.models import Batch, Part


def due(part: Part) -> Part:
    """Read ``part`` again, with its turn come if it has one."""
    Part.objects.filter(pk=part.pk, next_check_at__isnull=False).update(
        next_check_at=timezone.now(), leased_until=None
    )
    return Part.objects.get(pk=part.pk)


def step(part: Part) -> Part:
    """Do what ``part`` is due for, once."""
    part = due(part)
    if task := tasks.STEPS.get((Part, part.status)):
        task(str(part.pk))
    return due(part)


def go_on(part: Part) -> Batch:
    """Run what is due until the batch is over or waits for a person."""
    for _ in range(20):
        part = due(part)
        if (Part, part.status) not in tasks.STEPS:
            break
        step(part)
    Part.objects.end_batches()
    tasks.settle(str(part.batch_id))
    return Batch.objects.get(pk=part.batch_id)


def race(*racers: Callable[[], object]) -> None:
    """Let all of them begin at the same moment, each with a database connection of its own."""
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
