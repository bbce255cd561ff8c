"""The sentence, the figures and the accounting at the top of a batch's page, and what is next."""

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
    RUNNING,
    WAITING,
)
from batchapp.presenters.accounting_text import accounting_text
from batchapp.presenters.batches.batch_summary import Summary
from batchapp.templatetags.words import (
    ago_or_in,
    count,
    roughly,
    roughly_between,
    span,
    usd,
)

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
    if not (batch.is_over or summary.was_sent):
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
        (batch.missing, "no result", Outcome.MISSING, "bad"),
    ]
    return figures + [Figure(number, *words) for number, *words in rest if number > 0]


def headline(summary: Summary) -> str:
    """Say in a sentence what goes on and how long it takes, or how the batch ended.

    Return "" for a batch that needs attention: its trouble is what there is to say.
    """
    batch = summary.batch
    if batch.is_over:
        return _final_headline(batch)
    sentences = {
        ATTENTION: "",
        CANCELLING: "It is being cancelled. Answers that come in meanwhile are kept.",
        PAUSING: "It is being paused. Answers that come in meanwhile are kept.",
        PAUSED: _paused_text(summary),
        QUEUED: f"Its {count(batch.requests, 'request')} are being prepared.",
        WAITING: _waiting_text(summary),
        FETCHING: f"{batch.connection} is done; its results are being fetched.",
        ADDING_UP: "All results are here. Requests, tokens and cost are being added up.",
    }
    if summary.status in sentences:
        return sentences[summary.status]
    if summary.waits_in_part:
        return _split_text(summary)
    # While calls fail, the counts are old, and so is the pace.
    if summary.time_left is not None and not summary.is_late and not summary.troubles:
        return _pace_text(summary, summary.time_left)
    if summary.due and not summary.is_late:
        return f"Due {ago_or_in(summary.due)} at the latest."
    return f"{batch.connection} works on it."


def _waiting_text(summary: Summary) -> str:
    if summary.troubles:
        return "It is not sent yet."
    return f"It goes to {summary.batch.connection} next."


def _paused_text(summary: Summary) -> str:
    if summary.was_sent:  # the figures below say how many
        return "Paused. Waiting requests run once it is resumed."
    rest = summary.batch.requests - summary.progress.done
    return f"Paused. {count(rest, 'request')} {'waits' if rest == 1 else 'wait'}."


def _split_text(summary: Summary) -> str:
    """Return "Provider batch 2 of 5 is running; the next waits for room."."""
    numbers = [f"{row.number:,}" for row in summary.provider_batches if row.is_running_there]
    total = len(summary.provider_batches)
    running = f"Provider batch {numbers[0]} of {total:,} is running"
    if len(numbers) > 1:
        running = f"{len(numbers):,} of {total:,} provider batches are running"
    return f"{running}; the next waits for room."


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


def balance_of(summary: Summary) -> str:
    """Return the sum without its terms, which are the figures above; all of it if it is wrong."""
    batch = summary.batch
    if batch.succeeded + batch.failed + batch.cancelled + batch.missing != batch.requests:
        return accounting_of(summary)
    total = f"{count(batch.requests, 'request')} in"
    return f"{total}, all accounted for" if batch.is_accounted_for else total


def kept_text(summary: Summary) -> str:
    """Say what a cancellation now keeps, and how many requests will not run."""
    batch, answered = summary.batch, summary.progress.answered
    rest = max(0, batch.requests - summary.progress.done)
    if not (summary.was_sent or summary.progress.done):
        none = "It is not sent yet, so nothing is paid."
        return f"{none} {count(rest, 'request')} will not run."
    kept = f"{count(answered, 'answer')} and any that still arrive"
    if not answered:
        kept = "any answer that still arrives; none is counted yet"
    return f"You keep and pay for {kept}. Up to {count(rest, 'request')} will not run."


def facts_of(summary: Summary) -> list[str]:
    """Return how long a finished batch took, its tokens, and the price of 1,000 answers."""
    batch, models = summary.batch, list(summary.batch.model_costs.all())
    facts = [] if summary.duration is None else [f"Took {span(summary.duration)}"]
    least = "≥ " if any(row.answers_without_usage for row in models) else ""
    tokens_in, tokens_out = (
        sum(getattr(row, field) or 0 for row in models)
        for field in ("input_tokens", "output_tokens")
    )
    if tokens_in or tokens_out:
        facts += [f"{least}{tokens_in:,} tokens in", f"{least}{tokens_out:,} tokens out"]
    if batch.actual_cost_usd and batch.succeeded:
        price = usd(1000 * batch.actual_cost_usd / batch.succeeded)
        facts.append(f"{least}{price} per 1,000 answers")
    return facts


def next_steps(summary: Summary, *, can_try_again: bool, can_resume: bool) -> list[str]:
    """Say what happens next, and what one may do meanwhile; nothing where that is unknown."""
    batch, status = summary.batch, summary.status
    if batch.is_over:
        return []
    if status == ATTENTION:
        kept = "answers that are here are kept, and the other requests are not run."
        steps = [
            "Once it is tried again, it goes on where it stopped.",
            f"If it is cancelled instead, {kept if summary.was_sent else 'no request is run.'}",
        ]
        return steps if can_try_again else []
    if status == PAUSED:
        steps = [
            "Answers are not paid again.",
            "The completion window runs on meanwhile: a pause does not change when it is due.",
        ]
        return steps if can_resume else []
    is_on_its_way = status in {QUEUED, WAITING, RUNNING}
    if not is_on_its_way or (summary.troubles and not summary.is_queueing):
        return []
    source = f"each time {batch.connection} has finished a provider batch"
    if batch.connection.has_partial_results:
        source = f"as {batch.connection} gives them"
    elif not summary.is_split:
        source = f"once {batch.connection} has finished all requests"
    is_free = batch.connection.is_sandbox
    return [
        "You may close this page: the batch goes on.",
        f"Answers appear here {source}.",
        "Nobody pays: it is a sandbox." if is_free else "You pay for what is answered.",
    ]


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
