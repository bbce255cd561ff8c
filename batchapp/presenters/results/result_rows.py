"""The rows of a page of results: for each cell its text, on one line and cut."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from batchapp.domain.results.outcome import Outcome
from batchapp.models import Result
from batchapp.presenters.results.result_columns import (
    ANSWER,
    CUSTOM_ID,
    FIGURES,
    LINE,
    QUESTION,
    USUAL_FIGURES,
    ResultColumn,
)
from batchapp.services.results.columns.columns_reader import FIELD, SOURCE
from batchapp.templatetags.statuses import Status, outcome_status
from batchapp.templatetags.words import rate, short, usd_in_column

MAX_TEXT = 280  # characters of a cell, which shows two lines
READ_TEXT = 2 * MAX_TEXT  # characters that are read, some of which may be white space
NO_NUMBER = "\u2013"
# What a row needs beside its columns.
NEEDED = ("line", "custom_id", "outcome", "answer", "error_message")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of ``span`` columns; ``status`` and ``note`` stand before its text.

    ``kind`` is that of its column. ``title`` has what a cut cell does not show. ``label`` is the
    name of the column where a narrow screen shows the cell below others, "" where it is left out.
    """

    kind: str
    text: str
    title: str = ""
    status: Status | None = None
    note: str = ""
    span: int = 1
    is_quiet: bool = False
    label: str = ""


@dataclass(frozen=True, slots=True)
class ResultRow:
    line: int
    custom_id: str
    cells: list[Cell]


def rows_of_columns(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[ResultColumn],
    origins: Mapping[int, str],
) -> list[ResultRow]:
    """Return the rows of a columns file; ``origins`` says for a line whose answer it has."""
    return [_row(row, columns, origins) for row in rows]


def rows_of_results(
    results: Iterable[Result], questions: Mapping[int, str], origins: Mapping[int, str]
) -> list[ResultRow]:
    """Return rows from the database; ``questions`` and ``origins`` are by line."""
    rows = []
    columns = [QUESTION, ANSWER]
    for result in results:
        shown = result.best if hasattr(result, "merged") else result
        values = {
            "line": result.line,
            "custom_id": result.custom_id,
            "outcome": shown.outcome,
            "question": questions.get(result.line, ""),
            "answer": shown.preview,
            "error_message": shown.error_message,
            "input_tokens": shown.input_tokens,
            "output_tokens": shown.output_tokens,
        }
        row = _row(values, columns, origins)
        is_paid = result.outcome != Outcome.REUSED
        row.cells.extend(_number(values[name] if is_paid else None) for name in USUAL_FIGURES)
        rows.append(row)
    return rows


def columns_without_file() -> list[ResultColumn]:
    """Return the columns of the rows from the database."""
    figures = [column for column in FIGURES if column.name in USUAL_FIGURES]
    return [LINE, CUSTOM_ID, QUESTION, ANSWER, *figures]


def _row(
    row: Mapping[str, Any], columns: Sequence[ResultColumn], origins: Mapping[int, str]
) -> ResultRow:
    cells = []
    fields = [column for column in columns if column.group == FIELD]
    has_fields = any(row.get(column.name) is not None for column in fields)
    has_status = False
    for column in columns:
        if column.kind in {"line", "id"}:
            continue
        is_answer = column.name == ANSWER.name
        if column.group == FIELD and not has_fields:
            if column is fields[0]:
                cells.append(_answer(row, origins, span=len(fields)))
                has_status = True
        elif is_answer or (column.group == FIELD and not has_status):
            text = None if is_answer else _text(row[column.name])
            cell = _answer(row, origins, text=text, has_status=not has_status)
            cells.append(replace(cell, label=_label(column)))
            has_status = True
        else:
            is_empty = row[column.name] in {None, ""}
            cells.append(replace(_cell(row, column), label="" if is_empty else _label(column)))
    return ResultRow(row["line"], row["custom_id"], cells)


def _answer(
    row: Mapping[str, Any],
    origins: Mapping[int, str],
    *,
    text: str | None = None,
    span: int = 1,
    has_status: bool = True,
) -> Cell:
    """Return what was answered or went wrong; a plain answer has no status before it."""
    outcome = Outcome(row["outcome"])
    error, answer = row["error_message"] or "", row["answer"] or ""
    shown = (answer or error) if outcome.is_answer else (error or answer)
    return Cell(
        "answer",
        _text(shown) if text is None else text,
        status=outcome_status(outcome) if has_status and outcome != Outcome.OK else None,
        note=origins.get(row["line"], "") if has_status else "",
        span=span,
    )


def _cell(row: Mapping[str, Any], column: ResultColumn) -> Cell:
    value = row[column.name]
    if column.kind == "outcome":
        return Cell("outcome", "", status=outcome_status(value))
    if column.kind == "cost":
        if value is None:
            return Cell("number", NO_NUMBER)
        return Cell("number", usd_in_column(value), title=rate(value))
    if column.kind == "number":
        return _number(value)
    if column.kind == "model":
        return Cell("text", short(value or ""), title=value or "", is_quiet=True)
    return Cell("text", _text(value), is_quiet=column.name == QUESTION.name)


def _label(column: ResultColumn) -> str:
    return column.label if column.group in {FIELD, SOURCE} else ""


def _number(value: object) -> Cell:
    """Return a count with its thousands parted; a number of an answer as it is written."""
    if value is None or value == "":
        return Cell("number", NO_NUMBER)
    return Cell("number", f"{value:,}" if isinstance(value, int) else _text(value))


def _text(value: object) -> str:
    text = " ".join(str("" if value is None else value).split())
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"
