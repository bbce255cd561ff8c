"""The groups of requests without a good answer, each with its cause and what mends it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from batchapp.domain.results.known_causes import NextStep, cause_of
from batchapp.domain.results.outcome import SUCCEEDED
from batchapp.domain.results.problem_groups import ProblemGroup, Problems, Sample
from batchapp.forms.batches.results import problem_address
from batchapp.models import Batch
from batchapp.templatetags.statuses import Status, outcome_status
from batchapp.templatetags.words import count

MAX_ON_OVERVIEW = 6  # groups on the page of a batch; the page of its problems has all
PAGE_SIZE = 50
NO_REASON = "No reason was given"
RETRY_LABELS = {
    NextStep.RETRY: "Retry only these",
    NextStep.MORE_TOKENS: "Retry with more tokens",
    NextStep.OTHER_MODEL: "Retry with another model",
}
SHORT_LABELS = {
    "Retry only these": "Retry",
    "Retry with more tokens": "More tokens",
    "Retry with another model": "Other model",
    "Read them": "Read",
}


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A group; ``cause`` or ``message`` is "" if it would say nothing.

    ``action`` is the label of the button that mends the requests, and ``url`` its page;
    ``retry_url`` leads to a retry of the group where the button does something else, and
    ``results_url`` to the results of the group.
    """

    key: str
    status: Status
    number: int
    facts: str
    cause: str
    message: str
    samples: Sequence[Sample]
    action: str
    url: str
    retry_url: str
    results_url: str

    @property
    def short_action(self) -> str:
        """Return the label of the button where there is little room."""
        return SHORT_LABELS.get(self.action, self.action)

    @property
    def reason(self) -> str:
        """Return the provider's own message, else the cause, in one line."""
        return self.message or self.cause or NO_REASON


@dataclass(frozen=True, slots=True)
class ProblemList:
    """A page of the groups of a batch, of which ``total`` requests have no good answer.

    ``others`` of them are in none of ``rows``. ``previous`` and ``next`` are the positions at
    which the pages beside this one begin, None at an end.
    """

    total: int
    rows: list[ProblemRow]
    others: int
    text: str = ""
    previous: int | None = None
    next: int | None = None


def problem_overview(batch: Batch, problems: Problems, *, can_write: bool) -> ProblemList:
    """Return the largest groups."""
    groups = problems.groups[:MAX_ON_OVERVIEW]
    rows = [problem_row(batch, group, can_write=can_write) for group in groups]
    return ProblemList(problems.total, rows, problems.total - sum(row.number for row in rows))


def problem_page(
    batch: Batch, problems: Problems, *, can_write: bool, start: int = 0
) -> ProblemList:
    """Return the groups from position ``start`` on; without any there, the first page."""
    groups = problems.groups
    start = start if 0 <= start < len(groups) else 0
    end = start + PAGE_SIZE
    rows = [problem_row(batch, group, can_write=can_write) for group in groups[start:end]]
    place = f"Groups {start + 1:,} to {start + len(rows):,} of " if len(groups) > PAGE_SIZE else ""
    return ProblemList(
        problems.total,
        rows,
        problems.others if end >= len(groups) else 0,
        text=f"{place}{count(len(groups), 'group')}",
        previous=max(0, start - PAGE_SIZE) if start else None,
        next=end if end < len(groups) else None,
    )


def problem_row(batch: Batch, group: ProblemGroup, *, can_write: bool) -> ProblemRow:
    kind, first = group.kind, group.samples[0]
    cause = cause_of(kind.outcome, kind.status_code, group.error_code, first.message)
    retry_url = f"{reverse('batch_retry', args=[batch.pk])}?{urlencode({'problem': kind.key})}"
    results_url = f"{reverse('result_list', args=[batch.pk])}{problem_address(kind.key)}"
    action, url = _action(batch, cause.next_step, retry_url, results_url, can_write=can_write)
    is_retry = url.startswith(retry_url)
    return ProblemRow(
        key=kind.key,
        status=outcome_status(kind.outcome),
        number=group.number,
        facts=_facts(group),
        cause=cause.sentence,
        message=first.message or ("" if kind.outcome in SUCCEEDED else group.error_code),
        samples=group.samples,
        action=action,
        url=url,
        retry_url=retry_url if can_write and not is_retry else "",
        results_url=results_url,
    )


def _facts(group: ProblemGroup) -> str:
    lines = f"line {group.first:,}"
    if group.number > 1:
        lines = f"lines {group.first:,} to {group.last:,}"
    status = f"HTTP {group.kind.status_code}" if group.kind.status_code else ""
    return " · ".join(filter(None, [count(group.number, "request"), status, lines]))


def _action(
    batch: Batch, next_step: NextStep, retry_url: str, results_url: str, *, can_write: bool
) -> tuple[str, str]:
    """Return the label and the address of what mends a group; viewers can only read."""
    if can_write and next_step in RETRY_LABELS:
        anchor = "#id_model" if next_step is NextStep.OTHER_MODEL else ""
        return RETRY_LABELS[next_step], f"{retry_url}{anchor}"
    if can_write and next_step is NextStep.CORRECT:
        return "Open the file", batch.upload.get_absolute_url()
    return "Read them", results_url
