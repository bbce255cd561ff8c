"""The sentence, the figures and the accounting at the top of a batch's page."""

from dataclasses import dataclass
from datetime import timedelta

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
from batchapp.presenters.batches.batch_summary import Summary
from batchapp.templatetags.words import ago_or_in, count, roughly, roughly_between

MIN_PER_MINUTE = 5  # requests; a slower pace is told by the hour


@dataclass(frozen=True, slots=True)
class Figure:
    """A count of requests; it links to the results that ``outcome`` filters, unless that is ""."""

    number: int
    label: str
    outcome: str = ""
    tone: str = ""


def figures_of(summary: Summary) -> list[Figure]:
    """Return how many requests ended in which way; none if the headline says it all."""
    batch, progress = summary.batch, summary.progress
    good = progress.answered - progress.doubtful
    if (batch.is_over and good == batch.requests) or not (batch.is_over or summary.was_sent):
        return []
    figures = [Figure(good, "answered", "answered", "good" if good else "")]
    if progress.doubtful:
        figures = [Figure(good, "good", Outcome.OK, "good" if good else "")]
        figures += [Figure(progress.doubtful, "doubtful", "doubtful", "warn")]
    ended = progress.done + batch.cancelled + batch.missing
    rest = [
        (0 if batch.is_over else batch.requests - ended, "waiting", "", ""),
        (progress.failed, "failed", "failed", "bad"),
        (batch.cancelled, "cancelled", Outcome.CANCELLED, ""),
        (batch.missing, "without a result", Outcome.MISSING, "bad"),
    ]
    return figures + [Figure(number, *words) for number, *words in rest if number > 0]


def headline(summary: Summary) -> str:
    """Say in a sentence what goes on and how long it takes, or how the batch ended."""
    batch = summary.batch
    if batch.is_over:
        return _final_headline(batch)
    sentences = {
        ATTENTION: "It stopped. The message above says what to do.",
        CANCELLING: "It is being cancelled. Answers that come in meanwhile are kept.",
        PAUSING: "It is being paused. Answers that come in meanwhile are kept.",
        PAUSED: "It is paused. The other requests wait for it to be resumed.",
        QUEUED: f"Its {count(batch.requests, 'request')} are being prepared.",
        WAITING: _waiting_text(summary),
        FETCHING: f"{batch.connection} is done; its results are being fetched.",
        ADDING_UP: "All results are here. Requests, tokens and cost are being added up.",
    }
    if summary.status in sentences:
        return sentences[summary.status]
    # While calls fail, the counts are old, and so is the pace.
    if summary.time_left is not None and not summary.is_late and not summary.troubles:
        return _pace_text(summary, summary.time_left)
    if summary.due and not summary.is_late:
        return f"Due {ago_or_in(summary.due)} at the latest."
    return f"{batch.connection} works on it."


def _waiting_text(summary: Summary) -> str:
    if summary.troubles:
        return "It is not sent yet. The message above says why."
    return f"It goes to {summary.batch.connection} next."


def _pace_text(summary: Summary, left: TimeLeft) -> str:
    """Return "38 a minute, about 4 minutes left."."""
    time = roughly(left.middle) if left.is_narrow else roughly_between(left.least, left.most)
    minutes = left.middle / timedelta(minutes=1)
    if not minutes:
        return f"{time} left.".capitalize()
    pace, unit = (summary.batch.requests - summary.progress.done) / minutes, "a minute"
    if pace < MIN_PER_MINUTE:
        pace, unit = 60 * pace, "an hour"
    return f"{float(f'{pace:.2g}'):,.0f} {unit}, {time} left."


def accounting_of(summary: Summary) -> str:
    """Say how all requests of a finished batch ended, as a sum."""
    batch, doubtful = summary.batch, summary.progress.doubtful
    counts = {
        Outcome.OK: batch.succeeded - doubtful,
        Outcome.TRUNCATED: doubtful,
        Outcome.PROVIDER_ERROR: batch.failed,
        Outcome.CANCELLED: batch.cancelled,
        Outcome.MISSING: batch.missing,
    }
    return accounting_text(counts, batch.requests, has_doubtful=doubtful > 0)


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
