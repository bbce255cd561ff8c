"""The choices of an order: completion windows with their price, and provider keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from batchapp.domain import windows
from batchapp.domain.money.estimate import Estimate, ModelEstimate
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.request_files.check_file import ModelFacts, Report
from batchapp.forms.orders import KeyField, OrderForm
from batchapp.models import ProviderKey
from batchapp.presenters.charts.rail import Rail, rail
from batchapp.presenters.file_report import Offer, offers
from batchapp.presenters.key_text import unreadable_key_text
from batchapp.presenters.problem_text import problem_text
from batchapp.presenters.sentences import named
from batchapp.services.orders.window_times import WindowTime
from batchapp.templatetags.words import count, decimal_length

REJECTED = "The provider rejected it at the last test."


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """``due`` is None if the name of the window gives no length.

    ``closed_for`` is a model of the file that does not run in the window, "" if all do. ``time``
    is how long past batches took; None if these are too few.
    """

    offer: Offer
    due: datetime | None
    closed_for: str = ""
    time: WindowTime | None = None

    @property
    def window(self) -> str:
        return self.offer.window

    @property
    def title(self) -> str:
        words = windows.in_words(self.window)
        return f"Within {words}" if words else self.window

    @property
    def took(self) -> str:
        """Say how long past batches really took in this window; "" if that is not known."""
        if self.time is None:
            return ""
        usual, longest = decimal_length(self.time.usual), decimal_length(self.time.longest)
        batches = count(self.time.batches, "batch,batches")
        return f"usually {usual}, at most {longest}, {batches}"

    @property
    def unpriced(self) -> str:
        """The models without a price in this window; "" if all have one."""
        return named(self.offer.estimate.unpriced)

    @property
    def range(self) -> str:
        """The least and the most that the batch may cost, or how many prices are missing."""
        if self.offer.estimate.unpriced:
            return self.offer.unpriced
        if self.offer.unbounded_requests:
            return f"at least {self.offer.low}, no limit"
        return f"{self.offer.low} to {self.offer.ceiling}"

    @property
    def rail(self) -> Rail | None:
        """The range as a drawing; None if a price is missing."""
        quote = self.offer.estimate
        if quote.unpriced or quote.low_usd is None:
            return None
        return rail(quote.low_usd, quote.ceiling_usd, expected=quote.expected_usd)

    @property
    def no_limit(self) -> str:
        """Return a sentence on requests without a limit and past runs; "" if all have one."""
        unbounded, likely = self.offer.unbounded_requests, self.offer.likely
        if not unbounded:
            return ""
        past = ""
        if likely and self.offer.is_by_past_runs:
            past = f" Nine of ten past runs stayed below {likely}."
        elif likely:
            past = f" More than {likely} is unlikely."
        verb = "sets" if unbounded == 1 else "set"
        return (
            f"No limit: {count(unbounded, 'request')} {verb} no max_tokens, so nothing bounds the "
            f"cost.{past}"
        )


@dataclass(frozen=True, slots=True)
class FallbackChoice:
    """The longest window, and the shorter windows that a batch may leave for it."""

    longest: WindowChoice
    shorter: list[str]


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """``trouble`` says why a batch may fail with the key; "" without a known reason."""

    key: ProviderKey
    is_readable: bool
    trouble: str

    @property
    def value(self) -> str:
        return str(self.key.pk)

    @property
    def is_usable(self) -> bool:
        return self.is_readable and not self.key.is_refused

    @property
    def label(self) -> str:
        return f"{self.key}, of the project" if self.key.project_id else f"{self.key}, yours"


@dataclass(frozen=True, slots=True)
class ModelRow:
    """``prices`` has one entry for each window, None if there is no price.

    The tokens of ``estimate`` are the same in every window.
    """

    name: str
    facts: ModelFacts
    estimate: ModelEstimate
    prices: list[tuple[str, UnitPrice | None]]


def window_choices(
    quotes: Mapping[str, Estimate],
    at: datetime,
    closed: Mapping[str, str] | None = None,
    times: Mapping[str, WindowTime] | None = None,
) -> dict[str, WindowChoice]:
    """Return the windows on offer by their name; realtime is only there to compare with.

    ``closed`` are the windows in which a model of the file does not run, and ``times`` how long
    past batches took in a window.
    """
    closed, times = closed or {}, times or {}
    return {
        offer.window: WindowChoice(
            offer,
            windows.due(offer.window, at),
            closed.get(offer.window, ""),
            times.get(offer.window),
        )
        for offer in offers(dict(quotes))
        if not offer.is_realtime
    }


def fallback_choice(windows: Iterable[WindowChoice]) -> FallbackChoice | None:
    """Return the longest window for a batch without a slot; None if no window is longer."""
    timed = [(choice.due, choice) for choice in windows if choice.due and not choice.closed_for]
    if not timed:
        return None
    latest, longest = max(timed, key=lambda pair: pair[0])
    shorter = [choice.window for due, choice in timed if due < latest]
    return FallbackChoice(longest, shorter) if shorter else None


def model_rows(report: Report, quotes: Mapping[str, Estimate], *windows: str) -> list[ModelRow]:
    """Return the model with the most requests first, each with its price in ``windows``."""
    prices = {
        window: {line.model: line.price for line in quotes[window].models} for window in windows
    }
    estimates = {line.model: line for quote in quotes.values() for line in quote.models}
    rows = [
        ModelRow(
            name,
            facts,
            estimates[name],
            [(window, prices[window].get(name)) for window in windows],
        )
        for name, facts in report.models.items()
    ]
    return sorted(rows, key=lambda row: -row.facts.requests)


def key_choices(form: OrderForm) -> list[KeyChoice]:
    field = form.fields["key"]
    keys = field.queryset if isinstance(field, KeyField) else None
    return [] if keys is None else [key_choice(key) for key in keys]


def key_choice(key: ProviderKey) -> KeyChoice:
    if error := key.reading_error():
        return KeyChoice(key, is_readable=False, trouble=unreadable_key_text(error))
    trouble = problem_text(key.problem) or (REJECTED if key.is_refused else "")
    return KeyChoice(key, is_readable=True, trouble=trouble)


def default_key(keys: list[KeyChoice]) -> str:
    """Return the value of a usable key, if possible one without trouble; "" if there is none."""
    usable = sorted((key for key in keys if key.is_usable), key=lambda key: bool(key.trouble))
    return usable[0].value if usable else ""
