"""The columns of a page of results: those to choose from, and those that are shown."""

from dataclasses import dataclass, field, replace

from msgspec.structs import replace as replace_fields

from batchapp.domain.results.result_filter import PROBLEM, ResultView, Sorting
from batchapp.forms.batches.results import address
from batchapp.services.results.columns.columns_reader import FIELD, SOURCE, ColumnsReader

USUAL_FIELDS = 4  # of JSON answers, in place of the whole answer
USUAL_SHARE = 0.5  # of the answers that have a field, at least, if it is shown unasked
MAX_SHOWN = 24
NO_NAME = "(no name)"  # of a field whose name is empty
WIDE_LINES = 10_000  # results whose lines need more room


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of a page: ``width`` is a class of the style sheet, "" for what takes the rest.

    ``sort_name`` is the column by which a press on the head sorts, with ``sort_hint`` if that is
    not the column itself. ``group`` parts the columns to choose from.
    """

    name: str
    label: str
    group: str = "result"
    kind: str = "text"
    width: str = "middle"
    sort_name: str = ""
    sort_hint: str = ""
    is_first_descending: bool = False

    @property
    def is_number(self) -> bool:
        return self.kind in {"number", "cost"}


def _number(name: str, label: str, kind: str = "number") -> ResultColumn:
    return ResultColumn(name, label, kind=kind, width="short", is_first_descending=True)


LINE = ResultColumn("line", "Line", kind="line", width="brief")
CUSTOM_ID = ResultColumn("custom_id", "custom_id", kind="id")
QUESTION = ResultColumn(
    *("question", "Question"), width="", sort_name="question_length", sort_hint="Sort by length"
)
ANSWER = ResultColumn(
    *("answer", "Answer"),
    kind="answer",
    width="",
    sort_name="answer_length",
    sort_hint="Sort by length",
)
FIGURES = (
    ResultColumn("outcome", "Outcome", kind="outcome"),
    ResultColumn("model", "Model", kind="model", width="middle"),
    ResultColumn("finish_reason", "Finish reason", width="short"),
    _number("status_code", "HTTP status"),
    ResultColumn("error_code", "Error code"),
    _number("input_tokens", "Tokens in"),
    _number("output_tokens", "Tokens out"),
    _number("cached_tokens", "Tokens from the cache"),
    _number("cost_usd", "Cost", kind="cost"),
)
USUAL_FIGURES = ("input_tokens", "output_tokens")
LABELS = {
    column.name: column.label for column in (LINE, CUSTOM_ID, QUESTION, ANSWER, *FIGURES)
} | {
    "question_length": "Length of the question",
    "answer_length": "Length of the answer",
    PROBLEM: "Problem",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A column to choose, in the menu."""

    column: ResultColumn
    is_shown: bool


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    label: str
    choices: list[Choice] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ShownColumn:
    """A column with the address that sorts by it; ``order`` is "ascending", "descending" or ""."""

    column: ResultColumn
    sort_url: str
    order: str = ""


def further_columns(reader: ColumnsReader) -> tuple[list[ResultColumn], list[ResultColumn]]:
    """Return the columns of the table that the batch was made from, and the fields of answers."""
    columns: dict[str, list[ResultColumn]] = {SOURCE: [], FIELD: []}
    for column in reader.columns.values():
        is_number = column.kind == "number"
        width = "middle" if reader.has_few_values(column.name) else "long"
        columns[column.origin].append(
            ResultColumn(
                column.name,
                column.label.strip() or NO_NAME,
                column.origin,
                kind="number" if is_number else "text",
                width="short" if is_number else width,
                is_first_descending=is_number,
            )
        )
    return columns[SOURCE], columns[FIELD]


def usual_names(reader: ColumnsReader, answered: int) -> set[str]:
    """Return the columns that a person sees who has chosen none.

    Answers that are JSON are shown by their first fields, if most of the ``answered`` results have
    them.
    """
    fields = [
        column.name
        for column in reader.columns.values()
        if column.origin == FIELD and (column.filled or 0) >= max(1, USUAL_SHARE * answered)
    ]
    return {QUESTION.name, *(fields[:USUAL_FIELDS] or [ANSWER.name]), *USUAL_FIGURES}


def shown_columns(
    reader: ColumnsReader, view: ResultView, answered: int
) -> tuple[list[ResultColumn], list[ColumnGroup]]:
    """Return the columns of the page in their order, and all of them to choose from.

    Line and custom_id are always shown and not to be chosen. Names that are no column are left
    out.
    """
    source, fields = further_columns(reader)
    wanted = set(view.columns or ()) or usual_names(reader, answered)
    order = [*source, QUESTION, *fields, ANSWER, *FIGURES]
    shown = [column for column in order if column.name in wanted][:MAX_SHOWN]
    names = {column.name for column in shown}
    groups = [
        ColumnGroup(label, [Choice(column, column.name in names) for column in columns])
        for label, columns in (
            ("Results", [QUESTION, ANSWER, *FIGURES]),
            ("Fields of the answers", fields),
            ("Columns of the table", source),
        )
        if columns
    ]
    line = replace(LINE, width="short") if reader.total >= WIDE_LINES else LINE
    return [line, CUSTOM_ID, *shown], groups


def heads(columns: list[ResultColumn], view: ResultView) -> list[ShownColumn]:
    """Return the heads of ``columns``: a press sorts, and a second one the other way round."""
    return [_head(column, view) for column in columns]


def _head(column: ResultColumn, view: ResultView) -> ShownColumn:
    name, current = column.sort_name or column.name, view.sorting
    is_current = current.column == name
    descending = not current.is_descending if is_current else column.is_first_descending
    url = address(view, sorting=Sorting(name, descending), page=1)
    order = {True: "descending", False: "ascending"}[current.is_descending] if is_current else ""
    return ShownColumn(column, url, order)


def label_of(name: str, reader: ColumnsReader | None = None) -> str:
    """Return what people call a column, in the words of the table or the answer if it has any."""
    if reader and name in reader.columns:
        return reader.columns[name].label.strip() or NO_NAME
    return LABELS.get(name) or name.partition(":")[2] or name


def toggled_json(view: ResultView, shown: list[ResultColumn], reader: ColumnsReader) -> str:
    """Return the address with whole answers in place of their fields, or the other way round.

    It is "" if the answers have no fields.
    """
    fields = {name for name, column in reader.columns.items() if column.origin == FIELD}
    if not fields:
        return ""
    names = [column.name for column in shown[2:]]
    if fields.isdisjoint(names):
        usual = [name for name in reader.columns if name in fields][:USUAL_FIELDS]
        names = [name for name in names if name != ANSWER.name] + usual
    else:
        names = [name for name in names if name not in fields and name != ANSWER.name]
        names.append(ANSWER.name)
    return address(replace_fields(view, columns=tuple(names)))
