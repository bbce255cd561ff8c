"""What there is to choose from for a batch: windows with their price, and provider keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from batchapp.domain import windows
from batchapp.domain.money.estimate import Estimate, ModelEstimate, UnitPrice
from batchapp.domain.request_files.check_file import ModelFacts, Report
from batchapp.forms.orders import KeyField, OrderForm
from batchapp.models import ProviderKey
from batchapp.presenters.file_report import Offer, offers

UNREADABLE = "The stored key cannot be read any more. Replace it to use it again."
REFUSED = "It was refused when it was last tried."


@dataclass(frozen=True, slots=True)
class WindowChoice:
    """``due`` is None where the window's name gives no length."""

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
    """The longest window, and those that a batch may come to it from."""

    longest: WindowChoice
    shorter: list[str]


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """``trouble`` says what is known against the key, "" if nothing is."""

    key: ProviderKey
    is_readable: bool
    trouble: str

    @property
    def value(self) -> str:
        return str(self.key.pk)

    @property
    def is_promising(self) -> bool:
        return self.is_readable and not self.key.is_refused


@dataclass(frozen=True, slots=True)
class ModelRow:
    """``prices`` has one entry a window, None where there is no price.

    ``line`` has the tokens, which are the same in every window.
    """

    name: str
    facts: ModelFacts
    line: ModelEstimate
    prices: list[tuple[str, UnitPrice | None]]


def window_choices(quotes: Mapping[str, Estimate], at: datetime) -> list[WindowChoice]:
    """The windows on offer, without realtime, which is there to compare."""
    return [
        WindowChoice(offer, windows.due(offer.window, at))
        for offer in offers(dict(quotes))
        if not offer.is_realtime
    ]


def fallback_choice(windows: list[WindowChoice]) -> FallbackChoice | None:
    """Where a batch can go if there is no room for it; None if no window is longer than others."""
    timed = [(each.due, each) for each in windows if each.due]
    if not timed:
        return None
    latest, longest = max(timed, key=lambda pair: pair[0])
    shorter = [each.window for due, each in timed if due < latest]
    return FallbackChoice(longest, shorter) if shorter else None


def model_rows(report: Report, quotes: Mapping[str, Estimate], *windows: str) -> list[ModelRow]:
    """What is asked of each model, the largest share first, with its price in ``windows``."""
    prices = {
        window: {line.model: line.price for line in quotes[window].models} for window in windows
    }
    lines = {line.model: line for quote in quotes.values() for line in quote.models}
    rows = [
        ModelRow(
            name, facts, lines[name], [(window, prices[window].get(name)) for window in windows]
        )
        for name, facts in report.models.items()
    ]
    return sorted(rows, key=lambda row: -row.facts.requests)


def key_choices(form: OrderForm) -> list[KeyChoice]:
    """The keys on offer, and what is known against them."""
    field = form.fields["key"]
    keys = field.queryset if isinstance(field, KeyField) else None
    return [] if keys is None else [key_choice(key) for key in keys]


def key_choice(key: ProviderKey) -> KeyChoice:
    if not key.is_readable:
        return KeyChoice(key, is_readable=False, trouble=UNREADABLE)
    trouble = key.trouble or (REFUSED if key.is_refused else "")
    return KeyChoice(key, is_readable=True, trouble=trouble)


def usual(keys: list[KeyChoice]) -> str:
    """The key to begin with: better one without trouble, never one that was refused."""
    promising = sorted((each for each in keys if each.is_promising), key=_has_trouble)
    return promising[0].value if promising else ""


def _has_trouble(choice: KeyChoice) -> bool:
    return bool(choice.trouble)
