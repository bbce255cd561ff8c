"""The findings of a check: the registry of their codes, and the log that collects them.

Add a new code to ``SEVERITIES`` unless it is an error, to ``FILE_CODES`` if it is about the file
as a whole, and to ``PORTAL_ONLY_CODES`` if the provider does not check it; a code that is named
nowhere is an error of one line. ``docs/contributing/check.md`` has all steps.
"""

from collections import Counter
from enum import StrEnum
from typing import NamedTuple

import msgspec

# Enough to see a pattern; a file that is wrong on every line must not fill the database.
FINDINGS_KEPT_PER_CODE = 200


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
    "ignored_thinking": Severity.WARNING,
    # The request fails when it runs; the provider does not look into a body before.
    **dict.fromkeys(
        (
            *("bad_message", "bad_part", "bad_attachment", "blank_question", "no_question"),
            *("bad_input", "many_inputs", "many_inputs_in_all", "bad_parameter"),
            *("quoted_parameter", "field_of_another_endpoint", "missing_max_tokens"),
            *("two_limits", "bad_combination", "reasoning_model"),
            *("bad_tool", "bad_tool_choice", "bad_tool_call", "strict_schema"),
        ),
        Severity.WARNING,
    ),
    "http_image": Severity.WARNING,
    "too_long_for_model": Severity.WARNING,
    "too_many_new_tokens": Severity.WARNING,
    "model_reads_no_image": Severity.WARNING,
    "model_reads_no_audio": Severity.WARNING,
    "model_reads_no_video": Severity.WARNING,
    "secret": Severity.WARNING,
    "identical_body": Severity.WARNING,
    "costly_cache_marker": Severity.WARNING,
    "ignored_cache_marker": Severity.WARNING,
    "short_cached_prompt": Severity.INFO,
    "carriage_return": Severity.INFO,
    "no_max_tokens": Severity.INFO,
    "mixed_models": Severity.INFO,
    "mixed_urls": Severity.INFO,
    "several_provider_batches": Severity.INFO,
}

# Errors that the provider does not check when it accepts a file. The requests would fail one by
# one, or their results could not be told apart.
PORTAL_ONLY_CODES = frozenset(
    {
        *("duplicate_custom_id", "blank_custom_id"),
        *("missing_messages", "messages_not_list", "empty_messages"),
        *("missing_prompt", "missing_input", "misnamed_input", "input_beside_body"),
        "bad_cache_marker",
    }
)

# Codes of a file as a whole, whose findings have line 0. Every other code is of one line.
FILE_CODES = frozenset(
    {
        *("empty_file", "only_blank_lines", "too_many_bytes", "too_many_provider_batches"),
        *("compressed", "spreadsheet", "binary", "utf16", "json_array", "pretty_printed_json"),
        "requests_object",
        *("markup", "csv", "plain_text", "no_max_tokens", "mixed_models", "mixed_urls"),
        *("several_provider_batches", "many_inputs_in_all", "short_cached_prompt"),
        *("gzip_truncated", "gzip_damaged", "gzip_too_large", "gzip_bomb"),
    }
)

# Codes that say of a line which format it has: the first line stands for all of them.
FORMAT_CODES = frozenset(
    {
        *("anthropic_batch", "vertex_batch", "bedrock_batch", "no_method_and_url"),
        *("bare_bodies", "output_file", "fine_tuning"),
    }
)


class RequestFinding(NamedTuple):
    """A finding without its place; ``other_line`` is the earlier line that is repeated, else 0."""

    code: str
    message: str
    other_line: int = 0


class Finding(msgspec.Struct, frozen=True):
    """One problem of a file, with its place.

    ``line`` counts from 1 as an editor does; 0 means the file as a whole. ``custom_id`` is "" if
    unknown. ``message`` is a sentence with the next step. ``other_line`` is the earlier line that
    this line repeats, else 0. ``offset`` is the byte where the line begins; in a gzip archive the
    byte of its unpacked content.
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
        """Return True if only the portal insists on it, while the provider accepts the file."""
        return self.code in PORTAL_ONLY_CODES


class FindingLog:
    """Counts all findings; keeps the first of each code, in file order, see ``most_kept``."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.totals: Counter[str] = Counter()

    def add(
        self,
        finding: RequestFinding,
        line: int = 0,
        offset: int = 0,
        custom_id: str = "",
        *,
        count: int = 1,
    ) -> None:
        """Add a finding at its place; a finding of the file may stand for ``count`` lines."""
        code, message, other_line = finding
        if self.totals[code] < most_kept(code):
            custom_id, severity = presentable(custom_id), severity_of(code)
            self.findings.append(
                Finding(line, custom_id, severity, code, message, other_line, offset)
            )
        self.totals[code] += count

    @property
    def severities(self) -> dict[str, int]:
        """Return the true count per severity, with all three severities even at zero."""
        counts = {severity.value: 0 for severity in Severity}
        for code, count in self.totals.items():
            counts[severity_of(code)] += count
        return counts


def most_kept(code: str) -> int:
    """Return how many findings of ``code`` a report keeps: a format is named once."""
    return 1 if code in FORMAT_CODES else FINDINGS_KEPT_PER_CODE


def severity_of(code: str) -> Severity:
    return SEVERITIES.get(code, Severity.ERROR)


def presentable(text: str, max_length: int = 64) -> str:
    """Shorten ``text`` and replace unprintable characters, for one line of a page or database."""
    short = text if len(text) <= max_length else text[: max_length - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in short)
