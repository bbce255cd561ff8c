"""The changes of a price list as rows of one table, with the price before and after."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Price
from batchapp.services.prices.price_lists import Difference
from batchapp.templatetags.words import rate


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One row: the amounts ``before`` and ``after`` are input / output, "" where there is none.

    ``until`` is the end of a price that only applies for a time.
    """

    label: str
    tone: str
    icon: str
    model: str
    window: str
    before: str = ""
    after: str = ""
    until: datetime | None = None


def kept_prices(
    difference: Difference, *, ends_missing: bool, most: int
) -> tuple[list[tuple[Price, str]], int]:
    """Return at most ``most`` prices that stay as they are, each with why, and how many there are.

    A price that the list does not name stays unless the list ``ends_missing`` prices.
    """
    missing = [] if ends_missing else difference.missing
    rows = [(row, "as the list says") for row in difference.unchanged]
    rows += [(row, "not in the list") for row in missing]
    return rows[:most], len(rows)


def price_changes(
    difference: Difference, *, ends_missing: bool, most: int
) -> tuple[list[PriceChange], bool]:
    """Return at most ``most`` changes of each kind, urgent kinds first, and if there are more."""
    kinds = [_changed(difference), _new(difference)]
    if ends_missing:
        kinds.append(_ended(difference))
    rows = [list(islice(kind, most + 1)) for kind in kinds]
    return [row for kind in rows for row in kind[:most]], any(len(kind) > most for kind in rows)


def _changed(difference: Difference) -> Iterator[PriceChange]:
    for row, line in difference.changed:
        yield PriceChange(
            "Changed",
            "busy",
            "swap",
            line.model,
            line.window,
            _amounts(row.unit_price),
            _amounts(line.price),
            until=row.effective_to,
        )


def _new(difference: Difference) -> Iterator[PriceChange]:
    for line in difference.new:
        yield PriceChange(
            "New", "busy", "plus", line.model, line.window, after=_amounts(line.price)
        )


def _ended(difference: Difference) -> Iterator[PriceChange]:
    for row in difference.missing:
        yield PriceChange(
            "Ends", "warn", "stop", row.model, row.window, before=_amounts(row.unit_price)
        )


def _amounts(price: UnitPrice) -> str:
    return f"{rate(price.input)} / {rate(price.output)}"
