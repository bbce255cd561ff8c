"""Preview the requests of a table: its first rows, and the estimated use of all rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import ModelFacts, Report
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.row_requests import PromptSettings, RowRequest
from batchapp.models import SourceTable

# A preview builds requests up to either limit; their tokens are counted well below a second.
PREVIEW_ROWS, PREVIEW_BYTES = 1_000, 2 * 1024 * 1024
ROWS_SHOWN = 3
MAX_FINDINGS = 20
TEXT_LENGTH = 4_000  # characters of one message that a page shows


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a request; an image is a message of its own."""

    role: str
    text: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Example:
    """The request of one row, with its ``error``, or without any message if it is left out.

    ``original`` is the id in the table if ``custom_id`` replaces it.
    """

    number: int
    custom_id: str
    original: str
    error: str
    messages: list[Message]


@dataclass(frozen=True, slots=True)
class Preview:
    """The first ``rows`` rows as requests; ``report`` and all counts are of these rows alone.

    ``shown`` are the rows that a person looks at.
    """

    rows: int
    requests: int
    skipped: int
    replaced: int
    shown: list[Example]
    findings: list[tuple[int, str]]
    finding_total: int
    report: Report
    is_whole: bool


def preview_requests(
    table: SourceTable, prompt_settings: PromptSettings, number: int = 1
) -> Preview:
    """Build the requests of the first rows of ``table``, or of all rows, and check them.

    ``number`` is the first row to look at; beyond the rows that were built, the last are taken.
    """
    rows = list(_first_rows(table, prompt_settings))
    first = min(max(number, 1), max(len(rows) - ROWS_SHOWN + 1, 1)) - 1
    requests = [row for row in rows if row.line]
    findings = [(row.number, row.error) for row in rows if row.error]
    lines = (row.line + b"\n" for row in requests)
    return Preview(
        rows=len(rows),
        requests=len(requests),
        skipped=len(rows) - len(requests) - len(findings),
        replaced=sum(bool(row.original) for row in requests),
        shown=[_example(row) for row in rows[first : first + ROWS_SHOWN]],
        findings=findings[:MAX_FINDINGS],
        finding_total=len(findings),
        report=check_file.check(lines, table.project.connection.preview_limits),
        is_whole=len(rows) == table.rows,
    )


def extrapolate_report(preview: Preview, rows: int) -> Report:
    """Return the report of the preview scaled up to a table of ``rows`` rows."""
    if preview.is_whole or not preview.rows:
        return preview.report
    factor = rows / preview.rows
    models = {model: _scaled(facts, factor) for model, facts in preview.report.models.items()}
    return msgspec.structs.replace(preview.report, models=models)


def _scaled(facts: ModelFacts, factor: float) -> ModelFacts:
    counts = {
        name: round(value * factor)
        for name, value in msgspec.structs.asdict(facts).items()
        if type(value) is int
    }
    return msgspec.structs.replace(facts, exact=False, **counts)


def _first_rows(table: SourceTable, prompt_settings: PromptSettings) -> Iterator[RowRequest]:
    size = 0
    cells = islice(table.open_rows(), PREVIEW_ROWS)
    for row in row_requests.build_requests(cells, prompt_settings):
        yield row
        size += len(row.line)
        if size > PREVIEW_BYTES:
            return


def _example(row: RowRequest) -> Example:
    body = msgspec.json.decode(row.line)["body"] if row.line else {"messages": []}
    messages = body.get("messages", [{"role": "input", "content": body.get("input")}])
    pieces = [piece for message in messages for piece in _pieces(**message)]
    return Example(row.number, row.custom_id, row.original, row.error, pieces)


def _pieces(role: str, content: object) -> Iterator[Message]:
    if isinstance(content, list):
        for piece in content:
            if piece["type"] == "text":
                yield from _pieces(role, piece["text"])
            else:
                yield from _pieces(f"{role}, image", piece["image_url"]["url"])
    else:
        text = str(content)
        yield Message(role, text[:TEXT_LENGTH], len(text) > TEXT_LENGTH)
