"""Count why requests of a batch have no good answer."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Count

from batchapp import access
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import Ending, ending_of
from batchapp.models import Batch, User
from batchapp.services.results.browse import most_common_error
from batchapp.services.results.retry_file import retryable_results

MAX_WITH_MESSAGES = 10_000  # results; the messages of more take too long to read for a page

# Parts of a message that differ from request to request: ids, times and counts.
VARYING = re.compile(r"\b[0-9a-f]{8}[0-9a-f-]*\b|\d+")


class Cause(NamedTuple):
    """Requests of one outcome with one ``reason``: the provider's message or code.

    Messages that differ only in ids and numbers are one reason, told as the most frequent one is.
    """

    ending: Ending
    outcome: Outcome
    reason: str
    number: int


def list_causes(batch: Batch, user: User, outcomes: "Counter[Outcome]") -> list[Cause]:
    """Return why requests have no good answer, not even from a retry, the most frequent first.

    ``outcomes`` are the counts of the batch. If they are too many to read all messages, each
    outcome is one cause, with the most common message among its first results.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    number = outcomes.total() - outcomes[Outcome.OK]
    causes: Iterator[Cause] | list[Cause] = []
    if number > MAX_WITH_MESSAGES:
        causes = _causes_by_outcome(batch, user, outcomes)
    elif number:
        causes = _causes_by_message(batch)
    return sorted(causes, key=lambda cause: -cause.number)


def _causes_by_message(batch: Batch) -> list[Cause]:
    causes: dict[tuple[Ending, Outcome, str], Cause] = {}
    columns = ("outcome", "status_code", "error_code", "error_message")
    groups = retryable_results(batch).order_by().values_list(*columns).annotate(Count("pk"))
    for outcome, status, code, message, number in sorted(groups, key=lambda group: -group[-1]):
        if ending := ending_of(outcome, status):
            reason = message or code
            key = ending, outcome, VARYING.sub("#", reason)
            known = causes.get(key, Cause(ending, Outcome(outcome), reason, 0))
            causes[key] = known._replace(number=known.number + number)
    return list(causes.values())


def _causes_by_outcome(batch: Batch, user: User, outcomes: "Counter[Outcome]") -> Iterator[Cause]:
    if batch.retries.exists():
        rows = retryable_results(batch).order_by().values_list("outcome").annotate(Count("pk"))
        outcomes = Counter({Outcome(outcome): number for outcome, number in rows})
    for outcome, number in outcomes.items():
        if ending := ending_of(outcome, None):
            message = most_common_error(batch, user, [outcome]) if outcome.is_failure else ""
            yield Cause(ending, outcome, message, number)
