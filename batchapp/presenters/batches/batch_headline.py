"""The sentence, the figures and the accounting at the top of a batch's page, and what is next."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from batchapp.domain.problem import ProblemCode
from batchapp.domain.progress import TimeLeft
from batchapp.domain.results.outcome import DOUBTFUL, FAILED, Outcome
from batchapp.pipeline.states import (
    ADDING_UP,
    ATTENTION,
    AWAITING_APPROVAL,
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
from batchapp.presenters.outcome_text import outcome_counts, outcome_words
from batchapp.presenters.problem_text import problem_text
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
    """Return how many requests ended in which way; none if the headline says it all.

    While the provider works, its own count of failures is not told apart.
    """
    batch, progress, outcomes = summary.batch, summary.progress, summary.outcomes
    if not (batch.is_over or summary.was_sent):
        return []
    good = progress.usable
    figures = [Figure(good, "answered", Outcome.OK, "good" if good else "")]
    figures += _figures(outcomes, DOUBTFUL, "warn")
    if not batch.is_over:
        rest = [
            Figure(batch.requests - progress.done, "waiting"),
            Figure(progress.failed, "failed", "failed", "bad"),
        ]
        return figures + [figure for figure in rest if figure.number > 0]
    figures += _figures(outcomes, FAILED | {Outcome.MISSING}, "bad")
    figures += _figures(outcomes, {Outcome.CANCELLED}, "")
    return figures


def _figures(
    outcomes: Mapping[Outcome, int], among: Collection[Outcome], tone: str
) -> Iterator[Figure]:
    for outcome, number in outcomes.items():
        if outcome in among and number:
            yield Figure(number, outcome_words(outcome, number), outcome, tone)


def headline(summary: Summary) -> str:
    """Say in a sentence what goes on and how long it takes, or how the batch ended.

    Return "" for a batch that needs attention: its trouble is what there is to say.
    """
    batch = summary.batch
    if batch.is_over:
        return _final_headline(summary)
    sentences = {
        AWAITING_APPROVAL: "It waits for approval. Nothing is sent or paid before.",
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
    is_first = summary.batch.sent_first and numbers == ["1"]
    return f"{running}; the next waits for {'its answer' if is_first else 'room'}."


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
    return accounting_text(summary.outcomes, summary.batch.requests)


def balance_of(summary: Summary) -> str:
    """Return the sum without its terms, which are the figures above; all of it if it is wrong."""
    batch = summary.batch
    if sum(summary.outcomes.values()) != batch.requests:
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
        cached = sum(row.cached_tokens for row in models)
        from_cache = f", {cached:,} from the cache" if cached else ""
        facts += [
            f"{least}{tokens_in:,} tokens in{from_cache}",
            f"{least}{tokens_out:,} tokens out",
        ]
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
    if batch.connection.capabilities.partial_results:
        source = f"as {batch.connection} gives them"
    elif not summary.is_split:
        source = f"once {batch.connection} has finished all requests"
    is_free = batch.connection.is_sandbox
    return [
        "You may close this page: the batch goes on.",
        f"Answers appear here {source}.",
        "Nobody pays: it is a sandbox." if is_free else "You pay for what is answered.",
    ]


def _final_headline(summary: Summary) -> str:
    batch, usable = summary.batch, summary.progress.usable
    total = count(batch.requests, "request")
    if usable == batch.requests:
        return f"All {total} answered." if batch.requests > 1 else "The only request is answered."
    rest = ", ".join(outcome_counts({**summary.outcomes, Outcome.OK: 0}))
    text = f"{usable:,} of {total} answered, {rest or 'the rest unknown'}."
    return " ".join([text, *reasons_of_failure(summary)])


def reasons_of_failure(summary: Summary) -> list[str]:
    """Return why the provider ran nothing of the batch, or of some of its provider batches."""
    if not summary.batch.is_over:
        return []
    problems = (row.problem for row in summary.provider_batches if row.problem)
    whole = (row for row in problems if row.code == ProblemCode.FAILED_AS_A_WHOLE)
    return list(dict.fromkeys(map(problem_text, whole)))
