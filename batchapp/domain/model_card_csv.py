"""Read and write model cards as CSV; a cell is empty where no source states the fact."""

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

from batchapp.domain.csv_list import BadLine, escape_formula, read_cells, read_rows
from batchapp.domain.model_cards import INPUTS, Kind, ModelCard, Thinking

COLUMNS = list(ModelCard.__struct_fields__)
REQUIRED_COLUMNS = ["model"]
MAX_LENGTHS = dict.fromkeys(COLUMNS, 200)
WINDOW_LENGTH = 20
MAX_TOKENS = 2_000_000_000  # more than any model, and as much as a column of the database holds
WHOLE_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)


class ParsedCards(msgspec.Struct):
    cards: dict[str, ModelCard]
    bad: list[BadLine]


def read_cards(text: str) -> ParsedCards:
    """Return the model cards of a CSV by model, and its bad lines.

    Columns may come in any order; columns not in ``COLUMNS`` are ignored.

    Raises:
        UnreadableList: the text as a whole cannot be used.
    """
    parsed = ParsedCards({}, [])
    for number, row in read_rows(text, REQUIRED_COLUMNS):
        try:
            card = read_card(read_cells(row, MAX_LENGTHS))
        except ValueError as exc:
            parsed.bad.append(BadLine(number, str(exc)))
            continue
        if parsed.cards.setdefault(card.model, card) is not card:
            parsed.bad.append(BadLine(number, f"{card.model} is in the list already."))
    return parsed


def read_card(cells: Mapping[str, str]) -> ModelCard:
    """Return the model card that ``cells``, one for each of ``COLUMNS``, write.

    Raises:
        ValueError: a cell is no such fact; the message is a sentence for the person.
    """
    if not cells["model"]:
        raise ValueError("There is no model.")
    return ModelCard(
        model=cells["model"],
        kind=_one_of(Kind, cells["kind"], "endpoint"),
        inputs=_inputs(cells["inputs"]),
        context_tokens=read_tokens(cells["context_tokens"]),
        max_new_tokens=read_tokens(cells["max_new_tokens"]),
        thinking=_one_of(Thinking, cells["thinking"], "thinking"),
        windows=read_windows(cells["windows"]),
        source=cells["source"],
    )


def read_tokens(text: str) -> int | None:
    """Return a number of tokens, which may be grouped by commas or blanks; None for "".

    Raises:
        ValueError: ``text`` is no number of at least 1.
    """
    digits = re.sub(r"[, _]", "", text)
    if not digits:
        return None
    if not WHOLE_NUMBER.fullmatch(digits) or not 0 < int(digits) <= MAX_TOKENS:
        raise ValueError(f"“{text[:30]}” is no number of tokens. Write it like 131072.")
    return int(digits)


def read_windows(text: str) -> tuple[str, ...]:
    """Return the names of completion windows, separated by commas.

    Raises:
        ValueError: a name is too long.
    """
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if len(name) > WINDOW_LENGTH:
            raise ValueError(f"The window “{name}” has more than {WINDOW_LENGTH} characters.")
    return names


def rows_of(cards: Iterable[ModelCard]) -> Iterator[list[str]]:
    """Yield a header and one row per card; ``read_cards`` can read the rows."""
    yield COLUMNS
    for card in cards:
        facts = msgspec.structs.asdict(card).values()
        yield [escape_formula(write_fact(fact)) for fact in facts]


def write_fact(fact: object) -> str:
    """Return a fact as a cell; "" if it is not known."""
    if isinstance(fact, tuple):
        return ", ".join(fact)
    return "" if fact is None else str(fact)


def _one_of(values: type[StrEnum], text: str, name: str) -> str:
    value = text.lower()
    if value and value not in set(values):
        names = ", ".join(values)
        raise ValueError(f"The {name} “{text[:30]}” is not known: write {names}, or nothing.")
    return value


def _inputs(text: str) -> tuple[str, ...]:
    given = set(text.lower().replace(",", " ").split())
    if unknown := sorted(given - set(INPUTS)):
        names = ", ".join(INPUTS)
        raise ValueError(f"The input “{unknown[0][:30]}” is not known: write {names}, or nothing.")
    return tuple(name for name in INPUTS if name in given)
