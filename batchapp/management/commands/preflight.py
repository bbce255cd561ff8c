"""``manage.py preflight``: check a file of requests before it is uploaded."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.db import DatabaseError
from django.utils import timezone

from batchapp.domain.money.estimate import Estimate
from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import Limits, Report
from batchapp.management.command import BaseCommand
from batchapp.management.corrections import add_correction_arguments, write_corrected_file
from batchapp.models import Connection, Project
from batchapp.models.providers.connection import DOUBLEWORD_URL
from batchapp.presenters.file_report import quotes_from_histories
from batchapp.presenters.preflight_report import as_json, as_text
from batchapp.services.orders import price_quotes

CHUNK = 1024 * 1024
STANDARD_INPUT = "-"
USAGE, HAS_ERRORS = 2, 1  # exit statuses


class Command(BaseCommand):
    help = (
        "Check a JSONL file of requests, plain or gzip, and estimate its cost. With --output, "
        "write a corrected file, and check that. "
        "The exit status is 0 if it can be sent, 1 if it has errors, 2 if it cannot be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a .jsonl file, or - for standard input")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        add_correction_arguments(parser)
        source = parser.add_mutually_exclusive_group()
        source.add_argument(
            "--project",
            metavar="SLUG",
            help="estimate by this project's earlier batches, with the prices it pays",
        )
        source.add_argument(
            "--connection",
            metavar="NAME",
            help="with its limits and prices; by default Doubleword, or the only connection",
        )

    def handle(self, **options: Any) -> None:
        project = self._project(options["project"]) if options["project"] else None
        connection = project.connection if project else self._connection(options["connection"])
        limits = connection.check_limits if connection else _default_limits()
        report = _check(options["file"], limits)
        if options["output"]:
            self.stderr.write(write_corrected_file(report, limits, options))
            report = _check(options["output"], limits)
        quotes = _quotes(report, connection, project)
        render = as_json if options["json"] else as_text
        self.stdout.write(render(report, quotes, connection))
        if not report.is_valid:
            sys.exit(HAS_ERRORS)

    def _project(self, slug: str) -> Project:
        try:
            return Project.objects.select_related("connection").get(slug=slug, deleted_at=None)
        except Project.DoesNotExist:
            message = f"There is no project with the slug {slug}."
        except DatabaseError as exc:
            message = f"The database cannot be read, so there are no projects: {exc}"
        raise CommandError(message, returncode=USAGE)

    def _connection(self, name: str | None) -> Connection | None:
        """Return the named or the default connection; None if no default is certain."""
        try:
            connections = list(Connection.objects.all())
        except DatabaseError as exc:
            if name:
                message = f"The database cannot be read, so there are no connections: {exc}"
                raise CommandError(message, returncode=USAGE) from exc
            self.stderr.write("The database cannot be read, so there are no prices.")
            return None
        if name:
            named = [row for row in connections if row.name == name]
            if not named:
                names = ", ".join(row.name for row in connections) or "none yet"
                message = f"There is no connection named {name}. There is: {names}."
                raise CommandError(message, returncode=USAGE)
            return named[0]
        doubleword = [row for row in connections if row.base_url.rstrip("/") == DOUBLEWORD_URL]
        if doubleword:
            return doubleword[0]
        return connections[0] if len(connections) == 1 else None


def _check(name: str, limits: Limits) -> Report:
    try:
        return check_file.check(_chunks(name), limits)
    except OSError as exc:
        message = f"{name} cannot be read: {exc.strerror or exc}."
        raise CommandError(message, returncode=USAGE) from exc


def _default_limits() -> Limits:
    return Connection().limits


def _chunks(name: str) -> Iterator[bytes]:
    if name == STANDARD_INPUT:
        yield from iter(lambda: sys.stdin.buffer.read(CHUNK), b"")
        return
    with Path(name).open("rb") as file:
        yield from iter(lambda: file.read(CHUNK), b"")


def _quotes(
    report: Report, connection: Connection | None, project: Project | None
) -> dict[str, Estimate]:
    if connection is None:
        return {}
    now = timezone.now()
    histories = price_quotes.histories_for(report, project, None, now) if project else None
    return quotes_from_histories(report, connection, now, histories, project)
