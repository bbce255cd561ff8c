"""Group the requests of a batch that have no good answer, and keep the groups."""

import time
from datetime import timedelta

import msgspec
from django.db.models import Count, Max, Min
from django.utils import timezone

from batchapp import access
from batchapp.domain.results.problem_groups import (
    MAX_SAMPLES,
    Grouper,
    ProblemGroup,
    Problems,
    Sample,
    kind_of,
)
from batchapp.domain.results.result_filter import BY_LINE, PROBLEM, ResultFilter, ValueFilter
from batchapp.models import Batch, BatchProblems, User
from batchapp.models.batches import lineage
from batchapp.services.results.columns import freshness
from batchapp.services.results.columns.columns_reader import ColumnsReader
from batchapp.services.results.outcome_counts import retryable_counts
from batchapp.services.results.results_state import state_at_end
from batchapp.services.results.retry_file import KIND_COLUMNS, results_of_kind, retryable_results

VERSION = 1  # of the groups; those of another version are made again
FEW = 1_000  # requests that are grouped for each page anew
GROUPED_AT_END = 5_000  # requests without a good answer; fewer are grouped when a person asks
MAX_COMPLETED_GROUPS = 20  # of which a third sample is looked for
# While a batch runs, its groups are made again after this many times the time that it takes.
PAUSE_FACTOR = 10


def list_problems(batch: Batch, user: User) -> Problems:
    """Return the groups of requests that have no good answer, not even from a retry.

    They are made anew if results have changed, which takes seconds if there are very many.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    return _few(batch) or _stored(batch) or _group(batch)


def list_few_problems(batch: Batch, user: User, *, most: int) -> Problems | None:
    """Do as ``list_problems``, but return None if more than ``most`` requests were to be grouped.

    Raises:
        NotAllowed: nothing was read.
    """
    access.require_see(user, batch.project)
    if found := _few(batch) or _stored(batch):
        return found
    return None if retryable_counts(batch).all > most else _group(batch)


def describe_problem(reader: ColumnsReader, key: str) -> str:
    """Return the message of the results with the problem ``key``, or how they ended.

    It is ``key`` itself if no result has the problem.
    """
    chosen = ResultFilter(values=(ValueFilter(PROBLEM, key),))
    rows = reader.page(chosen, BY_LINE, KIND_COLUMNS, start=0, size=1)
    if not rows:
        return key
    kind = kind_of(*(rows[0][name] for name in KIND_COLUMNS))
    return kind.signature or kind.outcome.label


def group_at_end(batch: Batch) -> None:
    """Group the problems of a batch that has just ended, and of those that it retries.

    Few requests are left until a person asks for them.
    """
    batches = lineage.batch_and_retries(batch)
    for row in [batch, *lineage.ancestors(batch, batches)]:
        if row.is_over and row.requests - row.usable >= GROUPED_AT_END:
            _group(row)


def _few(batch: Batch) -> Problems | None:
    """Return the groups of at most ``FEW`` requests, which are not worth keeping."""
    if batch.purged_at:
        return Problems()
    if batch.is_over and batch.requests - batch.usable > FEW:
        return None
    rows = retryable_results(batch).order_by().values_list("line", *KIND_COLUMNS)[: FEW + 1]
    if len(rows) > FEW:
        return None
    grouper = Grouper()
    for line, *ending in sorted(rows):
        grouper.add(*ending, number=1, first=line, last=line)
    return grouper.problems()


def _stored(batch: Batch) -> Problems | None:
    """Return the groups that are kept, if they show the present results."""
    stored = BatchProblems.objects.filter(batch=batch).first()
    if stored is None:
        return None
    pause = timedelta(seconds=PAUSE_FACTOR * stored.build_seconds)
    is_recent = not batch.is_over and timezone.now() - stored.built_at < pause
    if not is_recent and stored.built_from != _state_of(batch):
        return None
    return msgspec.convert(stored.problems, Problems)


def _state_of(batch: Batch) -> str:
    """Return a text that changes whenever results may have changed."""
    if not batch.is_over:
        return f"{VERSION}:{freshness.state_of(batch)}"
    return f"{VERSION}:{state_at_end(batch)}"


def _group(batch: Batch) -> Problems:
    # Read first: results that arrive while they are grouped make the groups out of date.
    state = _state_of(batch)
    started, grouper = time.monotonic(), Grouper()
    rows = retryable_results(batch).order_by().values_list(*KIND_COLUMNS)
    rows = rows.annotate(Count("pk"), Min("line"), Max("line"))
    for *values, number, first, last in rows.iterator():
        grouper.add(*values, number=number, first=first, last=last)
    problems = grouper.problems()
    for group in problems.groups[:MAX_COMPLETED_GROUPS]:
        _complete_samples(batch, group)
    BatchProblems.objects.update_or_create(
        batch=batch,
        defaults={
            "problems": msgspec.to_builtins(problems),
            "built_from": state,
            "built_at": timezone.now(),
            "build_seconds": time.monotonic() - started,
        },
    )
    return problems


def _complete_samples(batch: Batch, group: ProblemGroup) -> None:
    """Add the request after the first one, if all have the same message: so far two are known."""
    if len(group.samples) == min(MAX_SAMPLES, group.number):
        return
    first = group.samples[0]
    same = results_of_kind(batch, group.kind).filter(error_message=first.message)
    known = [sample.line for sample in group.samples]
    line = same.exclude(line__in=known).order_by("line").values_list("line", flat=True).first()
    if line is not None:
        more = [*group.samples, Sample(line, first.message)]
        group.samples = sorted(more, key=lambda sample: sample.line)
