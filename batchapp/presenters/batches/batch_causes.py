"""The reasons why requests have no good answer, each with what a person can do about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.urls import reverse

from batchapp.domain.results.retry_selection import ADVICE, DEFAULT_ENDINGS, Ending
from batchapp.models import Batch
from batchapp.services.results.causes import Cause
from batchapp.templatetags.statuses import Status, outcome_status

MAX_ROWS = 6

# Where the provider gave no message.
REASONS = {
    Ending.MISSING: "The provider returned nothing",
    Ending.EXPIRED: "The completion window ended before it was its turn",
    Ending.CANCELLED: "Not tried before the batch was cancelled",
    Ending.TRUNCATED: "Reached its max_tokens",
    Ending.INVALID_SCHEMA: "Not JSON, or not as its schema asks",
    Ending.EMPTY: "The model gave no text",
    Ending.REFUSED: "The model declined to answer",
}


@dataclass(frozen=True, slots=True)
class CauseRow:
    """``number`` requests with one reason; ``action`` is a verb and ``url`` its page."""

    status: Status
    reason: str
    number: int
    action: str
    url: str
    results_url: str


@dataclass(frozen=True, slots=True)
class Causes:
    """``total`` requests need a look; ``others`` of them have reasons beyond ``rows``."""

    total: int
    rows: list[CauseRow]
    others: int


def causes_of(batch: Batch, causes: Sequence[Cause], *, can_write: bool) -> Causes:
    total = sum(cause.number for cause in causes)
    rows = [_row(batch, cause, can_write=can_write) for cause in causes[:MAX_ROWS]]
    return Causes(total, rows, total - sum(row.number for row in rows))


def _row(batch: Batch, cause: Cause, *, can_write: bool) -> CauseRow:
    results = f"{reverse('result_list', args=[batch.pk])}?{urlencode({'outcome': cause.outcome})}"
    action, url = "Read", results
    if can_write and cause.ending in DEFAULT_ENDINGS:
        action = "Raise max_tokens" if cause.ending is Ending.TRUNCATED else "Retry"
        url = f"{reverse('batch_retry', args=[batch.pk])}?{urlencode({'ending': cause.ending})}"
    return CauseRow(
        status=replace(outcome_status(cause.outcome), label=ADVICE[cause.ending].label),
        reason=cause.reason or REASONS.get(cause.ending, "No reason was given"),
        number=cause.number,
        action=action,
        url=url,
        results_url=results,
    )
