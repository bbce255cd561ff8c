"""Make a file of requests from a table: one request a row."""

import csv
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

import msgspec
from django.core.management.base import BaseCommand, CommandError

from batchapp.domain.tables import row_requests, table_reader
from batchapp.domain.tables.row_requests import PromptSettings
from batchapp.domain.tables.table_reader import Asked, TableError
from batchapp.models import PromptTemplate

FINDINGS_SHOWN = 20

CHANGES = (
    *("model", "prompt", "system", "url", "max_tokens", "temperature"),
    *("id_column", "image_column", "empty", "twins"),
)
"""Options that set the field of a recipe that is called like them."""


class Command(BaseCommand):
    help = "Turn each row of a CSV, TSV or .xlsx table into a request line of a JSONL file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("table", metavar="TABLE", type=Path)
        parser.add_argument("--prompt", help='for example "Summarise: {text}"')
        parser.add_argument("--system", help="system message, with {column}s as well")
        parser.add_argument("--model")
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.jsonl")
        parser.add_argument("--template", metavar="NAME", help="one that a project saved")
        parser.add_argument("--project", metavar="SLUG", help="whose template, if several have it")
        parser.add_argument("--id-column", help="whose values become the custom_ids")
        parser.add_argument("--image-column", help="whose values are addresses of images")
        parser.add_argument("--url", choices=row_requests.URLS)
        parser.add_argument("--max-tokens", type=int)
        parser.add_argument("--temperature", type=float)
        parser.add_argument("--schema", type=Path, help="file with a JSON schema for the answers")
        parser.add_argument(
            "--empty",
            choices=["keep", "skip", "stop"],
            help="what becomes of a row with an empty cell in the prompt; else it is an error",
        )
        parser.add_argument(
            "--twins", choices=["stop", "suffix"], help="what becomes of an id that was there"
        )
        parser.add_argument(
            "--id-map",
            type=Path,
            metavar="IDS.csv",
            help="replace ids that no provider takes, and list there which is which",
        )
        parser.add_argument("--sheet", default="", help="of a workbook; else the first")
        parser.add_argument(
            "--delimiter", default="", help="between cells; else it is found out", metavar="CHAR"
        )
        parser.add_argument("--encoding", default="utf-8-sig")

    def handle(self, **options: Any) -> None:
        prompt_settings = _recipe(options)
        if findings := row_requests.value_errors(prompt_settings):
            raise CommandError(" ".join(findings))
        asked = Asked(options["encoding"], options["delimiter"], options["sheet"])
        path = options["table"]
        try:
            with path.open("rb") as source:
                table = table_reader.read(source, asked)
                if findings := row_requests.settings_errors(prompt_settings, table.columns):
                    raise CommandError(" ".join(findings))
                requests, left_out = _write(
                    table, prompt_settings, options["output"], options["id_map"]
                )
        except OSError as exc:
            raise CommandError(f"{path}: {exc}.") from exc
        except TableError as finding:
            raise CommandError(f"{path}: {finding}") from finding
        self.stdout.write(f"{options['output']}: {requests:,} requests")
        if left_out:
            self.stdout.write(f"{left_out:,} rows with an empty cell were left out")
        if table.ragged:
            self.stdout.write(
                f"warning: {table.ragged:,} rows have more cells than the header; what is beyond "
                "the last column was left out. Perhaps the cells are separated by something else: "
                "--delimiter"
            )
        if table.error_cells:
            self.stdout.write(
                f"warning: {table.error_cells:,} cells show an error such as #N/A, or a formula "
                "whose value was not saved, and counted as empty"
            )


def _recipe(options: dict[str, Any]) -> PromptSettings:
    """What the options say, on top of the template if there is one."""
    changes: dict[str, Any] = {
        name: options[name] for name in CHANGES if options[name] is not None
    }
    if path := options["schema"]:
        changes["response_schema"] = _schema(path)
    if options["id_map"]:
        changes["unsafe_ids"] = "hash"
    if options["template"]:
        prompt_settings = _template(options["template"], options["project"])
        if not options["id_map"]:  # nobody could tell then which is which
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
    found = PromptTemplate.objects.filter(name=name).select_related("project")
    if slug:
        found = found.filter(project__slug=slug)
    templates = list(found[:20])
    if not templates:
        raise CommandError(f"There is no template {name}{f' in {slug}' if slug else ''}.")
    if len(templates) > 1:
        slugs = ", ".join(each.project.slug for each in templates)
        raise CommandError(f"Several projects have a template {name}. Name a --project: {slugs}.")
    return templates[0].versions.order_by("-number")[0].prompt_settings


def _write(
    table: table_reader.Table,
    prompt_settings: PromptSettings,
    target: Path,
    id_map: Path | None,
) -> tuple[int, int]:
    """Write all requests or none: the file appears only when every row was good."""
    requests = left_out = 0
    findings: list[str] = []
    replaced: list[tuple[str, str]] = []
    with _fresh(target) as fresh:
        rows = (dict(zip(table.columns, row, strict=True)) for row in table)
        for made in row_requests.make(rows, prompt_settings):
            if made.error:
                findings.append(f"row {made.number}: {made.error}")
            elif made.line:
                requests += 1
                fresh.write(made.line + b"\n")
                replaced += [(made.custom_id, made.original)] if made.original else []
            else:
                left_out += 1
        if findings or not requests:
            raise CommandError(_complaint(findings) if findings else _nothing(left_out))
    if id_map:
        with id_map.open("w", encoding="utf-8-sig", newline="") as listed:
            csv.writer(listed).writerows(row_requests.id_map(replaced))
    return requests, left_out


@contextmanager
def _fresh(target: Path) -> Iterator[IO[bytes]]:
    """A file that becomes ``target`` if nothing goes wrong, and else is gone."""
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}-", delete=False) as fresh:
        partial = Path(fresh.name)
        try:
            yield fresh
        except BaseException:
            partial.unlink()
            raise
    partial.chmod(0o644)
    partial.replace(target)


def _nothing(left_out: int) -> str:
    if left_out:
        return f"Nothing was written: all {left_out:,} rows have an empty cell."
    return "The table has no rows."


def _complaint(findings: list[str]) -> str:
    shown = "\n".join(f"  {finding}" for finding in findings[:FINDINGS_SHOWN])
    more = len(findings) - FINDINGS_SHOWN
    rest = f"\n  and {more:,} more" if more > 0 else ""
    return f"Nothing was written:\n{shown}{rest}"
