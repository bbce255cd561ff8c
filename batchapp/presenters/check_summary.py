"""A checked file in one sentence, and its lines as shares of a bar."""

from collections import Counter
from dataclasses import dataclass

from batchapp.domain.corrections.correction_rules import CorrectionKind, corrections_for
from batchapp.domain.request_files.check_file import Finding, Report, Severity
from batchapp.domain.request_files.findings import FILE_CODES, FORMAT_CODES
from batchapp.models import Upload
from batchapp.services.files import upload_intake
from batchapp.templatetags.words import count

LEAST_SHARE = 2  # per cent of the bar, so that one line among a million is seen
TABLE_CODES = {"csv", "spreadsheet"}  # findings of a file that is a table
MAX_PERCENT = 99  # of an estimate: whether it is all is known at the end


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """The lines of a checked file: ``faulty`` have errors, ``warned`` have warnings alone.

    ``is_complete`` is False if more lines than ``warned`` may have warnings, since a report keeps
    only the first findings of each code. ``figures`` are numbers with their units.
    ``says_next_step`` is True if the headline is the sentence of a finding. ``is_table`` is True
    if the file has rows that can become requests.
    """

    headline: str
    requests: int
    faulty: int
    warned: int
    is_complete: bool
    figures: list[str]
    says_next_step: bool = False
    is_table: bool = False

    @property
    def ready(self) -> int:
        return self.requests - self.faulty - self.warned

    @property
    def legend(self) -> list[tuple[str, str]]:
        """The parts of the bar, each with its icon."""
        at_least, at_most = ("", "") if self.is_complete else ("at least ", "at most ")
        parts = [
            ("check", at_most, self.ready, "ready"),
            ("alert", at_least, self.warned, "with warnings"),
            ("cross", "", self.faulty, "with errors"),
        ]
        return [
            (icon, f"{bound}{lines:,} {words}") for icon, bound, lines, words in parts if lines
        ]

    @property
    def has_parts(self) -> bool:
        """Return True if the lines differ, so that a bar of them says something."""
        return len(self.legend) > 1

    @property
    def faulty_share(self) -> int:
        return self._share(self.faulty)

    @property
    def warned_share(self) -> int:
        return min(self._share(self.warned), 100 - self.faulty_share)

    @property
    def ready_share(self) -> int:
        return 100 - self.faulty_share - self.warned_share

    @property
    def faulty_at(self) -> int:
        return self.ready_share + self.warned_share

    def _share(self, lines: int) -> int:
        return max(LEAST_SHARE, 100 * lines // self.requests) if lines else 0


def check_summary(report: Report) -> CheckSummary:
    faulty = report.requests - sum(facts.requests for facts in report.models.values())
    warned, is_complete = _warned_lines(report)
    sentence = _sentence_of_all(report)
    return CheckSummary(
        sentence or headline(report, faulty),
        report.requests,
        faulty,
        min(warned, report.requests - faulty),
        is_complete,
        _figures(report),
        says_next_step=bool(sentence),
        is_table=not TABLE_CODES.isdisjoint(report.finding_totals),
    )


def _sentence_of_all(report: Report) -> str:
    """Return the sentence about the file as a whole, or about the format that all lines have.

    If the portal corrects it, the next step is on the page, and left out of the sentence.
    """
    totals = report.finding_totals
    codes = [code for code in totals if code in FORMAT_CODES and totals[code] == report.requests]
    if not report.requests or report.severities[Severity.ERROR] == 1:
        codes += [row.code for row in report.findings if _is_error_of_file(row)]
    if len(codes) != 1:
        return ""
    message = next(row.message for row in report.findings if row.code == codes[0])
    if set(corrections_for(codes[0])) - {CorrectionKind.DROP_BAD_ROWS}:
        message, _, _ = message.partition(";")
    return f"{message.removesuffix('.')}."


def _is_error_of_file(finding: Finding) -> bool:
    return finding.code in FILE_CODES and finding.severity is Severity.ERROR


def headline(report: Report, faulty: int) -> str:
    """Say whether the file can be sent, and how many lines, or errors, speak against it."""
    requests = report.requests
    if faulty:
        if faulty < requests:
            verb = "has" if faulty == 1 else "have"
            return f"{faulty:,} of {requests:,} lines {verb} errors, so the file cannot be sent."
        lines = "The only line" if requests == 1 else f"{faulty:,} of {requests:,} lines"
        return f"{lines} cannot be sent."
    if not report.is_valid:
        return f"This file cannot be sent: {count(report.severities[Severity.ERROR], 'error')}."
    warnings = report.severities.get(Severity.WARNING, 0)
    subject = "The only request is" if requests == 1 else f"All {requests:,} requests are"
    ending = f", with {count(warnings, 'warning')}" if warnings else ""
    return f"{subject} ready to be sent{ending}."


def percent_checked(upload: Upload) -> int | None:
    """Estimate how much of a file has been checked or written; None if nothing says so."""
    if upload.lacks_content:
        total = upload.made_from.requests if upload.made_from and upload.correction_fields else 0
    else:
        total = upload_intake.estimate_lines(upload)
    return min(MAX_PERCENT, 100 * upload.lines_checked // total) if total else None


def _figures(report: Report) -> list[str]:
    """Return what the check counted beside the number of requests, which the headline has.

    A file that cannot be sent has none.
    """
    if not report.is_valid:
        return []
    models = report.models.values()
    ids = "1 custom_id" if report.requests == 1 else f"{report.requests:,} unique custom_ids"
    sign = "" if all(facts.exact for facts in models) else "~"
    tokens = sum(facts.input_tokens for facts in models)
    return [ids, count(len(models), "model"), f"{sign}{tokens:,} tokens in"]


def _warned_lines(report: Report) -> tuple[int, bool]:
    """Count the lines with warnings alone; False if there may be more of them."""
    warnings = [row for row in report.findings if row.severity is Severity.WARNING]
    errors = {row.line for row in report.findings if row.severity is Severity.ERROR}
    kept = Counter(row.code for row in report.findings if row.severity is not Severity.INFO)
    warned = len({row.line for row in warnings} - errors - {0})
    if all(kept[code] == report.finding_totals[code] for code in kept):
        return warned, True
    totals = {row.code: report.finding_totals[row.code] for row in warnings if row.line}
    if not report.is_valid:  # lines with warnings may be lines with errors that were not kept
        return 0, not totals
    return (warned, False) if len(totals) > 1 else (sum(totals.values()), True)
