"""``manage.py make_batch``: create a file of requests from the rows of a table, or of answers."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandError

from batchapp.domain.refused import Refused
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.tables import row_requests
from batchapp.domain.tables.encodings import ENCODING_NAMES
from batchapp.domain.tables.read_options import QUOTINGS, SEPARATORS, ReadOptions
from batchapp.domain.tables.read_process import TableTotals
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.domain.tables.table_reader import name_columns
from batchapp.management.command import BaseCommand
from batchapp.management.options import batch_of, reader_of
from batchapp.management.request_file import RequestFile
from batchapp.management.results import (
    EVERY,
    OUTCOMES,
    add_filter_options,
    filter_of,
    open_answers,
)
from batchapp.models import PromptTemplate
from batchapp.presenters.refusal_text import refusal_text
from batchapp.presenters.table_notices import notice_texts
from batchapp.services.audit.downloads import record_download
from batchapp.services.tables.open_table import open_table
from batchapp.templatetags.words import count

SETTINGS_OPTIONS = (  # options that set the prompt setting of the same name
    *("model", "prompt", "system", "url", "max_tokens", "temperature"),
    *("id_column", "image_column", "empty", "duplicate_ids"),
)


class Command(BaseCommand):
    help = (
        "Turn each row of a table into a request: CSV, TSV, .xlsx, or JSON objects; or each "
        "answer of a batch, with its question, the fields of a JSON answer, and its table's row."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("table", metavar="TABLE", type=Path, nargs="?")
        source.add_argument("--from-batch", metavar="BATCH", help="the id of a batch that is over")
        parser.add_argument("--prompt", help='for example "Summarise: {text}"')
        parser.add_argument("--system", help="system message, with {column}s as well")
        parser.add_argument("--model")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.jsonl")
        parser.add_argument("--template", metavar="NAME", help="a prompt template of a project")
        parser.add_argument(
            "--project", metavar="SLUG", help="of the prompt template, if several have its name"
        )
        parser.add_argument("--id-column", help="its values become the custom_ids")
        parser.add_argument("--image-column", help="its values are addresses of images")
        parser.add_argument("--url", choices=row_requests.URLS)
        parser.add_argument("--max-tokens", type=int)
        parser.add_argument("--temperature", type=float)
        parser.add_argument("--schema", type=Path, help="file with a JSON schema for the answers")
        parser.add_argument(
            "--empty",
            choices=["keep", "skip", "stop"],
            help="rows with an empty cell in the prompt: keep, skip or stop, which is the default",
        )
        parser.add_argument(
            "--duplicate-ids",
            choices=["stop", "suffix"],
            help="rows with the id of an earlier row: stop, or add a suffix",
        )
        parser.add_argument(
            "--id-map",
            type=Path,
            metavar="IDS.csv",
            help="replace ids that providers refuse, and list them in this file",
        )
        parser.add_argument(
            "--sheet", default="", help="of a workbook; else the first that has a table"
        )
        parser.add_argument(
            "--without-hidden",
            action="store_const",
            const="1",
            default="",
            help="leave out the rows that a sheet hides or filters out",
        )
        parser.add_argument(
            "--empty-words",
            action="store_const",
            const="1",
            default="",
            help="count cells that say NULL, NaN, N/A or None as empty",
        )
        parser.add_argument(
            "--header-row", type=int, default=0, help="row of the header; else it is detected"
        )
        parser.add_argument(
            *("--separator", "--delimiter"),
            default="",
            help='between cells, one character or "tab"; else it is detected',
            metavar="CHAR",
            type=_separator,
        )
        parser.add_argument(
            "--quoting",
            default="",
            choices=["", *QUOTINGS],
            help="how a cell has a quotation mark: doubled, behind a backslash, or all as they "
            "are; else it is detected",
        )
        parser.add_argument("--encoding", default="", help="else it is detected")
        parser.add_argument(
            "--outcome",
            choices=[EVERY, *OUTCOMES],
            default=Outcome.OK.value,
            metavar="OUTCOME",
            help="of a batch: results that ended so, by default usable answers; every for all",
        )
        add_filter_options(parser)
        parser.add_argument(
            "--person", metavar="E-MAIL", help="who reads them, by default the first owner"
        )

    def handle(self, **options: Any) -> None:
        prompt_settings = _prompt_settings(options)
        if findings := row_requests.value_errors(prompt_settings):
            raise CommandError(" ".join(findings))
        try:
            if options["from_batch"]:
                self._read_answers(prompt_settings, options)
            else:
                self._read_table(prompt_settings, options)
        except Refused as exc:
            name = options["table"] or options["from_batch"]
            raise CommandError(f"{name}: {refusal_text(exc)}") from exc

    def _read_table(self, prompt_settings: PromptSettings, options: dict[str, Any]) -> None:
        read_options = ReadOptions(**{name: options[name] for name in ReadOptions._fields})
        path = options["table"]
        try:
            with path.open("rb") as source, open_table(source, read_options) as table:
                file = RequestFile(table.head.columns, prompt_settings, options)
                file.write(table, more=lambda: _table_texts(table.totals))
        except OSError as exc:
            raise CommandError(f"{path}: {exc}.") from exc
        self._say(file, _reading_text(table.head.read_as), *_table_texts(table.totals))

    def _read_answers(self, prompt_settings: PromptSettings, options: dict[str, Any]) -> None:
        batch = batch_of(options["from_batch"])
        user = reader_of(batch.project, options["person"])
        record_download(None, "results", batch=batch, parameters="make_batch")
        with open_answers(batch, user, filter_of(options)) as (header, rows):
            file = RequestFile(name_columns(header)[0], prompt_settings, options)
            file.write(rows)
        self._say(file, f"from the answers of {batch.name}")

    def _say(self, file: RequestFile, read_as: str, *texts: str) -> None:
        self.stdout.write(f"{file.target}: {count(file.requests, 'request')}")
        self.stdout.write(read_as)
        for text in texts:
            self.stdout.write(text)
        if file.left_out:
            verb = "was" if file.left_out == 1 else "were"
            self.stdout.write(f"{count(file.left_out, 'row')} with an empty cell {verb} left out")


def _separator(value: str) -> str:
    separator = {"tab": "\t", "\\t": "\t"}.get(value, value)
    if len(separator) > 1 or separator in {'"', "\\", "\r", "\n"}:
        raise ArgumentTypeError('give one character that is no quotation mark, or "tab"')
    return separator


def _reading_text(read_as: ReadOptions) -> str:
    """Say how the table was read, in the words of its page."""
    parts = [f"sheet {read_as.sheet}"] if read_as.sheet else []
    if read_as.encoding:
        parts.append(ENCODING_NAMES.get(read_as.encoding, read_as.encoding))
    if read_as.separator:
        separator = SEPARATORS.get(read_as.separator, read_as.separator)
        parts.append(f"cells separated by {separator}")
    if read_as.header_row:
        parts.append(f"header in row {read_as.header_row:,}")
    return f"read as {', '.join(parts)}"


def _table_texts(totals: TableTotals) -> list[str]:
    """Return the notices and warnings of a table that was read."""
    notices = [f"notice: {text}" for text in notice_texts(totals.notices)]
    return notices + [f"warning: {text}" for text in _warnings(totals)]


def _warnings(totals: TableTotals) -> Iterator[str]:
    """Yield a sentence for each kind of cell whose content is not in the requests."""
    if totals.ragged:
        verb = "has" if totals.ragged == 1 else "have"
        yield (
            f"{count(totals.ragged, 'row')} {verb} more cells than the header; the cells after "
            "the last column were left out. Perhaps another character separates the cells: "
            "--separator"
        )
    if totals.error_cells:
        verb = "shows" if totals.error_cells == 1 else "show"
        yield (
            f"{count(totals.error_cells, 'cell')} {verb} an error such as #N/A, or a formula "
            "whose value was not saved, and counted as empty"
        )


def _prompt_settings(options: dict[str, Any]) -> PromptSettings:
    """Return the settings of the template, if one is named, with those of the options."""
    changes: dict[str, Any] = {
        name: options[name] for name in SETTINGS_OPTIONS if options[name] is not None
    }
    if path := options["schema"]:
        changes["response_schema"] = _schema(path)
    if options["id_map"]:
        changes["unsafe_ids"] = "hash"
    if options["template"]:
        prompt_settings = _template(options["template"], options["project"])
        if not options["id_map"]:  # without the list nobody could tell which id replaces which
            changes["unsafe_ids"] = "stop"
        return msgspec.structs.replace(prompt_settings, **changes)
    missing = [f"--{name}" for name in ("prompt", "model") if name not in changes]
    if missing:
        raise CommandError(f"Give {' and '.join(missing)}, or a --template.")
    return PromptSettings(**({"empty": "stop"} | changes))


def _schema(path: Path) -> dict[str, Any]:
    try:
        schema: dict[str, Any] = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (OSError, msgspec.DecodeError) as exc:
        raise CommandError(f"--schema: {path} cannot be read as a JSON object: {exc}") from exc
    if finding := row_requests.schema_error(schema):
        raise CommandError(f"--schema: a provider would refuse {path}: {finding}.")
    return schema


def _template(name: str, slug: str | None) -> PromptSettings:
    rows = PromptTemplate.objects.filter(name=name).select_related("project")
    if slug:
        rows = rows.filter(project__slug=slug)
    templates = list(rows[:20])
    if not templates:
        raise CommandError(f"There is no prompt template {name}{f' in {slug}' if slug else ''}.")
    if len(templates) > 1:
        slugs = ", ".join(row.project.slug for row in templates)
        raise CommandError(
            f"Several projects have a prompt template {name}. Name a --project: {slugs}."
        )
    return templates[0].versions.order_by("-number")[0].prompt_settings
