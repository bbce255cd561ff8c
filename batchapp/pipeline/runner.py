"""Run one attempt at a step: claim the row, run the step, and record the outcome.

The runner knows no kind of row: ``states`` says what each state of each kind needs.
"""

import logging
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone

from batchapp.models import LeasedRow, StaleRow
from batchapp.models.fields.leased_row import WAKE_INTERVAL
from batchapp.storage.blob_storage import StorageUnavailable

logger = logging.getLogger(__name__)

DueRows = Iterable[LeasedRow] | None  # other rows that a step has made due

MAX_CLAIMS = 10  # claims without progress; after so many, the row itself seems to crash workers
# Longest pause between two calls to a provider that does not answer, unless it asks for more.
MAX_RETRY_PAUSE = timedelta(minutes=5)
STORAGE_PAUSE = timedelta(seconds=30)  # before a step is run again that the storage has stopped


@dataclass(frozen=True, slots=True)
class Step:
    """The work on a row in one state.

    ``run`` moves or postpones the row, and returns the other rows that became due. ``give_up``
    stops a row that crashes every attempt. If ``before`` is set, it may move or postpone the row
    itself, so that ``run`` is left out; it returns the other rows that became due, and None if
    ``run`` is to follow. ``after`` returns the rows that became due because this row has moved.
    """

    run: Callable[[Any], DueRows]
    give_up: Callable[[Any], object]
    before: Callable[[Any], DueRows] | None = None
    after: Callable[[Any], Iterable[LeasedRow]] | None = None


def run_step(row: LeasedRow, step: Step) -> list[LeasedRow]:
    """Claim ``row``, run ``step`` on it, and return the rows that may be due for a step now.

    These are the claimed row and those that its step has made due; none if another worker has the
    row, or if the row has left its state. A row whose step needs a storage that does not answer
    stays in its state, and is due again after ``STORAGE_PAUSE``.
    """
    # Messages pile up while workers are busy: a late one finds a row that is not due any more.
    claimed = type(row).objects.claim(row.pk, row.status, by=timezone.now() + WAKE_INTERVAL)
    if claimed is None:
        return []
    name = getattr(step.run, "__name__", "step")
    try:
        due_rows: DueRows = None
        if claimed.claims > MAX_CLAIMS:
            logger.error("%s %s: %d attempts died", row.row_kind, row.pk, claimed.claims - 1)
            step.give_up(claimed)
        else:
            due_rows = step.before(claimed) if step.before else None
            if due_rows is None:
                due_rows = step.run(claimed)
        logger.info("%s %s: %s, now %s", row.row_kind, row.pk, name, claimed.status)
    except StorageUnavailable as exc:
        logger.warning("%s %s: %s stopped: %s", row.row_kind, row.pk, name, exc)
        with suppress(StaleRow):
            claimed.postpone(STORAGE_PAUSE)
        return []
    except StaleRow:
        logger.info("%s %s: lost the lease during %s", row.row_kind, row.pk, name)
        return []
    return [claimed, *(due_rows or ()), *(step.after(claimed) if step.after else ())]
