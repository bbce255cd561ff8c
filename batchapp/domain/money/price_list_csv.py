"""Read price lists from CSV, line by line, with the errors of bad lines."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from batchapp.domain.money import model_patterns
from batchapp.domain.money.unit_prices import UnitPrice

REQUIRED_COLUMNS = ["model", "window", "input_usd", "output_usd"]
COLUMNS = ["connection", *REQUIRED_COLUMNS, "effective_from", "effective_to", "source"]
MAX_LINES = 5000
MAX_PATTERNS = 200
MAX_LENGTHS = {"model": 200, "window": 20, "source": 200}  # characters
AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
QUOTE = "'"


class UnreadablePriceList(Exception):
    """The text is not a price list; the message is a sentence for the person."""


class PriceLine(msgspec.Struct, frozen=True):
    """One price of a list; ``number`` is its line, from 1, or 0 if it has no line."""

    number: int
    model: str
    window: str
    price: UnitPrice
    source: str = ""

    @property
    def kind(self) -> tuple[str, str]:
        return self.model, self.window


class BadLine(msgspec.Struct, frozen=True):
    number: int
    reason: str


class ParsedPriceList(msgspec.Struct):
    """The lines of a list; ``skipped`` counts good lines of other connections or other times."""

    lines: list[PriceLine]
    bad: list[BadLine]
    skipped: int = 0


def parse_amount(text: str, side: str) -> Decimal:
    """Return an amount of USD per million tokens; ``side`` is "input" or "output".

    Raises:
        ValueError: ``text`` is empty or no amount; the message is a sentence for the person.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"There is no {side} price. Write 0 if it costs nothing.")
    if not AMOUNT.fullmatch(text):
        raise ValueError(
            f"The {side} price “{text[:30]}” is no amount in USD. Write it like 0.25, with at "
            "most 6 digits on each side of the point."
        )
    return Decimal(text)


def escape_formula(text: str) -> str:
    """Return ``text`` with a quote before it if a spreadsheet could take it for a formula."""
    return f"{QUOTE}{text}" if text.startswith((*FORMULA_STARTS, QUOTE)) else text


def unescape_formula(text: str) -> str:
    """Undo ``escape_formula``."""
    inner = text.removeprefix(QUOTE)
    return inner if inner.startswith((*FORMULA_STARTS, QUOTE)) else text


def read_price_list(text: str, connection: str, at: datetime) -> ParsedPriceList:
    """Return the prices of ``connection`` at ``at`` in a CSV, and its bad lines.

    Columns may come in any order; columns not in ``COLUMNS`` are ignored.

    Raises:
        UnreadablePriceList: the text as a whole cannot be used.
    """
    price_list = ParsedPriceList([], [])
    numbers: dict[tuple[str, str], int] = {}
    for number, row in _rows(text):
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
        raise UnreadablePriceList(
            f"The list has more than {MAX_PATTERNS} names with *. Use fewer."
        )
    return price_list


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row that is not blank, by column name, with the number of its first line."""
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in REQUIRED_COLUMNS if name not in names]:
            raise UnreadablePriceList(
                f"The first line must name the columns, and lacks {', '.join(missing)}. "
                "Download the CSV of this page to see how a list looks."
            )
        first_line = reader.line_num + 1
        for count, cells in enumerate(reader, 1):
            if count > MAX_LINES:
                raise UnreadablePriceList(f"The list has more than {MAX_LINES:,} lines. Split it.")
            if any(cell.strip() for cell in cells):
                yield first_line, dict(zip(names, cells, strict=False))
            first_line = reader.line_num + 1
    except csv.Error as exc:
        raise UnreadablePriceList(f"Line {reader.line_num} is no CSV: {exc}.") from exc


def _line(number: int, row: Mapping[str, str], connection: str, at: datetime) -> PriceLine | None:
    """Return the price of a row, or None if it is not about ``connection`` at ``at``."""
    cells = {name: unescape_formula(row.get(name, "").strip()) for name in COLUMNS}
    model, window = model_patterns.merge_wildcards(cells["model"]), cells["window"]
    for name, length in MAX_LENGTHS.items():
        if "\0" in cells[name] or len(cells[name]) > length:
            raise ValueError(f"The {name} has more than {length} characters, or odd ones.")
    if not model or not window:
        raise ValueError(f"There is no {'window' if model else 'model'}.")
    price = UnitPrice(
        input=parse_amount(cells["input_usd"], "input"),
        output=parse_amount(cells["output_usd"], "output"),
    )
    since, until = _moment(cells["effective_from"], at), _moment(cells["effective_to"], at)
    is_ours = cells["connection"] in {"", connection}
    if not is_ours or (since and since > at) or (until and until <= at):
        return None
    return PriceLine(number, model, window, price, cells["source"])


def _moment(text: str, at: datetime) -> datetime | None:
    """Return a moment in ISO form; the default time zone is the zone of ``at``."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text[:30]}” is no date. Write it like 2026-01-31T00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=at.tzinfo)
