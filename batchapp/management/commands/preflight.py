"""``manage.py preflight``: check a file of requests before it is uploaded."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError
from django.utils import timezone

from batchapp.domain.money.estimate import Estimate
from batchapp.domain.money.unit_prices import EXACT
from batchapp.domain.request_files import check_file
from batchapp.domain.request_files.check_file import Finding, Limits, Report
from batchapp.models import REALTIME, Connection, Project
from batchapp.models.providers.connection import DOUBLEWORD_URL
from batchapp.services.orders import price_quotes

CHUNK = 1024 * 1024
STANDARD_INPUT = "-"
USAGE, HAS_ERRORS = 2, 1  # exit statuses
LINES_SHOWN = 5  # of each finding code, without --json


class Command(BaseCommand):
    help = (
        "Check a JSONL file of requests, plain or gzip, and estimate its cost. "
        "The exit status is 0 if it can be sent, 1 if it has errors, 2 if it cannot be read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE", help="a .jsonl file, or - for standard input")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
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
        limits = connection.check_limits() if connection else _default_limits()
        try:
            report = check_file.check(_chunks(options["file"]), limits)
        except OSError as exc:
            raise CommandError(
                f"{options['file']} cannot be read: {exc.strerror or exc}.", returncode=USAGE
            ) from exc
        quotes = _quotes(report, connection, project)
        render = _as_json if options["json"] else _as_text
        self.stdout.write(render(report, quotes))
        if not report.is_valid:
            sys.exit(HAS_ERRORS)

    def _project(self, slug: str) -> Project:
        try:
            return Project.objects.select_related("connection").get(slug=slug)
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
    return price_quotes.quote(report, connection, [*connection.windows, REALTIME], now, histories)


def _unpriced(quotes: dict[str, Estimate]) -> list[str] | None:
    """Return models without a price in some window; None if no prices are known at all."""
    if not quotes:
        return None
    missing = [quotes[window].unpriced for window in quotes if window != REALTIME]
    return sorted({model for models in missing for model in models})


def _estimated_requests(report: Report) -> int:
    """Count the requests without errors, which the estimates are of."""
    return sum(facts.requests for facts in report.models.values())


def _as_json(report: Report, quotes: dict[str, Estimate]) -> str:
    content = {
        "requests": report.requests,
        "valid": report.is_valid,
        "provider_batches": report.provider_batches,
        "findings": [_finding(finding) for finding in report.findings],
        "finding_totals": report.finding_totals,
        "models": {
            name: {
                "requests": facts.requests,
                "input_tokens": facts.input_tokens,
                "exact": facts.exact,
            }
            for name, facts in report.models.items()
        },
        "estimated_requests": _estimated_requests(report),
        "unpriced": _unpriced(quotes),
        "estimate": {window: _amounts(estimate) for window, estimate in quotes.items()},
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "line": finding.line,
        "custom_id": finding.custom_id,
        "severity": finding.severity.value,
        "code": finding.code,
        "message": finding.message,
        "other_line": finding.other_line or None,
        "offset": finding.offset,
        "portal_only": finding.is_portal_only,
    }


def _amounts(estimate: Estimate) -> dict[str, str | None]:
    """Return the amounts of all requests, all unknown if a model has no price."""
    if not estimate.is_complete:
        return {"low_usd": None, "expected_usd": None, "ceiling_usd": None}
    return {
        "low_usd": _plain(estimate.low_usd),
        "expected_usd": _plain(estimate.expected_usd),
        "ceiling_usd": _plain(estimate.ceiling_usd),
    }


def _plain(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize(EXACT):f}"


def _as_text(report: Report, quotes: dict[str, Estimate]) -> str:
    lines = [f"{report.requests:,} requests, {report.bytes:,} bytes"]
    for name, facts in report.models.items():
        about = "" if facts.exact else "about "
        lines.append(
            f"  {name}: {facts.requests:,} requests, {about}{facts.input_tokens:,} input tokens"
        )
    lines.extend(_lines_of_findings(report))
    lines.extend(_bases(quotes))
    lines.extend(_costs(report, quotes))
    errors = report.severities["error"]
    failure = f"The file cannot be sent: errors to correct: {errors:,}."
    lines.append("The file can be sent." if report.is_valid else failure)
    return "\n".join(lines)


def _lines_of_findings(report: Report) -> Iterator[str]:
    """List each finding code with its first lines, errors first."""
    rank = ["error", "warning", "info"].index
    for code in sorted(
        report.finding_totals, key=lambda code: rank(_first(report, code).severity)
    ):
        findings = [finding for finding in report.findings if finding.code == code]
        total = report.finding_totals[code]
        yield f"{findings[0].severity.value}: {code}, {total:,} in all"
        for finding in findings[:LINES_SHOWN]:
            position = f"line {finding.line:,}: " if finding.line else ""
            yield f"  {position}{finding.message}"
        if total > LINES_SHOWN and findings[0].line:
            yield f"  … and {total - LINES_SHOWN:,} more"


def _first(report: Report, code: str) -> Finding:
    return next(finding for finding in report.findings if finding.code == code)


def _bases(quotes: dict[str, Estimate]) -> Iterator[str]:
    """Say how output tokens are estimated, which is the same for every window."""
    for line in next(iter(quotes.values())).models if quotes else ():
        yield f"  output tokens of {line.model}: about {line.output_expected:,}, {line.basis}"


def _costs(report: Report, quotes: dict[str, Estimate]) -> Iterator[str]:
    if not report.models or not quotes:
        return
    if not report.is_valid:
        priced = _estimated_requests(report)
        which = "1 request" if priced == 1 else f"{priced:,} requests"
        yield f"for the {which} without errors:"
    for window, estimate in quotes.items():
        if window != REALTIME:
            yield _cost(window, estimate)


def _cost(window: str, estimate: Estimate) -> str:
    expected, ceiling = _plain(estimate.expected_usd), _plain(estimate.ceiling_usd)
    if estimate.unpriced:
        without = f"no price for {', '.join(estimate.unpriced)}"
        return f"{window}: " + (f"at least ${expected}, and {without}" if expected else without)
    highest = f"at most about ${ceiling}" if ceiling else "no upper limit"
    return f"{window}: about ${expected} expected, {highest}"
