"""The prices in force at one connection: a row for each model, a column for each window."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from batchapp.models import Price
from batchapp.presenters.price_parts import parts_label


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """The prices of one model or pattern; ``cells`` has None for a window without a price."""

    model: str
    cells: list[tuple[str, Price | None]]

    @property
    def prices(self) -> list[Price]:
        return [price for _, price in self.cells if price]

    @property
    def is_pattern(self) -> bool:
        return any(price.is_pattern for price in self.prices)

    @property
    def parts_label(self) -> str:
        """Return that a price has more parts than input and output, "" if none has."""
        labels = [parts_label(price.unit_price) for price in self.prices if price.components]
        return next(iter(labels), "")

    @property
    def since(self) -> datetime:
        """Return the moment from which all prices of the row are as they are now."""
        return max(price.effective_from for price in self.prices)

    @property
    def sources(self) -> list[str]:
        """Return the sources of the prices, each once."""
        return list(dict.fromkeys(price.source for price in self.prices if price.source))


def price_matrix(prices: Iterable[Price], windows: Sequence[str]) -> list[ModelPrices]:
    """Return a row for each model of ``prices``, sorted by name.

    Windows with a price follow ``windows`` if they are not among them. Of two prices that are in
    force together, which the table reports as an overlap, the later one is shown.
    """
    by_model: defaultdict[str, dict[str, Price]] = defaultdict(dict)
    for price in sorted(prices, key=lambda row: (row.effective_from, row.pk)):
        by_model[price.model][price.window] = price
    others = {window for row in by_model.values() for window in row} - set(windows)
    shown = [*windows, *sorted(others)]
    return [
        ModelPrices(model, [(window, row.get(window)) for window in shown])
        for model, row in sorted(by_model.items(), key=lambda item: item[0].casefold())
    ]
