"""Say which requests need not be sent, and which answers are reused."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files.check_file import Report
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.reuse.reuse_plan import AnswerSource
from batchapp.models import Batch, Result, Upload
from batchapp.templatetags.words import count, usd

SOURCES_NAMED = 3  # batches whose answers can be kept; of more, the number is said


@dataclass(frozen=True, slots=True)
class ReuseOption:
    """Requests that a person may choose not to send; ``price`` is "" if it is not known."""

    name: str
    title: str
    explanation: str
    price: str = ""


@dataclass(frozen=True, slots=True)
class ReuseCard:
    """``sources`` have the answers that can be kept, the newest batch first."""

    options: list[ReuseOption]
    sources: list[AnswerSource]
    more_sources: int
    is_nothing_new: bool


def reuse_card(upload: Upload, report: Report, quotes: Mapping[str, Estimate]) -> ReuseCard | None:
    """Return what need not be sent, priced in the first window of ``quotes``; None if nothing."""
    offer = upload.reuse_offer
    if offer is None or offer.is_empty:
        return None
    quote = next(iter(quotes.values()))
    kept, sampled = sum(offer.kept.values()), sum(offer.kept_sampled.values())
    options: list[ReuseOption] = []
    if kept and kept < report.requests:
        new = count(report.requests - kept, "new or changed request")
        title = f"Keep {count(kept, 'answer')}, and run {new}"
        options.append(
            ReuseOption(
                "keep", title, "Kept answers are not paid again.", _rest(quote, offer.kept)
            )
        )
    if sampled and sampled < report.requests:
        title = f"{'Also keep' if kept else 'Keep'} {count(sampled, 'answer')} drawn at random"
        text = (
            "Their requests set a temperature above 0, or ask for several answers. They are "
            "answers to the same requests, but another run would give others."
        )
        price = _less(quote, offer.kept_sampled) if kept else _rest(quote, offer.kept_sampled)
        options.append(ReuseOption("keep_sampled", title, text, price))
    if repeats := sum(offer.repeats.values()):
        title = f"Send equal requests once: {count(repeats, 'repeat')}"
        text = "Each repeat gets the answer to the first request of its kind."
        options.append(ReuseOption("once", title, text, _less(quote, offer.repeats)))
    if repeats := sum(offer.repeats_sampled.values()):
        title = f"Send equal requests once, although drawn at random: {count(repeats, 'repeat')}"
        text = (
            "They set a temperature above 0, or ask for several answers: sent apart, each gets an "
            "answer of its own."
        )
        options.append(
            ReuseOption("once_sampled", title, text, _less(quote, offer.repeats_sampled))
        )
    named = offer.sources[:SOURCES_NAMED]
    is_nothing_new = kept + sampled == report.requests
    return ReuseCard(options, named, len(offer.sources) - len(named), is_nothing_new)


def _rest(quote: Estimate, counts: Mapping[str, int]) -> str:
    """Return the expected cost without the requests of ``counts``, beside that of all."""
    share = _share(quote, counts)
    if quote.expected_usd is None or share is None:
        return ""
    # The requests that are left write as many prompts to a cache as all would.
    least = "at least " if _has_cached_prompts(quote, counts) else ""
    return f"{least}~{usd(quote.expected_usd - share)} instead of ~{usd(quote.expected_usd)}"


def _less(quote: Estimate, counts: Mapping[str, int]) -> str:
    share = _share(quote, counts)
    most = "at most " if _has_cached_prompts(quote, counts) else ""
    return f"{most}~{usd(share)} less" if share else ""


def _has_cached_prompts(quote: Estimate, counts: Mapping[str, int]) -> bool:
    return any(line.has_cached_prompts and counts.get(line.model) for line in quote.models)


def _share(quote: Estimate, counts: Mapping[str, int]) -> Decimal | None:
    """Return the expected cost of ``counts``, model -> requests, at that of a usual request."""
    costs = [
        line.expected_usd * counts[line.model] / line.requests
        for line in quote.models
        if line.expected_usd is not None and counts.get(line.model) and line.requests
    ]
    return sum(costs, Decimal(0)) if costs else None


@dataclass(frozen=True, slots=True)
class ReusedAnswers:
    """The requests that a batch did not send; deleted batches of ``sources`` have no page."""

    sentence: str
    sources: list[tuple[AnswerSource, bool]]


def reused_answers(batch: Batch) -> ReusedAnswers | None:
    """Return None for a batch that sent all requests of its file."""
    reuse = batch.upload.reuse if batch.reused else None
    if reuse is None:
        return None
    kept, sentences = reuse.kept or 0, list[str]()
    if kept:
        sentences.append(f"{count(kept, 'answer')} {'is' if kept == 1 else 'are'} kept.")
    if reuse.repeats:
        verb = "has" if reuse.repeats == 1 else "have"
        sentences.append(f"{count(reuse.repeats, 'repeat')} {verb} the answer to the first.")
    total = count(batch.requests + batch.reused, "request")
    sentences.append(
        f"With the {batch.requests:,} that were sent, the results have all {total}. Cost and "
        "tokens are of those that were sent."
    )
    batches = Batch.objects.filter(project=batch.project_id, purged_at=None)
    present = {str(pk) for pk in batches.in_bulk([source.batch for source in reuse.sources])}
    sources = [(source, source.batch in present) for source in reuse.sources]
    return ReusedAnswers(" ".join(sentences), sources)


def origin_text(result: Result, shown: Result, retries: Mapping[UUID, str]) -> str:
    """Say whose answer ``shown`` is if it is not of ``result`` itself, else "".

    ``retries`` has the names of the retries of the batch.
    """
    retry = retries.get(shown.batch_id, "")
    if result.outcome != Outcome.REUSED:
        return f"from {retry}" if retry else ""
    if shown.pk == result.pk:
        return "kept from a batch that was deleted"
    if retry:
        return f"same request as another line, from {retry}"
    if shown.batch_id == result.batch_id:
        return f"same request as line {shown.line:,}"
    return f"kept from {shown.batch.name}"
