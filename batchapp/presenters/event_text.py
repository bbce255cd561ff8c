"""The sentences of a batch's timeline."""

from datetime import datetime
from decimal import Decimal

from django import template
from django.utils import timezone

from batchapp.domain.problem import Problem
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.windows import spaced
from batchapp.models import Event, ResultChunk
from batchapp.models.batches.event import EventKind
from batchapp.presenters.accounting_text import accounting_text, discrepancy_text
from batchapp.presenters.approval_text import reasons_text
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.sentences import Data, Sentence, make_stored_sentence
from batchapp.templatetags.words import count, usd

register = template.Library()

DATE_FORMAT = "%-d %B %Y, %H:%M %Z"


@register.filter
def event_text(event: Event) -> str:
    return make_stored_sentence(SENTENCES, event.kind, event.data)


def _ordered(data: Data) -> str:
    text = f"Submitted, {spaced(data['window'])} window"
    if data["fallback"]:
        text += f", or {spaced(data['fallback'])} if there is no room in it"
    if first := data.get("sent_first"):
        text += f"; {count(first, 'request')} first, to write the shared prompt to the cache"
    return f"{text}."


def _above_reservation(data: Data) -> str:
    cost, reserved = (usd(Decimal(data[name])) for name in ("cost", "reserved"))
    return f"It cost {cost}, more than the {reserved} that it had reserved. All of it counts."


def _labelled(data: Data) -> str:
    sentences = []
    for verb, tags in (("Added", data["added"]), ("Removed", data["removed"])):
        if tags:
            sentences.append(
                f"{verb} the {'tag' if len(tags) == 1 else 'tags'} {', '.join(tags)}."
            )
    if (cost_centre := data["cost_centre"]) is not None:
        change = f"is now {cost_centre}" if cost_centre else "was removed"
        before = f", before it was {data['before']}" if data["before"] else ""
        sentences.append(f"The cost centre {change}{before}.")
    return " ".join(sentences)


def _try_again_requested(data: Data) -> str:
    key = f", on the key {data['key']}" if data["key"] else ""
    return f"Asked to try again{key}."


def _closed_here(data: Data) -> str:
    problem = problem_text(Problem(**data["problem"]))
    text = f"{problem} It is closed here, and what was fetched so far is kept."
    if data["may_still_run"]:
        text += f" {data['connection']} may still run it and bill it."
    return text


def _fell_back(data: Data) -> str:
    why = f"has no room for {spaced(data['window'])}"
    if not data["is_offered"]:
        why = f"does not run this file in {spaced(data['window'])}"
    return f"{data['connection']} {why}: it runs in {spaced(data['fallback'])}, as was decided."


def _finished(data: Data) -> str:
    counts = {Outcome(outcome): number for outcome, number in data["outcomes"].items()}
    sentences = [f"Finished: {accounting_text(counts, data['requests'])}."]
    if data["discrepancy"]:
        sentences.append(discrepancy_text(data["discrepancy"], data["connection"]))
    return " ".join([*sentences, *_other_models(data)])


def short_finished_text(event: Event) -> str:
    """Say that a batch has finished, without the counts that its page shows."""
    return " ".join(["Finished.", *_other_models(event.data)])


def _other_models(data: Data) -> list[str]:
    number = data.get("other_models", 0)
    answers = f"{count(number, 'answer')} {'names' if number == 1 else 'name'}"
    return [f"{answers} another model than was asked for."] if number else []


def _imported(data: Data) -> str:
    created_at = timezone.localtime(datetime.fromisoformat(data["created_at"]))
    date = f"{created_at:{DATE_FORMAT}}"
    return f"Imported from {data['connection']}, where it was created on {date}."


def _needs_attention(data: Data) -> str:
    return problem_text(Problem(**data["problem"]))


def _unmatched_lines(data: Data) -> str:
    lines = count(data["lines"], "unmatched line")
    text = f"{lines} in the results: no request's answer, or a second one."
    if not data["limit"]:
        return text
    listed = f"Only {data['limit']:,} of a provider batch are listed; the downloads have all."
    return f"{text} {listed}"


def _ended_at_provider(data: Data) -> str:
    sentence = (
        f"{data['connection']} reports {data['remote_status']}: {data['completed']:,} completed, "
        f"{data['failed']:,} failed of {data['total']:,}."
    )
    return " ".join([sentence, *data["errors"]])


def _late_answers(data: Data) -> str:
    answers = data["answers"]
    requests = "1 request that was" if answers == 1 else f"{answers:,} requests that were"
    return f"{data['connection']} has answered {requests} running when the batch was cancelled."


def _too_many_results(data: Data) -> str:
    connection, mib = data["connection"], data["bytes"] // (1024 * 1024)
    results = {ResultChunk.Kind.OUTPUT: "results", ResultChunk.Kind.ERROR: "errors"}[data["file"]]
    return (
        f"{connection} sends more {results} than {count(data['requests'], 'request')} can have: "
        f"over {data['lines']:,} lines or {mib:,} MiB. The portal stopped reading there, and what "
        f"it read is kept. Ask {connection} for the reason. Once the batch is over, requests "
        "without a result can be retried."
    )


