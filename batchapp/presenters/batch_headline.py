"""What is said of one batch on its own page: the sentence on top, the counts, the proof."""

from dataclasses import dataclass

from batchapp.domain.progress import TimeLeft
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.reconciliation import proof
from batchapp.models import Batch
from batchapp.presenters.batch_status import (
    ADDING_UP,
    ATTENTION,
    CANCELLING,
    FETCHING,
    PAUSED,
    PAUSING,
    QUEUED,
    WAITING,
)
from batchapp.presenters.batch_summary import Progress, Summary
from batchapp.templatetags.words import ago_or_in, count, roughly, roughly_between


@dataclass(frozen=True, slots=True)
class Tile:
    """A count that leads to the requests it counts: results filtered by ``outcome``."""

    label: str
    number: int
    outcome: str = ""
    tone: str = ""


def tiles(summary: Summary) -> list[Tile]:
    batch, progress = summary.batch, summary.progress
    found = [
        Tile("request" if batch.requests == 1 else "requests", batch.requests),
        Tile("answered", progress.answered, "answered"),
        Tile("failed", progress.failed, "failed", "bad" if progress.failed else ""),
    ]
    if batch.cancelled:
        found.append(Tile("cancelled", batch.cancelled, "cancelled"))
    if batch.missing:
        found.append(Tile("without a result", batch.missing, "missing", "bad"))
    return found


def headline(summary: Summary) -> str:
    """What became of the batch, or becomes of it now, in a sentence."""
    batch, progress = summary.batch, summary.progress
    if batch.is_over:
        return _verdict(batch)
    total = count(batch.requests, "request")
    so_far = _so_far(progress, total)
    sentences = {
        ATTENTION: "It stopped. What to do is said above.",
        CANCELLING: f"It is being cancelled: {so_far} so far.",
        PAUSING: f"It is being paused: {so_far} so far.",
        PAUSED: f"It is paused: {so_far}. The others wait for it to be resumed.",
        QUEUED: f"Its {total} are being prepared.",
        WAITING: f"It goes to {batch.connection} next.",
        FETCHING: f"{batch.connection} is done; its results are being fetched.",
        ADDING_UP: "All results are here. Requests, tokens and cost are being added up.",
    }
    if summary.status in sentences:
        return sentences[summary.status]
    if summary.left is not None and not summary.is_late:
        return f"{so_far}, {_how_long(summary.left)} left."
    due = min(
        (
            provider_batch.expires_at
            for provider_batch in summary.provider_batches
            if provider_batch.expires_at
        ),
        default=None,
    )
    if due and not summary.is_late:
        return f"{so_far} so far; due {ago_or_in(due)} at the latest."
    return f"{so_far} so far."


def _how_long(left: TimeLeft) -> str:
    return roughly(left.middle) if left.is_narrow else roughly_between(left.least, left.most)


def _so_far(progress: Progress, total: str) -> str:
    failed = f", {progress.failed:,} failed" if progress.failed else ""
    return f"{progress.answered:,} of {total} answered{failed}"


def proof_of(batch: Batch) -> str:
    """Where all requests of a finished batch went, as a sum."""
    counts = {
        Outcome.OK: batch.succeeded,
        Outcome.PROVIDER_ERROR: batch.failed,
        Outcome.CANCELLED: batch.cancelled,
        Outcome.MISSING: batch.missing,
    }
    return proof(counts, batch.requests)


def _verdict(batch: Batch) -> str:
    total = count(batch.requests, "request")
    if batch.succeeded == batch.requests:
        return f"All {total} answered." if batch.requests > 1 else "The only request is answered."
    rest = [
        (batch.failed, "failed"),
        (batch.cancelled, "cancelled"),
        (batch.missing, "came back without a result"),
    ]
    others = ", ".join(f"{number:,} {words}" for number, words in rest if number)
    return f"{batch.succeeded:,} of {total} answered, {others or 'the rest unknown'}."
