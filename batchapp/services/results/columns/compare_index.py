"""Join the columns files of several batches by custom_id, into a table of what agrees."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import NamedTuple

import duckdb
from django.conf import settings

from batchapp.domain.results.comparison import Agreement
from batchapp.domain.results.outcome import SUCCEEDED
from batchapp.models import ResultColumns
from batchapp.services.results.columns import schema
from batchapp.storage import blobs

MAX_FIELDS = 20  # fields of JSON answers that are compared: those that most answers have

ANSWERED = ", ".join(f"'{outcome.value}'" for outcome in sorted(SUCCEEDED))
SPACES = (" ", "\n", "\t", "\r")


class FieldColumn(NamedTuple):
    """The column of a field of JSON answers in one columns file."""

    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class ComparedField:
    """A field that the JSON answers of every batch have; ``columns`` has one column per batch."""

    label: str
    columns: list[FieldColumn]

    @property
    def is_number(self) -> bool:
        return all(column.kind in {"number", "null"} for column in self.columns)

    def value(self, batch: int, *, loose: bool) -> str:
        """Return the SQL of the value in the table ``t<batch>`` as it is compared."""
        return comparable(
            f"t{batch}.{self.columns[batch].name}", loose=loose, number=self.is_number
        )


@dataclass(frozen=True, slots=True)
class ComparisonIndex:
    """An open comparison: the columns files attached as b0, b1 and so on, and the joined table.

    Table ``joined`` has a row for each custom_id, in the order of the first batch that has it:
    ``r0`` is the rowid in the first batch and ``o0`` the outcome there, both NULL without the
    custom_id; ``agreement``; ``same_question``; and for each field ``s0``, ``s1`` and so on, NULL
    where the field is not compared. ``tables`` are the tables of the batches.
    """

    connection: duckdb.DuckDBPyConnection
    tables: list[str]
    fields: list[ComparedField]
    source_columns: list[dict[str, str]]  # for each batch: name of a column -> label
    loose: bool


def comparable(expression: str, *, loose: bool, number: bool = False) -> str:
    """Return the SQL of a text as it is compared.

    ``loose`` takes no notice of upper and lower case and of white space. A ``number`` is compared
    without the zeros behind its decimal point.
    """
    if number:
        plain = f"contains({expression}, '.') AND NOT contains(lower({expression}), 'e')"
        return f"CASE WHEN {plain} THEN rtrim(rtrim({expression}, '0'), '.') ELSE {expression} END"
    if not loose:
        return expression
    expression = f"lower({expression})"
    for space in SPACES:
        expression = f"replace({expression}, chr({ord(space)}), '')"
    return expression


def build_index(
    columns: Sequence[ResultColumns], own: Sequence[bool], *, loose: bool
) -> ComparisonIndex:
    """Attach these columns files, and join them.

    ``own`` says of each batch whether its own answers count, without those of its retries.

    Raises:
        duckdb.Error, OSError: a file is gone or damaged.
    """
    connection = duckdb.connect(config=schema.CONFIG)
    connection.execute("SET temp_directory = ?", [str(settings.FILE_UPLOAD_TEMP_DIR)])
    with ExitStack() as stack:
        # An attached file stays readable when its name is gone.
        for number, row in enumerate(columns):
            path = stack.enter_context(blobs.local_path(row.blob))
            quoted = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{quoted}' AS b{number} (READ_ONLY)")
    tables = [_table(connection, number, own=flag) for number, flag in enumerate(own)]
    index = ComparisonIndex(
        connection,
        tables,
        _common_fields(connection, tables),
        [_source_columns(connection, number) for number in range(len(tables))],
        loose,
    )
    connection.execute(_join(index))
    return index


def _table(connection: duckdb.DuckDBPyConnection, number: int, *, own: bool) -> str:
    query = "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND table_name = ?"
    has_own = own and connection.execute(query, [f"b{number}", schema.OWN]).fetchall()
    return f"b{number}.{schema.OWN if has_own else schema.MERGED}"


def _common_fields(
    connection: duckdb.DuckDBPyConnection, tables: list[str]
) -> list[ComparedField]:
    """Return the fields that every batch has; with too many, those that most answers have."""
    of_batches = [
        {
            label: (FieldColumn(name, kind), filled)
            for name, label, kind, filled in connection.execute(
                f"SELECT name, label, kind, filled FROM {table}_fields"
            ).fetchall()
        }
        for table in tables
    ]
    common = [label for label in of_batches[0] if all(label in fields for fields in of_batches)]
    by_filled = sorted(common, key=lambda label: -sum(fields[label][1] for fields in of_batches))
    chosen = set(by_filled[:MAX_FIELDS])
    return [
        ComparedField(label, [fields[label][0] for fields in of_batches])
        for label in common
        if label in chosen
    ]


def _source_columns(connection: duckdb.DuckDBPyConnection, number: int) -> dict[str, str]:
    query = f"SELECT name, label FROM b{number}.source_columns"
    return dict(connection.execute(query).fetchall())


def _join(index: ComparisonIndex) -> str:
    """Return the statement that creates the joined table.

    Only hashes of the texts are joined, so that the memory does not depend on their length.
    """
    batches = range(len(index.tables))
    sides = [_side(index, number) for number in batches]
    relation = sides[0] + "".join(f" FULL JOIN {side} USING (custom_id)" for side in sides[1:])
    in_all = " AND ".join(f"t{number}.r IS NOT NULL" for number in batches)
    answered = " AND ".join(f"t{number}.o IN ({ANSWERED})" for number in batches)
    agreement = (
        f"CASE WHEN NOT ({in_all}) THEN '{Agreement.PARTIAL}' "
        f"WHEN NOT ({answered}) THEN '{Agreement.UNANSWERED}' "
        f"WHEN {_all_equal('a', batches)} THEN '{Agreement.AGREE}' "
        f"ELSE '{Agreement.DISAGREE}' END"
    )
    selected = ["custom_id"]
    for number in batches:
        selected += [f"t{number}.r AS r{number}", f"t{number}.o AS o{number}"]
    selected += [f"{agreement} AS agreement", f"{_same_question(batches)} AS same_question"]
    for position in range(len(index.fields)):
        name = f"f{position}"
        some = ", ".join(f"t{number}.{name}" for number in batches)
        selected.append(
            f"CASE WHEN {in_all} AND {answered} AND coalesce({some}) IS NOT NULL "
            f"THEN {_all_equal(name, batches)} END AS s{position}"
        )
    lines = ", ".join(f"t{number}.line" for number in batches)
    first = " ".join(f"WHEN t{number}.r IS NOT NULL THEN {number}" for number in batches)
    return (
        f"CREATE TABLE joined AS SELECT {', '.join(selected)} FROM {relation} "
        f"ORDER BY CASE {first} END, coalesce({lines})"
    )


def _side(index: ComparisonIndex, number: int) -> str:
    """Return the subquery with the hashes of one batch."""
    answer = comparable(f"t{number}.answer", loose=index.loose)
    # Only the beginning of a very long answer is stored, but its whole length.
    length = "" if index.loose else f", t{number}.answer_length"
    hashes = [f"hash({answer}{length}) AS a", f"hash(t{number}.question) AS q"]
    for position, field in enumerate(index.fields):
        value = field.value(number, loose=index.loose)
        hashes.append(f"CASE WHEN {value} IS NOT NULL THEN hash({value}) END AS f{position}")
    return (
        f"(SELECT custom_id, line, rowid AS r, outcome AS o, {', '.join(hashes)} "
        f"FROM {index.tables[number]} AS t{number}) AS t{number}"
    )


def _all_equal(name: str, batches: range) -> str:
    return " AND ".join(
        f"t0.{name} IS NOT DISTINCT FROM t{number}.{name}" for number in batches[1:]
    )


def _same_question(batches: range) -> str:
    """Return the SQL that is False if two batches ask different questions under one id."""
    questions = ", ".join(f"t{number}.q" for number in batches)
    return f"least({questions}) = greatest({questions})"
