"""Read price lists from CSV, line by line, with the errors of bad lines."""

from datetime import datetime

import msgspec

from batchapp.domain.csv_list import BadLine, UnreadableList, read_cells, read_rows
from batchapp.domain.money import model_patterns
from batchapp.domain.money.price_cells import COMPONENTS, parse_amount, parse_components
from batchapp.domain.money.unit_prices import UnitPrice

REQUIRED_COLUMNS = ["model", "window", "input_usd", "output_usd"]
COLUMNS = [
    *("connection", *REQUIRED_COLUMNS, *COMPONENTS),
    *("effective_from", "effective_to", "source"),
]
MAX_PATTERNS = 200
MAX_LENGTHS = dict.fromkeys([*COLUMNS, "currency"], 1_000) | {
    "model": 200,
    "window": 20,
    "source": 200,
}


class PriceLine(msgspec.Struct, frozen=True):
    """One price of a list; ``number`` is its line, from 1, or 0 if it has no line.

    ``unnamed`` are the fields of the price for which the list has no column.
    """

    number: int
    model: str
    window: str
    price: UnitPrice
    source: str = ""
    unnamed: tuple[str, ...] = ()

    @property
    def kind(self) -> tuple[str, str]:
        return self.model, self.window

    def completed(self, current: UnitPrice) -> "PriceLine":
        """Return the line with the parts of ``current`` that its list has no column for."""
        kept = {field: getattr(current, field) for field in self.unnamed}
        return msgspec.structs.replace(self, price=msgspec.structs.replace(self.price, **kept))


class ParsedPriceList(msgspec.Struct):
    """The lines of a list; ``skipped`` counts good lines of other connections or other times."""

    lines: list[PriceLine]
    bad: list[BadLine]
    skipped: int = 0


def read_price_list(text: str, connection: str, at: datetime) -> ParsedPriceList:
    """Return the prices of ``connection`` at ``at`` in a CSV, and its bad lines.

    Columns may come in any order; columns not in ``COLUMNS``, beside "currency", are ignored.

    Raises:
        UnreadableList: the text as a whole cannot be used.
    """
    price_list = ParsedPriceList([], [])
    numbers: dict[tuple[str, str], int] = {}
    for number, row in read_rows(text, REQUIRED_COLUMNS):
        try:
            line = _line(number, row, connection, at)
        except ValueError as exc:
            price_list.bad.append(BadLine(number, str(exc)))
            continue
        if line is None:
            price_list.skipped += 1
        elif line.kind in numbers:
            reason = f"{line.model} in {line.window} is in line {numbers[line.kind]} already."
            price_list.bad.append(BadLine(number, reason))
        else:
            numbers[line.kind] = number
            price_list.lines.append(line)
    if sum(model_patterns.is_pattern(line.model) for line in price_list.lines) > MAX_PATTERNS:
        raise UnreadableList(f"The list has more than {MAX_PATTERNS} names with *. Use fewer.")
    return price_list


def _line(number: int, row: dict[str, str], connection: str, at: datetime) -> PriceLine | None:
    """Return the price of a row, or None if it is not about ``connection`` at ``at``."""
    cells = read_cells(row, MAX_LENGTHS)
    model, window = model_patterns.merge_wildcards(cells["model"]), cells["window"]
    if not model or not window:
        raise ValueError(f"There is no {'window' if model else 'model'}.")
    unnamed = tuple(field for column, (field, _) in COMPONENTS.items() if column not in row)
    price = UnitPrice(
        input=parse_amount(cells["input_usd"], "input"),
        output=parse_amount(cells["output_usd"], "output"),
        **parse_components(cells),
    )
    since, until = _moment(cells["effective_from"], at), _moment(cells["effective_to"], at)
    is_ours = cells["connection"] in {"", connection}
    if not is_ours or (since and since > at) or (until and until <= at):
        return None
    return PriceLine(number, model, window, price, cells["source"], unnamed)


def _moment(text: str, at: datetime) -> datetime | None:
    """Return a moment in ISO form; the default time zone is the zone of ``at``."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text[:30]}” is no date. Write it like 2026-01-31T00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=at.tzinfo)
