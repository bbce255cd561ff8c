"""What a table would become: its first rows as they will be sent, and what all would use."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import ModelFacts, Report
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.row_requests import PromptSettings, RowRequest
from batchapp.models import SourceTable

ROWS_LOOKED_AT = 1_000
BYTES_LOOKED_AT = 2 * 1024 * 1024
"""Of requests: together with the rows, well below a second of counting tokens."""

ROWS_SHOWN = 3
FINDINGS_SHOWN = 20
TEXT_SHOWN = 4_000
"""Characters of one message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One part of a request as a page shows it."""

    role: str
    text: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Shown:
    """One row as it will be sent; ``original`` is the id that ``custom_id`` stands in for."""

    number: int
    custom_id: str
    original: str
    messages: list[Message]


@dataclass(frozen=True, slots=True)
class Preview:
    """``report`` is the check of the first ``rows`` rows; the counts are of these alone."""

    rows: int
    requests: int
    skipped: int
    replaced: int
    shown: list[Shown]
    findings: list[tuple[int, str]]
    finding_total: int
    report: Report
    is_whole: bool


def preview_requests(table: SourceTable, prompt_settings: PromptSettings) -> Preview:
    """Make the first rows of ``table``, all of them if they are few, and check what comes out."""
    seen: list[RowRequest] = list(_first(table, prompt_settings))
    good = [each for each in seen if each.line]
    findings = [(each.number, each.error) for each in seen if each.error]
    lines = (each.line + b"\n" for each in good)
    report = check_file.check(lines, table.project.connection.limits)
    return Preview(
        rows=len(seen),
        requests=len(good),
        skipped=len(seen) - len(good) - len(findings),
        replaced=sum(bool(each.original) for each in good),
        shown=[_shown(each) for each in good[:ROWS_SHOWN]],
        findings=findings[:FINDINGS_SHOWN],
        finding_total=len(findings),
        report=report,
        is_whole=len(seen) == table.rows,
    )


def extrapolated(found: Preview, rows: int) -> Report:
    """The report as it would be if all ``rows`` were like those that were looked at."""
    if found.is_whole or not found.rows:
        return found.report
    models = {
        model: _times(facts, rows / found.rows) for model, facts in found.report.models.items()
    }
    return msgspec.structs.replace(found.report, models=models)


def _times(facts: ModelFacts, factor: float) -> ModelFacts:
    grown = {
        name: round(value * factor)
        for name, value in msgspec.structs.asdict(facts).items()
        if type(value) is int
    }
    return msgspec.structs.replace(facts, exact=False, **grown)


def _first(table: SourceTable, prompt_settings: PromptSettings) -> Iterator[RowRequest]:
    size = 0
    for made in row_requests.make(islice(table.open_rows(), ROWS_LOOKED_AT), prompt_settings):
        yield made
        size += len(made.line)
        if size > BYTES_LOOKED_AT:
            return


def _shown(made: RowRequest) -> Shown:
    body = msgspec.json.decode(made.line)["body"]
    messages = body.get("messages") or [{"role": "input", "content": body["input"]}]
    provider_batches = [
        provider_batch
        for message in messages
        for provider_batch in _parts(message["role"], message["content"])
    ]
    return Shown(made.number, made.custom_id, made.original, provider_batches)


def _parts(role: str, content: object) -> Iterator[Message]:
    if isinstance(content, list):
        for provider_batch in content:
            if provider_batch["type"] == "text":
                yield from _parts(role, provider_batch["text"])
            else:
                yield from _parts(f"{role}, image", provider_batch["image_url"]["url"])
    else:
        text = str(content)
        yield Message(role, text[:TEXT_SHOWN], len(text) > TEXT_SHOWN)
