"""The choices of an order: completion windows with their price, and provider keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from batchapp.domain import windows
from batchapp.domain.money.estimate import Estimate, ModelEstimate
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.request_files.check_file import ModelFacts, Report
from batchapp.forms.orders import KeyField, OrderForm
from batchapp.models import ProviderKey
from batchapp.presenters.file_report import Offer, offers
from batchapp.presenters.problem_text import problem_text

UNREADABLE = "The stored key cannot be read any more. Replace it to use it again."
REJECTED = "The provider rejected it at the last test."


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """``due`` is None if the name of the window gives no length."""

    offer: Offer
    due: datetime | None

    @property
    def window(self) -> str:
        return self.offer.window

    @property
    def unpriced(self) -> list[str]:
        return self.offer.estimate.unpriced


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


@dataclass(frozen=True, slots=True)
class ModelRow:
    """``prices`` has one entry for each window, None if there is no price.

    The tokens of ``estimate`` are the same in every window.
    """

    name: str
    facts: ModelFacts
    estimate: ModelEstimate
    prices: list[tuple[str, UnitPrice | None]]


def window_choices(quotes: Mapping[str, Estimate], at: datetime) -> list[WindowChoice]:
    """Return the windows on offer; realtime is only there to compare with."""
    return [
        WindowChoice(offer, windows.due(offer.window, at))
        for offer in offers(dict(quotes))
        if not offer.is_realtime
    ]


def fallback_choice(windows: list[WindowChoice]) -> FallbackChoice | None:
    """Return the longest window for a batch without a slot; None if no window is longer."""
    timed = [(choice.due, choice) for choice in windows if choice.due]
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
    if not key.is_readable:
        return KeyChoice(key, is_readable=False, trouble=UNREADABLE)
    trouble = problem_text(key.problem) or (REJECTED if key.is_refused else "")
    return KeyChoice(key, is_readable=True, trouble=trouble)


def default_key(keys: list[KeyChoice]) -> str:
    """Return the value of a usable key, if possible one without trouble; "" if there is none."""
    usable = sorted((key for key in keys if key.is_usable), key=lambda key: bool(key.trouble))
    return usable[0].value if usable else ""
