"""Celery tasks: ``tick``, and one that advances a row. The row is the truth; a message wakes it.

A lost, repeated or late message costs one tick; a worker that dies costs one lease.
"""

import time
from datetime import datetime
from typing import Any

from celery.signals import task_prerun
from django.db import transaction
from django.utils import timezone

from batchapp.models import (
    IdempotencyKey,
    LeasedRow,
    Mailbox,
    Notice,
    ProviderBatch,
    StatementRecipient,
    WebhookEndpoint,
)
from batchapp.models.audit.origin import AuditSource, coming_from
from batchapp.models.fields.leased_row import WAKE_INTERVAL
from batchapp.pipeline.runner import run_step
from batchapp.pipeline.states import ROW_STATES, step_of
from batchapp.services.audit import delete_old_events, seal_events
from batchapp.services.direct import direct_requests
from batchapp.services.health import portal_health
from batchapp.services.lifecycle import end_notice
from batchapp.services.mail import outbox
from config.celery import app

WAIT_SECONDS = 0.2  # between two looks at a row that another worker has
ROWS_PER_TICK = 500  # per kind of row
# Of what people and other programs are told, so few messages wait for workers at a time that the
# steps of batches, which come into the same queue, go on within seconds.
FEW_AT_ONCE: dict[type[LeasedRow], int] = dict.fromkeys(
    [Notice, Mailbox, WebhookEndpoint, StatementRecipient], 25
)
MODELS = {model._meta.model_name: model for model in ROW_STATES}


@task_prerun.connect
def note_worker(task: Any, **_: object) -> None:
    """Let the system page know that the worker of this process takes tasks."""
    portal_health.record_worker(task.request.hostname or "worker")


@app.task
def tick() -> None:
    """Wake every due row, settle batches that ended unnoticed, and note those that are late.

    A row that was woken is not due again for ``WAKE_INTERVAL``, so that messages do not pile up
    while the workers are busy.
    """
    ProviderBatch.objects.start_settling()
    end_notice.record_late()
    now = timezone.now()
    for model in ROW_STATES:
        rows = list(model.objects.due(now).order_by("next_check_at")[: _room(model, now)])
        if not rows:
            continue
        model.objects.due(now).filter(pk__in=[row.pk for row in rows]).update(
            next_check_at=now + WAKE_INTERVAL
        )
        for row in rows:
            if step_of(row):
                advance.delay(row.row_kind, str(row.pk))
    if outbox.is_due():
        send_emails.delay()
    direct_requests.settle_forgotten(now)
    if IdempotencyKey.objects.outdated().exists():
        IdempotencyKey.objects.outdated().delete()
    if seal_events.is_due() or delete_old_events.is_due():
        keep_audit.delay()
    portal_health.record_tick()


def _room(model: type[LeasedRow], now: datetime) -> int:
    """Return how many rows of ``model`` a tick may wake."""
    if model not in FEW_AT_ONCE:
        return ROWS_PER_TICK
    # Rows that were woken and that no worker has taken yet are due again after ``WAKE_INTERVAL``.
    woken = model.objects.filter(next_check_at__gt=now, next_check_at__lte=now + WAKE_INTERVAL)
    return max(0, FEW_AT_ONCE[model] - int(woken.count()))


@app.task
def send_emails() -> None:
    """Send the e-mails that are due; each is taken by one worker alone."""
    outbox.send_due()


@app.task
def keep_audit() -> None:
    """Seal the events of the audit, and delete those that are older than the setting says."""
    with coming_from(AuditSource.PORTAL):
        seal_events.seal_all()
        delete_old_events.delete_outdated()


@app.task
def advance(kind: str, pk: str) -> None:
    """Run the step that one row is due for, and wake the rows that are due then."""
    row = MODELS[kind].objects.filter(pk=pk).first()
    step = row and step_of(row)
    with coming_from(AuditSource.PORTAL):
        due_rows = run_step(row, step) if row and step else ()
    for due_row in due_rows:
        wake(due_row)


def wake(row: LeasedRow) -> None:
    """Send the message for the step that ``row`` is due for, after this transaction commits."""
    if step_of(row) and row.next_check_at and row.next_check_at <= timezone.now():
        transaction.on_commit(lambda: advance.delay(row.row_kind, str(row.pk)), robust=True)


def run(row: LeasedRow) -> None:
    """Run the step that ``row`` is due for now, before the page is shown.

    Use this only for steps that take no longer than a page. If a worker was faster, ``row`` shows
    that the worker has it.
    """
    advance(row.row_kind, str(row.pk))
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
