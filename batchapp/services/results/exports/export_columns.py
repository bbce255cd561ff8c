"""The columns that an export of a batch can have, and those that it usually has."""

from dataclasses import dataclass, replace

from batchapp.domain.results.export_settings import unique_names
from batchapp.services.results.columns.columns_reader import FIELD, SOURCE, ColumnsReader


class UnknownColumn(Exception):
    """An export names a column that the results do not have (any more)."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class ExportColumn:
    """A column by its ``key``, which names it in a columns file too, and its ``name`` in the file.

    ``kind`` is "text", "integer" or "decimal", or of a
    field of answers also "number", "boolean", "json" or "null".
    """

    key: str
    name: str
    kind: str = "text"
    origin: str = ""


BEFORE_FIELDS = (
    ExportColumn("custom_id", "custom_id"),
    ExportColumn("question", "question"),
    ExportColumn("answer", "answer"),
)
BEHIND_FIELDS = (
    ExportColumn("outcome", "outcome"),
    ExportColumn("error_message", "error"),
    ExportColumn("error_code", "error_code"),
    ExportColumn("finish_reason", "finish_reason"),
    ExportColumn("status_code", "status_code", "integer"),
    ExportColumn("model", "model"),
    ExportColumn("input_tokens", "input_tokens", "integer"),
    ExportColumn("output_tokens", "output_tokens", "integer"),
    ExportColumn("cached_tokens", "cached_tokens", "integer"),
    ExportColumn("cost_usd", "cost_usd", "decimal"),
    ExportColumn("line", "line", "integer"),
)
USUAL_BESIDE_TABLE = frozenset({"answer", "outcome", "error_message"})
USUAL_WITHOUT_TABLE = USUAL_BESIDE_TABLE | {"custom_id", "question"}


def available_columns(reader: ColumnsReader) -> list[ExportColumn]:
    """Return all columns: of the table first, the answer with its fields, then its figures."""
    further = reader.columns.values()
    source = [
        ExportColumn(row.name, row.label, origin=SOURCE) for row in further if row.origin == SOURCE
    ]
    fields = [
        ExportColumn(row.name, row.label, row.kind, FIELD)
        for row in further
        if row.origin == FIELD
    ]
    return [*source, *BEFORE_FIELDS, *fields, *BEHIND_FIELDS]


def usual_keys(columns: list[ExportColumn]) -> tuple[str, ...]:
    """Return the keys of the columns that an export has unless a person chooses others."""
    has_source = any(column.origin == SOURCE for column in columns)
    usual = USUAL_BESIDE_TABLE if has_source else USUAL_WITHOUT_TABLE
    return tuple(column.key for column in columns if column.origin or column.key in usual)


def chosen_columns(columns: list[ExportColumn], keys: tuple[str, ...]) -> list[ExportColumn]:
    """Return the columns ``keys``, or the usual ones, with names of which no two are equal.

    A column of the table keeps its name.

    Raises:
        UnknownColumn: one of ``keys`` is not among ``columns``.
    """
    by_key = {column.key: column for column in columns}
    try:
        chosen = [by_key[key] for key in keys or usual_keys(columns)]
    except KeyError as exc:
        raise UnknownColumn(str(exc.args[0])) from exc
    order = sorted(chosen, key=lambda column: column.origin != SOURCE)
    names = unique_names([column.name for column in order])
    named = {column.key: name for column, name in zip(order, names, strict=True)}
    return [replace(column, name=named[column.key]) for column in chosen]


def count_table_rows(reader: ColumnsReader) -> int | None:
    """Return the number of rows of the table that the batch was made from; None without one."""
    if not reader.has_source:
        return None
    return int(reader.execute("SELECT count(*) FROM source").fetchall()[0][0])
