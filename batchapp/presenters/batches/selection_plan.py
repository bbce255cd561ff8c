"""What an action on several batches will do, and for which of them it cannot be done and why."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from batchapp.domain.results.retry_selection import (
    DEFAULT_OUTCOMES,
    MAX_TOKENS_FACTORS,
    Selection,
)
from batchapp.forms.batches.selection import MOST, Act
from batchapp.models import Batch
from batchapp.presenters.batches.batch_retries import retry_amount
from batchapp.presenters.batches.batch_summary import Summary
from batchapp.templatetags.words import count, usd

# What a retry of several batches runs again, as the page of one retry proposes it.
RETRIED = Selection(DEFAULT_OUTCOMES, max_tokens_factor=MAX_TOKENS_FACTORS[0])

TITLES = {
    Act.CANCEL: "Cancel batches",
    Act.EXPORT: "Export batches",
    Act.RETRY: "Retry batches",
    Act.TAG: "Tag batches",
}
BUTTONS = {
    Act.CANCEL: "Cancel {batches}",
    Act.EXPORT: "Export {batches}",
    Act.RETRY: "Write {files}",
    Act.TAG: "Change the tags of {batches}",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """``will`` are the batches that the action is for; ``cannot`` the others, each with why."""

    act: Act
    will: list[Summary]
    cannot: list[tuple[Summary, str]]
    requests: int = 0
    cost: str = ""

    @property
    def title(self) -> str:
        return TITLES[self.act]

    @property
    def button(self) -> str:
        number = len(self.will)
        return BUTTONS[self.act].format(
            batches=count(number, "batch,batches"), files=count(number, "retry file")
        )

    @property
    def is_dangerous(self) -> bool:
        return self.act is Act.CANCEL


def too_many_text(act: Act, number: int) -> str:
    """Return a sentence if ``number`` batches are too many for one action, else ""."""
    most = MOST[act]
    if number <= most:
        return ""
    verb = {Act.CANCEL: "cancelled", Act.EXPORT: "exported", Act.RETRY: "retried"}
    return (
        f"At most {most:,} batches can be {verb.get(act, 'tagged')} at once, and these are "
        f"{number:,}. Narrow the filter, or tick fewer."
    )


def make_plan(
    act: Act,
    summaries: Sequence[Summary],
    *,
    may_act: Callable[[Batch], bool],
    retryable: Mapping[UUID, int],
) -> Plan:
    """``retryable`` counts the requests that a retry of each batch would run again."""
    cannot: list[tuple[Summary, str]] = []
    will: list[Summary] = []
    for summary in summaries:
        why = _why_not(act, summary, retryable, may_act=may_act(summary.batch))
        if why:
            cannot.append((summary, why))
        else:
            will.append(summary)
    return Plan(act, will, cannot, *_totals(act, will, retryable))


def _why_not(act: Act, summary: Summary, retryable: Mapping[UUID, int], *, may_act: bool) -> str:
    batch = summary.batch
    if not may_act:
        return f"You may look at everything in {batch.project}, but not change it."
    if act is Act.CANCEL and not summary.can_be_cancelled:
        return "It is being cancelled already." if not batch.is_over else "It is over."
    if act in {Act.EXPORT, Act.RETRY} and batch.purged_at:
        return "Its requests and answers were deleted."
    if act is Act.EXPORT and not summary.progress.done:
        return "It has no results."
    if act is Act.RETRY:
        return _why_no_retry(summary, retryable)
    return ""


def _why_no_retry(summary: Summary, retryable: Mapping[UUID, int]) -> str:
    batch = summary.batch
    if not batch.is_over:
        return "It is under way: retry it once it is over."
    if any(not retry.is_over for retry in batch.retries.all()):
        return "A retry of it is under way."
    return "" if retryable.get(batch.pk) else "It has nothing that a retry would help."


def _totals(act: Act, will: Sequence[Summary], retryable: Mapping[UUID, int]) -> tuple[int, str]:
    """Return the requests that the action is about, and what they cost as far as that is known."""
    if act is Act.CANCEL:
        amounts = [summary.batch.estimated_cost_usd for summary in will]
        open_requests = sum(row.progress.total - row.progress.done for row in will)
        return open_requests, _cost_text(amounts)
    if act is Act.RETRY:
        numbers = [(row.batch, retryable[row.batch.pk]) for row in will]
        amounts = [retry_amount(batch, RETRIED, number) for batch, number in numbers]
        return sum(number for _, number in numbers), _cost_text(amounts)
    return sum(row.progress.done for row in will), ""


def _cost_text(amounts: Sequence[Decimal | None]) -> str:
    """Return the sum with ~ before it; what is unknown is counted, and never shown as zero."""
    known = [amount for amount in amounts if amount is not None]
    unknown = len(amounts) - len(known)
    text = f"~{usd(sum(known, Decimal(0)))}" if known else ""
    if unknown:
        missing = f"{count(unknown, 'batch,batches')} of unknown cost"
        text = f"{text} and {missing}" if text else missing
    return text
