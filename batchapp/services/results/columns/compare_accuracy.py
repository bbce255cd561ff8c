"""Compare the answers of batches with values that count as right."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from batchapp.domain.results.comparison import Reference
from batchapp.services.results.columns.compare_columns import Comparison
from batchapp.services.results.columns.compare_index import ANSWERED, ComparedField, comparable

MAX_CLASSES = 12  # different right values, up to which each gets a row
MAX_VALUE_LENGTH = 80  # characters of a value that names a class
OTHER = "other values"
NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True)
class AnswerClass:
    """The requests with one right ``value``; ``answered`` are their answers by value.

    ``predicted`` is how many requests of any right value got this answer.
    """

    value: str
    total: int
    right: int
    predicted: int
    answered: list[int]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The answers of the batch at ``position`` that are right, of ``total`` with a right value.

    ``unanswered`` requests count as wrong. ``classes`` is empty if there are too many different
    right values; ``values`` are the heads of the columns of ``AnswerClass.answered``.
    """

    position: int
    total: int
    right: int
    unanswered: int
    values: list[str]
    classes: list[AnswerClass]


def find_reference(comparison: Comparison, text: str) -> Reference | None:
    """Return the reference that an address names, "0" or "0.c3"; None if there is none."""
    number, _, column = text.partition(".")
    sources = comparison.index.source_columns
    if not (number.isdecimal() and len(number) == 1 and int(number) < len(sources)):
        return None
    if column and column not in sources[int(number)]:
        return None
    return Reference(int(number), column)


def measure_accuracy(
    comparison: Comparison, reference: Reference, field_label: str = ""
) -> list[Accuracy]:
    """Return the accuracy of each batch, but of the one whose answers count as right.

    With ``field_label`` this field of the answers is measured, else the whole answer. Requests
    with an empty right value do not count.
    """
    field = next((row for row in comparison.fields if row.label == field_label), None)
    key = (reference, field.label if field else "")
    if key not in comparison.kept:
        comparison.kept[key] = [
            _measure(comparison, reference, field, position)
            for position in range(len(comparison.index.tables))
            if reference.column or position != reference.batch
        ]
    measured: list[Accuracy] = comparison.kept[key]
    return measured


def _measure(
    comparison: Comparison, reference: Reference, field: ComparedField | None, position: int
) -> Accuracy:
    relation = _pairs(comparison, reference, field, position)
    cursor = comparison.index.connection.cursor()
    total, right, unanswered, different = cursor.execute(
        "SELECT count(*), count(*) FILTER (answer = expected), count(*) FILTER (answer IS NULL), "
        f"approx_count_distinct(expected) FROM ({relation})"
    ).fetchall()[0]
    if not total or different > 2 * MAX_CLASSES:  # approximate: the exact limit comes below
        return Accuracy(position, total, right, unanswered, [], [])
    expected = cursor.execute(
        f"SELECT expected, count(*) AS number FROM ({relation}) GROUP BY expected "
        "ORDER BY number DESC, expected"
    ).fetchall()
    if len(expected) > MAX_CLASSES or any(len(value) > MAX_VALUE_LENGTH for value, _ in expected):
        return Accuracy(position, total, right, unanswered, [], [])
    values = [value for value, _ in expected]
    marks = ", ".join("?" * len(values))
    cells = cursor.execute(
        f"SELECT expected, CASE WHEN answer IS NULL THEN '{NO_ANSWER}' "
        f"WHEN answer IN ({marks}) THEN 'v' || answer ELSE '{OTHER}' END AS given, count(*) "
        f"FROM ({relation}) GROUP BY ALL",
        values,
    ).fetchall()
    return Accuracy(position, total, right, unanswered, *_classes(values, cells))


def _classes(values: list[str], cells: list[Any]) -> tuple[list[str], list[AnswerClass]]:
    counts = Counter({(expected, given): number for expected, given, number in cells})
    heads = [f"v{value}" for value in values]
    heads += [name for name in (OTHER, NO_ANSWER) if any(given == name for _, given in counts)]
    classes = [
        AnswerClass(
            value,
            total=sum(counts[value, head] for head in heads),
            right=counts[value, f"v{value}"],
            predicted=sum(counts[other, f"v{value}"] for other in values),
            answered=[counts[value, head] for head in heads],
        )
        for value in values
    ]
    return [head.removeprefix("v") if head != NO_ANSWER else head for head in heads], classes


def _pairs(
    comparison: Comparison, reference: Reference, field: ComparedField | None, position: int
) -> str:
    """Return the subquery of the right values, and the answers of one batch, NULL without one."""
    index, loose = comparison.index, comparison.index.loose
    right, tables = f"t{reference.batch}", index.tables
    is_number = bool(field and field.is_number)
    joins = f"JOIN {tables[position]} AS t{position} ON t{position}.rowid = joined.r{position} "
    if position != reference.batch:
        table = tables[reference.batch]
        joins += f"JOIN {table} AS {right} ON {right}.rowid = joined.r{reference.batch} "
    if reference.column:
        joins += f"JOIN b{reference.batch}.source AS s ON s.row = {right}.source_row"
        expected = comparable(f"s.{reference.column}", loose=loose, number=is_number)
    else:
        value = field.columns[reference.batch].name if field else "answer"
        value = comparable(f"{right}.{value}", loose=loose, number=is_number)
        expected = f"CASE WHEN {right}.outcome IN ({ANSWERED}) THEN {value} END"
    answer = f"t{position}.{field.columns[position].name if field else 'answer'}"
    answer = comparable(answer, loose=loose, number=is_number)
    return (
        "SELECT * FROM (SELECT "
        f"{expected} AS expected, CASE WHEN t{position}.outcome IN ({ANSWERED}) THEN {answer} END "
        f"AS answer FROM joined {joins}) WHERE expected <> ''"
    )
