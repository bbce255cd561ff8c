"""Make a file of requests from a table: one request a row."""

import csv
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TextIO

import msgspec
from django.core.management.base import BaseCommand, CommandError

from batchapp.domain.jsonl import ALLOWED_URLS
from batchapp.domain.prompts import Recipe, TemplateFault, columns_of, request_line

SNIFFED = 64 * 1024
"""Bytes looked at to tell the delimiter."""

FAULTS_SHOWN = 20


class Command(BaseCommand):
    help = "Turn each row of a CSV file into a request line of a JSONL file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("table", metavar="TABLE.csv", type=Path)
        parser.add_argument("--prompt", required=True, help='for example "Summarise: {text}"')
        parser.add_argument("--system", default="", help="system message, with {column}s as well")
        parser.add_argument("--model", required=True)
        parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT.jsonl")
        parser.add_argument("--id-column", help="whose values become the custom_ids")
        parser.add_argument("--url", choices=ALLOWED_URLS, default=ALLOWED_URLS[0])
        parser.add_argument("--max-tokens", type=int)
        parser.add_argument("--temperature", type=float)
        parser.add_argument("--schema", type=Path, help="file with a JSON schema for the answers")
        parser.add_argument("--encoding", default="utf-8-sig")

    def handle(self, **options: Any) -> None:
        recipe = _recipe(options)
        table = options["table"]
        try:
            with table.open(encoding=options["encoding"], newline="") as source:
                number = _write(source, recipe, options["output"])
        except (OSError, LookupError) as exc:
            raise CommandError(f"{table}: {exc}.") from exc
        except UnicodeDecodeError as exc:
            raise CommandError(
                f"{table} is not {options['encoding']} text ({exc.reason}). "
                "Save it as UTF-8, or name its --encoding, such as cp1252."
            ) from exc
        except csv.Error as exc:
            raise CommandError(f"{table} is not a CSV table: {exc}.") from exc
        self.stdout.write(f"{options['output']}: {number:,} requests")


def _recipe(options: dict[str, Any]) -> Recipe:
    schema = None
    if path := options["schema"]:
        try:
            schema = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError) as exc:
            raise CommandError(f"--schema: {path} cannot be read as a JSON object: {exc}") from exc
    return Recipe(
        model=options["model"],
        prompt=options["prompt"],
        system=options["system"],
        id_column=options["id_column"],
        max_tokens=options["max_tokens"],
        temperature=options["temperature"],
        response_schema=schema,
        url=options["url"],
    )


def _write(source: TextIO, recipe: Recipe, target: Path) -> int:
    """Write all requests or none: the file appears only when every row was good."""
    rows = _rows(source, recipe)
    ids: dict[str, int] = {}
    faults: list[str] = []
    number = 0
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}-", delete=False) as fresh:
        partial = Path(fresh.name)
        try:
            for number, row in enumerate(rows, start=1):
                try:
                    line = request_line(number, row, recipe)
                    _refuse_twin(line, number, ids)
                except TemplateFault as fault:
                    faults.append(f"row {number}: {fault}")
                    continue
                fresh.write(line + b"\n")
        except BaseException:
            partial.unlink()
            raise
    if faults or not number:
        partial.unlink()
        raise CommandError(_complaint(faults) if faults else "The table has no rows.")
    partial.chmod(0o644)
    partial.replace(target)
    return number


def _rows(source: TextIO, recipe: Recipe) -> Iterator[dict[str, str]]:
    csv.field_size_limit(sys.maxsize)
    sample = source.read(SNIFFED)
    source.seek(0)
    try:
        dialect: Any = csv.Sniffer().sniff(sample.partition("\n")[0] or ",", delimiters=",;\t|")
    except csv.Error:  # a single column
        dialect = csv.excel
    reader = csv.DictReader(source, dialect=dialect, restval="")
    columns = reader.fieldnames or []
    try:
        named = columns_of(recipe.prompt) | columns_of(recipe.system)
    except TemplateFault as fault:
        raise CommandError(str(fault)) from fault
    if recipe.id_column:
        named.add(recipe.id_column)
    if missing := named - {*columns}:
        raise CommandError(
            f"The table has no column {', '.join(sorted(missing))}. It has: {', '.join(columns)}."
        )
    for row in reader:
        row.pop(None, None)  # cells beyond the header
        yield row


def _refuse_twin(line: bytes, number: int, ids: dict[str, int]) -> None:
    custom_id = msgspec.json.decode(line)["custom_id"]
    if (first := ids.setdefault(custom_id, number)) != number:
        raise TemplateFault(f"custom_id {custom_id} is that of row {first} too.")


def _complaint(faults: list[str]) -> str:
    shown = "\n".join(f"  {fault}" for fault in faults[:FAULTS_SHOWN])
    more = len(faults) - FAULTS_SHOWN
    rest = f"\n  and {more:,} more" if more > 0 else ""
    return f"Nothing was written:\n{shown}{rest}"
