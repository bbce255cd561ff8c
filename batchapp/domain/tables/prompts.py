"""Prompts with {column} placeholders, and what they become for one row of a table.

A placeholder is a column's name and nothing else. There is no expression, attribute, filter or
loop to run, hence nothing that a sandbox would have to keep in; and what a cell holds is put in
once and never read again.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

PIECE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+")
COLUMNS_SHOWN = 20


class PromptError(ValueError):
    """A prompt or a row that gives no request; the message is a sentence for the person."""


def columns_of(template: str) -> set[str]:
    """The columns that ``template`` names.

    Raises:
        TemplateFault: a brace has no partner.
    """
    return {column for column, _ in _pieces(template) if column is not None}


def render(template: str, row: Mapping[str, str]) -> str:
    """``template`` with each {column} replaced by its value; {{ and }} stand for braces.

    What stands between two braces is a column's name and nothing else: no attribute, index or
    format. Values are put in as they are, braces included.

    Raises:
        TemplateFault: a brace has no partner, or there is no such column.
    """
    return "".join(
        text if column is None else cell(row, column) for column, text in _pieces(template)
    )


def _pieces(template: str) -> Iterator[tuple[str | None, str]]:
    """Column and "" for each placeholder, None and the text for what stands between."""
    for piece in PIECE.finditer(template):
        text = piece[0]
        if piece[1] is not None:
            yield piece[1], ""
        elif text in {"{", "}"}:
            around = template[max(0, piece.start() - 10) : piece.start() + 11]
            raise PromptError(
                f"The brace in “{around}” has no partner. Write {{{{ or }}}} for a brace that is "
                "meant as text."
            )
        else:
            yield None, text[0] if text in {"{{", "}}"} else text


def cell(row: Mapping[str, str], column: str) -> str:
    """The value of ``column``.

    Raises:
        TemplateFault: there is no such column; the message names those that there are.
    """
    try:
        return row[column]
    except KeyError:
        raise PromptError(no_such_column(column, row.keys())) from None


def no_such_column(column: str, columns: Collection[str]) -> str:
    """A sentence that names the columns there are, and the one that was meant."""
    if not columns:
        return f"There is no column {column}: the table has none."
    names = ", ".join([*columns][:COLUMNS_SHOWN]) + ("…" if len(columns) > COLUMNS_SHOWN else "")
    close = difflib.get_close_matches(column, columns, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"There is no column {column}.{hint} The table has: {names}."
