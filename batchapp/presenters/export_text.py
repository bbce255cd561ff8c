"""Say of exports their formats, their content, and how far they are."""

from collections.abc import Sequence
from dataclasses import dataclass

from django import template
from django.utils.text import slugify

from batchapp.domain.results.export_settings import FIELD_PREFIX, SOURCE_PREFIX, ExportSettings
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import PROBLEM, ResultFilter, ValueFilter
from batchapp.models import Export
from batchapp.presenters.result_chips import LABELS
from batchapp.presenters.results.facet_charts import value_text
from batchapp.services.results.columns.columns_reader import FIELD, SOURCE
from batchapp.services.results.exports.export_columns import ExportColumn
from batchapp.services.results.exports.formats import FORMATS
from batchapp.templatetags.statuses import Status
from batchapp.templatetags.words import count

register = template.Library()


@dataclass(frozen=True, slots=True)
class FormatText:
    """The name of a format, and a sentence on what it is good for and what it cannot."""

    label: str
    sentence: str


FORMAT_TEXTS = {
    "csv": FormatText("CSV", "For any program that reads tables. Nothing is cut."),
    "xlsx": FormatText(
        "Excel workbook",
        "Opens with a double click. A sheet holds 1,048,576 rows and a cell 32,767 characters; "
        "the file says what does not fit.",
    ),
    "parquet": FormatText(
        "Parquet",
        "For pandas, Polars, DuckDB and Spark: small, with types, embeddings as numbers.",
    ),
    "joined": FormatText(
        "JSONL, request and result",
        "One line for each request: its row of the table, the request and the result, whole.",
    ),
    "raw": FormatText(
        "JSONL as received", "The provider's lines, unchanged: the best answer to each request."
    ),
}
GROUPS = {SOURCE: "Your table", "answer": "Answer", FIELD: "Fields of the answer", "": "About it"}
ANSWERS = {"custom_id", "question", "answer"}

_STATUSES = {
    Export.Status.WRITING: ("busy", "clock"),
    Export.Status.READY: ("good", "check"),
    Export.Status.FAILED: ("bad", "cross"),
    Export.Status.EXPIRED: ("quiet", "stop"),
}


@dataclass(frozen=True, slots=True)
class ColumnGroup:
    title: str
    columns: list[ExportColumn]


def column_groups(columns: Sequence[ExportColumn]) -> list[ColumnGroup]:
    """Return the columns in groups that have one, in the order of the file."""
    groups: dict[str, list[ExportColumn]] = {code: [] for code in GROUPS}
    for column in columns:
        groups["answer" if column.key in ANSWERS else column.origin].append(column)
    return [ColumnGroup(GROUPS[code], found) for code, found in groups.items() if found]


@register.filter
def export_status(export: Export) -> Status:
    status = Export.Status(export.status)
    label = status.label
    if status == Export.Status.WRITING and export.total:
        label = f"{min(99, 100 * export.rows // export.total)} % written"
    elif status == Export.Status.WRITING:
        label = "Being prepared"
    return Status(label, *_STATUSES[status])


@register.filter
def export_label(export: Export) -> str:
    return FORMAT_TEXTS[export.format].label if export.format in FORMAT_TEXTS else export.format


@register.filter
def export_content(export: Export) -> str:
    """Return in a few words which results and columns an export has."""
    settings = export.settings
    parts = [chosen_text(settings.chosen) or "all results"]
    export_format = FORMATS.get(export.format)
    if settings.columns and export_format and export_format.has_columns:
        parts.append(count(len(settings.columns), "column"))
    if export.is_partial:
        parts.append("while the batch ran")
    return ", ".join(parts)


def chosen_text(chosen: ResultFilter) -> str:
    """Return the conditions of a filter in words, "" if there is none."""
    parts = []
    if chosen.outcome:
        parts.append(LABELS.get(chosen.outcome) or Outcome(chosen.outcome).label)
    if chosen.text:
        parts.append(f"with “{chosen.text}”")
    parts += map(_value_text, chosen.values)
    parts += [f"a range of {_name(limits.column)}" for limits in chosen.ranges]
    if chosen.own:
        parts.append("without retries")
    return ", ".join(parts)


def _value_text(condition: ValueFilter) -> str:
    if condition.column == PROBLEM and condition.value:
        return "of one problem"
    text = condition.value and f"“{value_text(condition.column, condition.value)}”"
    return f"{_name(condition.column)} is {text or 'empty'}"


def _name(key: str) -> str:
    """Return the name of a column without the prefix that says where it is from."""
    return key.removeprefix(SOURCE_PREFIX).removeprefix(FIELD_PREFIX)


def file_name(export: Export) -> str:
    """Return the name under which the file is saved."""
    so_far = "-so-far" if export.is_partial else ""
    mark = {"joined": "-joined", "raw": "-raw"}.get(export.format, "")
    name = slugify(export.batch.name) or "batch"
    return f"{name}-results{mark}{so_far}{FORMATS[export.format].ending}"


def rows_text(settings: ExportSettings, *, chosen: int, total: int, rows: int | None) -> str:
    """Return how many results or rows an export will have.

    ``rows`` are those of the table that the batch was made from, None without one.
    """
    if not settings.chosen.is_empty:
        return f"{chosen:,} of {count(total, 'result')}"
    if rows is not None and rows > total:
        return f"All {count(rows, 'row')} of the table, {count(total, 'result')}"
    return f"All {count(total, 'result')}"
