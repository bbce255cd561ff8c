"""Prompts with {column} placeholders, and their text for one row of a table.

A placeholder is a column's name and nothing else: there is no expression, attribute, filter or
loop that a sandbox would have to confine. A cell's value is inserted once and never read again.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping

from batchapp.domain.request_files.findings import presentable

PIECE = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]|[^{}]+")
COLUMNS_LISTED = 20  # in an error message
JSON_SHOWN = 60  # characters of an example in JSON, in an error message

# A name in quotation marks and a colon, as no column is called.
LIKE_JSON = re.compile(r"""^\s*["'“][^"'”]*["'”]\s*:|["”\w]\s*:\s*["\['“\d]""")


class PromptError(ValueError):
    """A prompt or a row gives no request; the message is a sentence for the person."""


def columns_of(template: str) -> set[str]:
    """Return the columns that ``template`` names.

    Raises:
        PromptError: a brace has no partner.
    """
    return {column for column, _ in _pieces(template) if column is not None}


def render(template: str, row: Mapping[str, str]) -> str:
    """Return ``template`` with each {column} replaced by its value; {{ and }} stand for braces.

    Values are inserted unchanged, braces included.

    Raises:
        PromptError: a brace has no partner, or a column does not exist.
    """
    return "".join(
        text if column is None else cell_value(row, column) for column, text in _pieces(template)
    )


def _pieces(template: str) -> Iterator[tuple[str | None, str]]:
    """Yield (column, "") for each placeholder, and (None, text) for the text between."""
    for match in PIECE.finditer(template):
        text = match[0]
        if match[1] is not None:
            yield match[1], ""
        elif text in {"{", "}"}:
            context = template[max(0, match.start() - 10) : match.start() + 11]
            raise PromptError(
                f"The brace in “{context}” has no partner. Write {{{{ or }}}} for a brace that is "
                "meant as text, as in an example in JSON."
            )
        else:
            yield None, text[0] if text in {"{{", "}}"} else text


def cell_value(row: Mapping[str, str], column: str) -> str:
    """Return the value of ``column``.

    Raises:
        PromptError: the column does not exist; the message lists the existing columns.
    """
    try:
        return row[column]
    except KeyError:
        raise PromptError(missing_column_error(column, row.keys())) from None


def missing_column_error(column: str, columns: Collection[str]) -> str:
    """Return a sentence that lists the existing columns, and suggests a similar name."""
    if LIKE_JSON.search(column):
        shown = presentable(" ".join(column.split()), JSON_SHOWN)
        return (
            f"“{{{shown}}}” is an example in JSON, not a column. Write its braces twice, so that "
            f"they are sent as text: {{{{{shown}}}}}"
        )
    if not columns:
        return f"There is no column {column}: the table has none."
    names = ", ".join([*columns][:COLUMNS_LISTED]) + ("…" if len(columns) > COLUMNS_LISTED else "")
    close = difflib.get_close_matches(column, columns, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"There is no column {column}.{hint} The table has: {names}."
