"""The sentence, the counts and the accounting at the top of a batch's page."""

from dataclasses import dataclass

from batchapp.domain.progress import TimeLeft
from batchapp.domain.results.outcome import Outcome
from batchapp.models import Batch
from batchapp.pipeline.states import (
    ADDING_UP,
    ATTENTION,
    CANCELLING,
    FETCHING,
    PAUSED,
    PAUSING,
    QUEUED,
    WAITING,
)
from batchapp.presenters.accounting_text import accounting_text
from batchapp.presenters.batches.batch_summary import Progress, Summary
from batchapp.templatetags.words import ago_or_in, count, roughly, roughly_between


@dataclass(frozen=True, slots=True)
class Tile:
    """A count that links to the results filtered by ``outcome``."""

    label: str
    number: int
    outcome: str = ""
    tone: str = ""


def tiles(summary: Summary) -> list[Tile]:
    batch, progress = summary.batch, summary.progress
    shown = [
        Tile("request" if batch.requests == 1 else "requests", batch.requests),
        Tile("answered", progress.answered, "answered"),
        Tile("failed", progress.failed, "failed", "bad" if progress.failed else ""),
    ]
    if batch.cancelled:
        shown.append(Tile("cancelled", batch.cancelled, "cancelled"))
    if batch.missing:
        shown.append(Tile("without a result", batch.missing, "missing", "bad"))
    return shown


def headline(summary: Summary) -> str:
    """Say in a sentence how far the batch is, or how it ended."""
    batch = summary.batch
    if batch.is_over:
        return _final_headline(batch)
    total = count(batch.requests, "request")
    so_far = _so_far(summary.progress, total)
    sentences = {
        ATTENTION: "It stopped. The message above says what to do.",
        CANCELLING: f"It is being cancelled: {so_far} so far.",
        PAUSING: f"It is being paused: {so_far} so far.",
        PAUSED: f"It is paused: {so_far}. The others wait for it to be resumed.",
        QUEUED: f"Its {total} are being prepared.",
        WAITING: _waiting_text(summary),
        FETCHING: f"{batch.connection} is done; its results are being fetched.",
        ADDING_UP: "All results are here. Requests, tokens and cost are being added up.",
    }
    if summary.status in sentences:
        return sentences[summary.status]
    # While calls fail, the counts are old, and so is the pace.
    if summary.time_left is not None and not summary.is_late and not summary.troubles:
        return f"{so_far}, {_time_left_text(summary.time_left)} left."
    rows = summary.provider_batches
    due = min((row.expires_at for row in rows if row.expires_at), default=None)
    if due and not summary.is_late:
        return f"{so_far} so far; due {ago_or_in(due)} at the latest."
    return f"{so_far} so far."


def _waiting_text(summary: Summary) -> str:
    if summary.troubles:
        return "It is not sent yet. The message above says why."
    return f"It goes to {summary.batch.connection} next."


def _time_left_text(left: TimeLeft) -> str:
    return roughly(left.middle) if left.is_narrow else roughly_between(left.least, left.most)


def _so_far(progress: Progress, total: str) -> str:
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    return f"{progress.answered:,} of {total} answered{failed}"


def accounting_of(batch: Batch) -> str:
    """Say how all requests of a finished batch ended, as a sum."""
    counts = {
        Outcome.OK: batch.succeeded,
        Outcome.PROVIDER_ERROR: batch.failed,
        Outcome.CANCELLED: batch.cancelled,
        Outcome.MISSING: batch.missing,
    }
    return accounting_text(counts, batch.requests)


def _final_headline(batch: Batch) -> str:
    total = count(batch.requests, "request")
    if batch.succeeded == batch.requests:
        return f"All {total} answered." if batch.requests > 1 else "The only request is answered."
    endings = [
        (batch.failed, "failed"),
        (batch.cancelled, "cancelled"),
        (batch.missing, "came back without a result"),
    ]
    unanswered = ", ".join(f"{number:,} {words}" for number, words in endings if number)
    return f"{batch.succeeded:,} of {total} answered, {unanswered or 'the rest unknown'}."
