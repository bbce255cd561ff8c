"""``manage.py export``: write the results of a batch to a file, or to standard output."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import CommandError

from batchapp.domain.results.export_settings import ExportSettings
from batchapp.management.command import BaseCommand
from batchapp.management.options import batch_of, reader_of
from batchapp.management.progress_bar import Bar
from batchapp.management.results import OUTCOMES, add_filter_options, columns_of, filter_of
from batchapp.services.audit.downloads import record_download
from batchapp.services.results.exports.export_columns import UnknownColumn
from batchapp.services.results.exports.formats import FORMATS
from batchapp.services.results.exports.write_export import write_export
from batchapp.templatetags.words import count

STANDARD_OUTPUT = "-"


class Command(BaseCommand):
    help = (
        "Write the results of BATCH, of a running batch those so far. The columns of its table "
        "come first, as they were, in the order of the table."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("batch", metavar="BATCH", help="its id")
        parser.add_argument("--format", choices=FORMATS, default="csv")
        parser.add_argument(
            *("-o", "--output"),
            metavar="FILE",
            default=STANDARD_OUTPUT,
            help="by default standard output",
        )
        parser.add_argument(
            "--columns",
            nargs="+",
            default=[],
            metavar="COLUMN",
            help="such as answer, cost_usd, source:NAME of the table, field:NAME of JSON answers",
        )
        parser.add_argument(
            "--outcome",
            choices=OUTCOMES,
            default="",
            metavar="OUTCOME",
            help="only results that ended so",
        )
        add_filter_options(parser)
        parser.add_argument(
            "--requests-only",
            action="store_true",
            help="without the rows of the table that have no request",
        )
        parser.add_argument(
            "--bom", action="store_true", help="start a CSV so that Excel reads it"
        )
        parser.add_argument(
            "--no-guard",
            action="store_true",
            help="write texts of a CSV that look like formulas as they are",
        )
        parser.add_argument(
            "--person", metavar="E-MAIL", help="by default the project's first owner"
        )

    def handle(self, **options: Any) -> None:
        batch = batch_of(options["batch"])
        user = reader_of(batch.project, options["person"])
        columns = columns_of(batch, user)
        settings = ExportSettings(
            chosen=filter_of(options),
            columns=tuple(options["columns"]),
            has_all_rows=not options["requests_only"],
            has_bom=options["bom"],
            has_guard=not options["no_guard"],
        )
        record_download(None, "results", batch=batch, parameters=f"format={options['format']}")
        bar: Bar | None = None

        def show(written: int, total: int) -> None:
            nonlocal bar
            bar = bar or Bar("Rows", total, "rows", sys.stderr)
            bar.update(written)

        try:
            with _open(options["output"]) as file:
                rows = write_export(columns, user, options["format"], settings, file, on_rows=show)
        except UnknownColumn as exc:
            raise CommandError(f"The results have no column {exc.key!r}.") from exc
        except OSError as exc:
            raise CommandError(f"The export could not be written: {exc}.") from exc
        if bar:
            bar.finish()
        if rows is None:
            raise CommandError("The results are being prepared anew. Try again.")
        so_far = "" if batch.is_over else " so far"
        self.stderr.write(f"Wrote {count(rows, 'row')}{so_far}.")


@contextmanager
def _open(name: str) -> Iterator[BinaryIO]:
    """Open standard output, or a file that has its name only once everything is written."""
    if name == STANDARD_OUTPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(name)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
