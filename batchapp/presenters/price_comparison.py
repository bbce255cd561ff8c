"""The changes of a price list as rows of one table, with the price before and after."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import islice

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import Price
from batchapp.presenters.price_parts import price_parts
from batchapp.services.prices.price_lists import Difference
from batchapp.templatetags.words import rate

MINUS = "\u2212"  # as wide as a plus


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One row: the prices ``before`` and ``after``, None where there is none.

    ``label`` says what is more than another amount. ``until`` is the end of a price that only
    applies for a time.
    """

    label: str
    model: str
    window: str
    before: UnitPrice | None = None
    after: UnitPrice | None = None
    until: datetime | None = None

    @property
    def amounts(self) -> list[tuple[str, str, str]]:
        """Return before, after and the difference, of input and then of output."""
        old = (self.before.input, self.before.output) if self.before else (None, None)
        new = (self.after.input, self.after.output) if self.after else (None, None)
        return [
            (_shown(before), _shown(after), _share(before, after))
            for before, after in zip(old, new, strict=True)
        ]

    @property
    def parts(self) -> tuple[str, str]:
        """Return the other parts of the price before and after, each "" if there are none."""
        before = price_parts(self.before) if self.before else ""
        return before, price_parts(self.after) if self.after else ""


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
        before, after = row.unit_price, line.price
        yield PriceChange("", line.model, line.window, before, after, until=row.effective_to)


def _new(difference: Difference) -> Iterator[PriceChange]:
    for line in difference.new:
        yield PriceChange("New", line.model, line.window, after=line.price)


def _ended(difference: Difference) -> Iterator[PriceChange]:
    for row in difference.missing:
        yield PriceChange("Ends", row.model, row.window, before=row.unit_price)


def _shown(amount: Decimal | None) -> str:
    return "" if amount is None else rate(amount)


def _share(before: Decimal | None, after: Decimal | None) -> str:
    """Return how much more or less ``after`` is: "+25 %"; "" if nothing can be compared."""
    if not before or after is None or before == after:
        return ""
    return f"{100 * (after - before) / before:+,.0f} %".replace("-", MINUS)