def _purged(data: Data) -> str:
    text = "Its requests and answers were deleted"
    if data["days"] is None:
        return f"{text}."
    return f"{text}: the project keeps them for {count(data['days'], 'day')}."


def _split(data: Data) -> str:
    done = "Divided by model" if data.get("by_model") else "Split"  # old events lack it
    return f"{done} into {data['provider_batches']:,} provider batches."


def _approval_asked(data: Data) -> str:
    return f"Waits for approval. {reasons_text(data['reasons'])}"


def _approved(data: Data) -> str:
    text = "Approved"
    before, after = (data[name]["expected_usd"] for name in ("before", "after"))
    if before != after:
        text += f" at new prices: {_amount(after)} instead of {_amount(before)}"
    return f"{text}: {data['note']}" if data["note"] else f"{text}."


def _amount(amount: str | None) -> str:
    return "an unknown cost" if amount is None else usd(Decimal(amount))


SENTENCES: dict[EventKind, Sentence] = {
    EventKind.NOTE: "{text}",
    EventKind.APPROVED: _approved,
    EventKind.CANCEL_REQUESTED: "Asked to cancel.",
    EventKind.CANCEL_REQUESTED_AGAIN: "Asked to cancel again.",
    EventKind.DENIED: "Denied: {note}",
    EventKind.HELD: "Put on hold: its requests and answers are not deleted.",
    EventKind.HOLD_ENDED: "No longer on hold: its content is kept as long as that of others.",
    EventKind.LABELLED: _labelled,
    EventKind.ORDERED: _ordered,
    EventKind.PAUSE_REQUESTED: "Asked to pause.",
    EventKind.RESUME_REQUESTED: "Asked to resume.",
    EventKind.RETRIED: "Retried as {batch}: {requests:count request}.",
    EventKind.RETRY_IN_PLACE_REQUESTED: (
        "Asked to retry {requests:count failed or cancelled request} in place."
    ),
    EventKind.TRY_AGAIN_REQUESTED: _try_again_requested,
    EventKind.ABOVE_RESERVATION: _above_reservation,
    EventKind.APPROVAL_ASKED: _approval_asked,
    EventKind.APPROVAL_EXPIRED: "Nobody approved it in time, so it is cancelled.",
    EventKind.CLOSED_HERE: _closed_here,
    EventKind.FELL_BACK: _fell_back,
    EventKind.FINISHED: _finished,
    EventKind.IMPORTED: _imported,
    EventKind.NEEDS_ATTENTION: _needs_attention,
    EventKind.PURGED: _purged,
    EventKind.SETTLING_BROKE_OFF: (
        "Adding up broke off several times. The portal keeps trying; its log says why."
    ),
    EventKind.SPLIT: _split,
    EventKind.UNMATCHED_LINES: _unmatched_lines,
    EventKind.ACCEPTED: "Accepted by {connection} as {remote_id}.",
    EventKind.CANCEL_REFUSED: "{connection} did not cancel it ({said}).",
    EventKind.CANCELLED_AT_PROVIDER: "Cancelled at {connection}.",
    EventKind.DUPLICATE_CANCELLED: (
        "A duplicate was found at {connection}, {remote_id}: it was cancelled."
    ),
    EventKind.DUPLICATE_ENDED: (
        "A duplicate was found at {connection}, {remote_id}: it had already ended "
        "({remote_status})."
    ),
    EventKind.DUPLICATE_NOT_CANCELLED: (
        "A duplicate was found at {connection}, {remote_id}: it could not be cancelled ({said})."
    ),
    EventKind.ENDED_AT_PROVIDER: _ended_at_provider,
    EventKind.LATE_ANSWERS: _late_answers,
    EventKind.MONEY_LACKED: (
        "{connection} took it as {remote_id}, but ran nothing for want of credits: {said} Nothing "
        "is charged."
    ),
    EventKind.NEVER_BEGUN: (
        "{connection} was told to stop it before it had begun, and will never run it. Retry its "
        "requests as a new batch."
    ),
    EventKind.PAUSE_REFUSED: "{connection} did not stop it ({said}).",
    EventKind.PAUSED_AT_PROVIDER: "Stopped for the pause at {connection}.",
    EventKind.RETRY_IN_PLACE_REFUSED: "{connection} did not retry it in place ({said}).",
    EventKind.RETRY_IN_PLACE_STARTED: "{connection} runs these requests again in place.",
    EventKind.ROOM_LACKED: (
        "{connection} took it as {remote_id}, but ran nothing for want of room: {said} It waits, "
        "and is sent again."
    ),
    EventKind.RUNS_AGAIN: "{connection} runs this batch again; the portal follows it again.",
    EventKind.STILL_RUNS: "{connection} still runs this batch; it is cancelled there now.",
    EventKind.TOO_MANY_RESULTS: _too_many_results,
}
