"""One sum of a report, and the columns of a query that it is made of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from django.db.models import Count, Q, Sum

from batchapp.models.fields.money_field import UNIT


@dataclass(frozen=True, slots=True)
class Line:
    """A sum of costs of batches and single requests.

    With ``unpriced`` costs in it, ``cost_usd`` is a minimum.
    ``saving_usd`` compares with ``realtime_usd``, over the batches that have both prices.
    """

    key: str
    name: str
    batches: int
    requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: Decimal
    realtime_usd: Decimal
    saving_usd: Decimal
    unpriced: int

    @property
    def is_empty(self) -> bool:
        return not self.batches and not self.requests

    @property
    def cached_percent(self) -> int:
        """Return the share of the input tokens that were read from a cache."""
        return round(100 * self.cached_tokens / self.input_tokens) if self.input_tokens else 0

    @property
    def saving_percent(self) -> int:
        return round(100 * self.saving_usd / self.realtime_usd) if self.realtime_usd else 0


def add(key: str, name: str, lines: Sequence[Line]) -> Line:
    """Return the sum of ``lines``, which have no batch in common."""
    return Line(
        key=key,
        name=name,
        batches=sum(line.batches for line in lines),
        requests=sum(line.requests for line in lines),
        input_tokens=sum(line.input_tokens for line in lines),
        output_tokens=sum(line.output_tokens for line in lines),
        cached_tokens=sum(line.cached_tokens for line in lines),
        cost_usd=sum((line.cost_usd for line in lines), Decimal(0)),
        realtime_usd=sum((line.realtime_usd for line in lines), Decimal(0)),
        saving_usd=sum((line.saving_usd for line in lines), Decimal(0)),
        unpriced=sum(line.unpriced for line in lines),
    )


class WholeSum(Sum):
    """A sum of whole numbers, left as the database gives it.

    A report adds up thousands of these, and shows few: ``line_of`` converts those of a line.
    """

    def get_db_converters(self, connection: Any) -> list[Any]:
        return []


_BOTH_PRICES = Q(cost_usd__isnull=False, realtime_cost_usd__isnull=False)
SUMS: dict[str, Any] = {
    "batches": Count("batch", distinct=True),
    "sum_requests": WholeSum("requests"),
    "sum_input": WholeSum("input_tokens"),
    "sum_output": WholeSum("output_tokens"),
    "sum_cached": WholeSum("cached_tokens"),
    "sum_cost": WholeSum("cost_usd"),
    "sum_paid": WholeSum("cost_usd", filter=_BOTH_PRICES),
    "sum_realtime": WholeSum("realtime_cost_usd", filter=_BOTH_PRICES),
    "unpriced": Count("pk", filter=Q(cost_usd=None)),
}
COST = list(SUMS).index("sum_cost")  # its place in the values of a row

Values = Sequence[Any]  # a row that begins with the values of ``SUMS``
NOTHING: Values = (0,) * len(SUMS)


def line_of(key: str, name: str, row: Mapping[str, Any]) -> Line:
    """Return the line of a row with ``SUMS``."""
    return line_of_values(key, name, [row[column] for column in SUMS])


def line_of_values(key: str, name: str, values: Values) -> Line:
    batches, requests, read, written, cached, cost, paid, realtime, unpriced = values[: len(SUMS)]
    return Line(
        key=key,
        name=name,
        batches=batches,
        requests=int(requests or 0),
        input_tokens=int(read or 0),
        output_tokens=int(written or 0),
        cached_tokens=int(cached or 0),
        cost_usd=dollars(cost),
        realtime_usd=dollars(realtime),
        saving_usd=dollars(realtime) - dollars(paid),
        unpriced=unpriced,
    )


def dollars(units: Any) -> Decimal:
    """Return a sum of a ``MoneyField`` in USD, 0 if no amount is known."""
    return int(units or 0) * UNIT


def add_rows(rows: Iterable[Values]) -> Values:
    """Return the sums of ``rows``, which have no batch in common; a missing value counts as 0."""
    columns = islice(zip(*rows, strict=True), len(SUMS))
    return [sum(filter(None, column)) for column in columns] or NOTHING
