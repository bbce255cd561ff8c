"""The results that a command reads: their columns file, and the options that choose some."""

from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import CommandError

from batchapp import tasks
from batchapp.domain.results.outcome import GROUPS, Outcome
from batchapp.domain.results.result_filter import ResultFilter
from batchapp.models import Batch, ResultColumns, User
from batchapp.services.results.columns import answer_rows, freshness
from batchapp.services.results.columns.open_columns import open_columns

EVERY = "every"  # as on the page that makes a table of answers
OUTCOMES = [*GROUPS, *(outcome.value for outcome in Outcome)]


def add_filter_options(parser: ArgumentParser) -> None:
    parser.add_argument("--search", default="", metavar="TEXT", help="only results with it")
    parser.add_argument("--own", action="store_true", help="without the answers of retries")


def filter_of(options: dict[str, Any]) -> ResultFilter:
    outcome = "" if options["outcome"] == EVERY else options["outcome"]
    return ResultFilter(outcome, options["search"], own=options["own"])


def columns_of(batch: Batch, user: User) -> ResultColumns:
    """Return the columns file of the batch, built here or by a worker if it is not there."""
    columns = freshness.request_columns(batch, user)
    if columns.status == ResultColumns.Status.BUILDING:
        tasks.run_or_wait(columns)
    if not columns.blob:
        raise CommandError("The results could not be prepared; the portal's log says why.")
    return ResultColumns.objects.select_related("batch__project").get(batch=batch)


@contextmanager
def open_answers(
    batch: Batch, user: User, chosen: ResultFilter
) -> Iterator[tuple[list[str], Iterator[list[str]]]]:
    """Yield header and rows of the chosen results, as the page "Use answers as a table" has them.

    Raises:
        CommandError: the batch still runs, or its results are being prepared anew.
        Refused: its requests and answers were deleted.
    """
    batch.require_content()
    if not batch.is_over:
        raise CommandError(f"{batch.name} still runs. Use its answers when it is over.")
    with open_columns(columns_of(batch, user), user, own=chosen.own) as reader:
        if reader is None:
            raise CommandError("The results are being prepared anew. Try again.")
        yield answer_rows.read_rows(reader, chosen)
