"""Say what an order saves that sends its first requests alone, and what the waiting is."""

from dataclasses import dataclass

from batchapp.domain.money.cache_forecast import count_writers, shortest_lifetime
from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files.report import Report
from batchapp.domain.windows import in_words
from batchapp.services.lifecycle.first_requests import LONGEST_WAIT
from batchapp.templatetags.words import count, usd_range

WAIT = in_words(f"{LONGEST_WAIT.total_seconds() // 60:.0f}m")


@dataclass(frozen=True, slots=True)
class FirstRequestsChoice:
    """The choice in words: its name, what it does, what it costs in time, and both figures."""

    title: str
    effect: str
    waiting: str
    figure: str
    instead_of: str


def first_requests_choice(report: Report, quote: Estimate) -> FirstRequestsChoice | None:
    """Return the choice to send requests first, at the prices of ``quote``; None without one."""
    usual, amount, number = quote.usual_usd, quote.sent_first_usd, quote.sent_first
    if not number or not usual or amount is None:
        return None
    [line] = quote.models
    prompts = report.prompts.get(line.model)
    if prompts is None or line.price is None:
        return None
    at_once = line.concurrency.requests
    before = count_writers(prompts, line.price, at_once)
    after = count_writers(prompts, line.price, at_once, number)
    percent = round(100 * (usual - amount) / usual)
    first, are = ("request", "it is") if number == 1 else (f"{number:,} requests", "these are")
    lifetime = in_words(shortest_lifetime(prompts))
    less, more = usd_range(amount, usual)
    return FirstRequestsChoice(
        f"Send the first {first} alone, then the other {report.requests - number:,}",
        f"{count(after, 'request')} {'writes' if after == 1 else 'write'} the shared prompt to "
        f"the cache, instead of {before:,}, and all others read it.",
        f"The others are sent when {are} answered, after {WAIT} at the latest, so the batch takes "
        f"longer. If they start more than {lifetime} later, nothing is saved.",
        f"~{less}",
        f"instead of ~{more}, {percent} % less",
    )


def first_requests_order(report: Report, quote: Estimate) -> str:
    """Say how an order goes out that sends requests first; "" for any other."""
    if not quote.sends_first:
        return ""
    number = quote.sent_first
    return (
        f"{count(number, 'request')} {'goes' if number == 1 else 'go'} alone, to write the shared "
        f"prompt to the cache. The other {report.requests - number:,} follow when "
        f"{'it is' if number == 1 else 'these are'} answered, after {WAIT} at the latest."
    )
