"""Celery tasks: ``tick``, and one that advances a row. The row is the truth; a message wakes it.

A lost, repeated or late message costs one tick; a worker that dies costs one lease.
"""

import time

from django.db import transaction
from django.utils import timezone

from batchapp.models import LeasedRow, ProviderBatch
from batchapp.models.fields.leased_row import WAKE_INTERVAL
from batchapp.pipeline.runner import run_step
from batchapp.pipeline.states import ROW_STATES, step_of
from batchapp.services.health import portal_health
from config.celery import app

WAIT_SECONDS = 0.2  # between two looks at a row that another worker has
ROWS_PER_TICK = 500  # per kind of row
MODELS = {model._meta.model_name: model for model in ROW_STATES}


@app.task
def tick() -> None:
    """Wake every due row, and settle batches whose last provider batch ended unnoticed.

    A row that was woken is not due again for ``WAKE_INTERVAL``, so that messages do not pile up
    while the workers are busy.
    """
    ProviderBatch.objects.start_settling()
    now = timezone.now()
    for model in ROW_STATES:
        rows = list(model.objects.due(now).order_by("next_check_at")[:ROWS_PER_TICK])
        model.objects.due(now).filter(pk__in=[row.pk for row in rows]).update(
            next_check_at=now + WAKE_INTERVAL
        )
        for row in rows:
            if step_of(row):
                advance.delay(row.kind, str(row.pk))
    portal_health.record_tick()


@app.task
def advance(kind: str, pk: str) -> None:
    """Run the step that one row is due for, and wake the rows that are due then."""
    row = MODELS[kind].objects.filter(pk=pk).first()
    step = row and step_of(row)
    for due_row in run_step(row, step) if row and step else ():
        wake(due_row)


def wake(row: LeasedRow) -> None:
    """Send the message for the step that ``row`` is due for, after this transaction commits."""
    if step_of(row) and row.next_check_at and row.next_check_at <= timezone.now():
        transaction.on_commit(lambda: advance.delay(row.kind, str(row.pk)), robust=True)


def run(row: LeasedRow) -> None:
    """Run the step that ``row`` is due for now, before the page is shown.

    Use this only for steps that take no longer than a page. If a worker was faster, ``row`` shows
    that the worker has it.
    """
    advance(row.kind, str(row.pk))
    row.refresh_from_db()


def run_or_wait(row: LeasedRow) -> None:
    """Run the step that ``row`` is due for, or wait for the worker that was faster.

    If that worker dies, the step runs here as soon as its lease has ended.
    """
    status = row.status
    while row.status == status:
        run(row)
        if row.status == status:
            time.sleep(WAIT_SECONDS)
