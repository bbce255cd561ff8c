"""What is wrong with a request file, counted fully and kept in part."""

from collections import Counter
from enum import StrEnum

import msgspec

FINDINGS_KEPT_PER_CODE = 200
"""Enough to see a pattern; a file wrong on every line must not fill the database."""


class Severity(StrEnum):
    """ERROR: the file cannot be sent. WARNING: a request may fail. INFO: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


SEVERITIES = {
    "stream": Severity.WARNING,
    "several_answers": Severity.WARNING,
    "bad_max_tokens": Severity.WARNING,
    "repeated_body_key": Severity.WARNING,
    "misplaced_field": Severity.WARNING,
    "unknown_field": Severity.WARNING,
    "bad_response_format": Severity.WARNING,
    "http_image": Severity.WARNING,
    "secret": Severity.WARNING,
    "identical_body": Severity.WARNING,
    "carriage_return": Severity.INFO,
    "no_max_tokens": Severity.INFO,
    "mixed_models": Severity.INFO,
    "mixed_urls": Severity.INFO,
    "several_provider_batches": Severity.INFO,
}
"""Every code has one severity; a code not named here is an error."""

PORTAL_ONLY_CODES = frozenset(
    {
        *("duplicate_custom_id", "blank_custom_id"),
        *("missing_messages", "messages_not_list", "empty_messages"),
        *("missing_prompt", "missing_input"),
    }
)
"""Errors that the provider does not look for when it takes a file. The requests would fail one by
one, or their results could not be told apart."""

FILE_CODES = frozenset(
    {
        *("empty_file", "only_blank_lines", "too_many_bytes", "too_many_provider_batches"),
        *("compressed", "spreadsheet", "binary", "utf16", "json_array", "pretty_printed_json"),
        *("markup", "csv", "plain_text", "no_max_tokens", "mixed_models", "mixed_urls"),
        "several_provider_batches",
        *("gzip_truncated", "gzip_damaged", "gzip_too_large", "gzip_bomb"),
    }
)
"""Codes of a file as a whole: their line is 0. Every other code is of one line."""


class Finding(msgspec.Struct, frozen=True):
    """``line`` counts from 1 as an editor does, and 0 is the file as a whole.

    ``custom_id`` is "" when unknown; ``message`` is a sentence with the next step. ``other_line``
    is the earlier line that this one repeats, else 0; ``offset`` is the byte that the line begins
    at, in a gzip archive that of its content.
    """

    line: int
    custom_id: str
    severity: Severity
    code: str
    message: str
    other_line: int = 0
    offset: int = 0

    @property
    def is_portal_only(self) -> bool:
        """Whether the portal alone insists on it: the provider would take the file."""
        return self.code in PORTAL_ONLY_CODES


class FindingLog:
    """Every fault counted, the first ``FAULTS_KEPT_PER_CODE`` of each code kept, in file order."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.totals: Counter[str] = Counter()

    def has_room(self, code: str) -> bool:
        return self.totals[code] < FINDINGS_KEPT_PER_CODE

    def add(
        self,
        code: str,
        message: str,
        other_line: int = 0,
        *,
        line: int = 0,
        custom_id: str = "",
        offset: int = 0,
    ) -> None:
        if self.has_room(code):
            shown = presentable(custom_id)
            severity = severity_of(code)
            self.findings.append(Finding(line, shown, severity, code, message, other_line, offset))
        self.totals[code] += 1

    def add_total(self, code: str, message: str, count: int) -> None:
        """One fault of the file as a whole that stands for ``count`` lines."""
        self.add(code, message)
        self.totals[code] += count - 1

    @property
    def severities(self) -> dict[str, int]:
        """Severity -> true count; all three are there, also at zero."""
        counts = {severity.value: 0 for severity in Severity}
        for code, count in self.totals.items():
            counts[severity_of(code)] += count
        return counts


def severity_of(code: str) -> Severity:
    return SEVERITIES.get(code, Severity.ERROR)


def presentable(text: str, longest: int = 64) -> str:
    """``text`` fit for one line of a page and for a database: short, nothing unprintable."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in short)
