"""Count how the requests of a batch ended, and why some have no good answer."""

import re
from collections import Counter
from typing import NamedTuple

from django.db.models import Count

from batchapp import access
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import Ending, ending_of
from batchapp.models import Batch, User
from batchapp.services.results.retry_file import retryable_results

MAX_WITH_MESSAGES = 10_000  # results; the messages of more take too long to read for a page

# Parts of a message that differ from request to request: ids, times and counts.
VARYING = re.compile(r"\b[0-9a-f]{8}[0-9a-f-]*\b|\d+")


class Cause(NamedTuple):
    """Requests of one outcome with one ``reason``: the provider's message, code or status.

    Messages that differ only in ids and numbers are one reason, told as the most frequent one is.
    """

    ending: Ending
    outcome: Outcome
    reason: str
    number: int


def count_outcomes(batch: Batch) -> "Counter[Outcome]":
    """Count the results of ``batch`` itself, without its retries, from an index alone."""
    rows = batch.results.order_by().values_list("outcome").annotate(Count("pk"))
    return Counter({Outcome(outcome): number for outcome, number in rows})


def list_causes(batch: Batch, user: User, outcomes: "Counter[Outcome]") -> list[Cause]:
    """Return why requests have no good answer, not even from a retry, the most frequent first.

    ``outcomes`` are the counts of the batch.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    number = outcomes.total() - outcomes[Outcome.OK]
    if not number:
        return []
    rows = retryable_results(batch).order_by()
    columns = ["outcome", "status_code"]
    if number <= MAX_WITH_MESSAGES:
        columns += ["error_code", "error_message"]
    causes: dict[tuple[Ending, Outcome, str], Cause] = {}
    for group in rows.values(*columns).annotate(number=Count("pk")).order_by("-number"):
        outcome, status = Outcome(group["outcome"]), group["status_code"]
        if ending := ending_of(outcome, status):
            reason = group.get("error_message") or group.get("error_code") or ""
            if not reason and not outcome.is_answer and status:
                reason = f"HTTP status {status}"
            key = ending, outcome, VARYING.sub("#", reason)
            known = causes.get(key, Cause(ending, outcome, reason, 0))
            causes[key] = known._replace(number=known.number + group["number"])
    return sorted(causes.values(), key=lambda cause: -cause.number)
