"""Price lists as text: what each line of a CSV says, and what is wrong with it."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from batchapp.domain.money import model_patterns
from batchapp.domain.money.unit_prices import UnitPrice

COLUMNS = [
    "connection",
    "model",
    "window",
    "input_usd",
    "output_usd",
    "effective_from",
    "effective_to",
    "source",
]
NEEDED = ["model", "window", "input_usd", "output_usd"]
MAX_LINES = 5000
MAX_PATTERNS = 200
LONGEST = {"model": 200, "window": 20, "source": 200}
AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
QUOTE = "'"


class UnreadableList(Exception):
    """The text is no price list at all; the message is a sentence."""


class Line(msgspec.Struct, frozen=True):
    """One price as a list gives it. ``number`` is its line, from 1, or 0 if it has none."""

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


class Listing(msgspec.Struct):
    """``passed_over`` counts good lines that are of other connections, or not of this time."""

    lines: list[Line]
    bad: list[BadLine]
    passed_over: int = 0


def amount(text: str, what: str) -> Decimal:
    """USD per million tokens, written plainly.

    Raises:
        ValueError: with a sentence; empty is not zero.
    """
    text = text.strip()
    if not text:
        raise ValueError(f"There is no {what} price. Write 0 if it costs nothing.")
    if not AMOUNT.fullmatch(text):
        raise ValueError(
            f"The {what} price “{text[:30]}” is no amount in USD. Write it like 0.25, with at "
            "most 6 digits on each side of the point."
        )
    return Decimal(text)


def inert(text: str) -> str:
    """``text`` so that no spreadsheet takes it for a formula; ``original`` undoes it."""
    return f"{QUOTE}{text}" if text.startswith((*FORMULA, QUOTE)) else text


def original(text: str) -> str:
    return text[1:] if text.startswith(QUOTE) and text[1:].startswith((*FORMULA, QUOTE)) else text


def read(text: str, connection: str, at: datetime) -> Listing:
    """What a CSV says of the prices of ``connection`` at ``at``.

    Columns may come in any order; others than ``COLUMNS`` are not looked at.

    Raises:
        UnreadableList: no line could be read, so there is nothing to compare.
    """
    listing = Listing([], [])
    seen: dict[tuple[str, str], int] = {}
    for number, row in _rows(text):
        try:
            line = _line(number, row, connection, at)
        except ValueError as exc:
            listing.bad.append(BadLine(number, str(exc)))
            continue
        if line is None:
            listing.passed_over += 1
        elif line.kind in seen:
            reason = f"{line.model} in {line.window} is in line {seen[line.kind]} already."
            listing.bad.append(BadLine(number, reason))
        else:
            seen[line.kind] = number
            listing.lines.append(line)
    if sum(model_patterns.is_pattern(line.model) for line in listing.lines) > MAX_PATTERNS:
        raise UnreadableList(f"The list has more than {MAX_PATTERNS} names with *. Use fewer.")
    return listing


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line that is not blank, by column, with the number of the line that it begins in."""
    head = text.partition("\n")[0]
    delimiter = ";" if ";" in head and "," not in head else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in NEEDED if name not in names]:
            raise UnreadableList(
                f"The first line must name the columns, and lacks {', '.join(missing)}. "
                f"Download the CSV of this page to see how a list looks."
            )
        begins = reader.line_num + 1
        for count, cells in enumerate(reader, 1):
            if count > MAX_LINES:
                raise UnreadableList(f"The list has more than {MAX_LINES:,} lines. Split it.")
            if any(cell.strip() for cell in cells):
                yield begins, dict(zip(names, cells, strict=False))
            begins = reader.line_num + 1
    except csv.Error as exc:
        raise UnreadableList(f"Line {reader.line_num} is no CSV: {exc}.") from exc


def _line(number: int, row: Mapping[str, str], connection: str, at: datetime) -> Line | None:
    """None for a line that is not about ``connection`` at ``at``."""
    cells = {name: original(row.get(name, "").strip()) for name in COLUMNS}
    model, window = model_patterns.tidy(cells["model"]), cells["window"]
    for name, longest in LONGEST.items():
        if "\0" in cells[name] or len(cells[name]) > longest:
            raise ValueError(f"The {name} has more than {longest} characters, or odd ones.")
    if not model or not window:
        raise ValueError(f"There is no {'window' if model else 'model'}.")
    price = UnitPrice(
        input=amount(cells["input_usd"], "input"), output=amount(cells["output_usd"], "output")
    )
    since, until = _moment(cells["effective_from"], at), _moment(cells["effective_to"], at)
    is_ours = cells["connection"] in {"", connection}
    if not is_ours or (since and since > at) or (until and until <= at):
        return None
    return Line(number, model, window, price, cells["source"])


def _moment(text: str, at: datetime) -> datetime | None:
    """A date and time in ISO form; without a zone it is in that of ``at``."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"“{text[:30]}” is no date. Write it like 2026-01-31T00:00Z.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=at.tzinfo)
