"""What is wrong with a request file, counted fully and kept in part."""

from collections import Counter
from enum import StrEnum

import msgspec

FAULTS_KEPT_PER_CODE = 200
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
    "no_max_tokens": Severity.INFO,
    "mixed_models": Severity.INFO,
    "mixed_urls": Severity.INFO,
}
"""Every code has one severity; a code not named here is an error."""


class Fault(msgspec.Struct, frozen=True):
    """``line`` counts from 1 as an editor does, and 0 is the file as a whole.

    ``custom_id`` is "" when unknown; ``message`` is a sentence with the next step.
    """

    line: int
    custom_id: str
    severity: Severity
    code: str
    message: str


class FaultLog:
    """Every fault counted, the first ``FAULTS_KEPT_PER_CODE`` of each code kept, in file order."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.totals: Counter[str] = Counter()

    def has_room(self, code: str) -> bool:
        return self.totals[code] < FAULTS_KEPT_PER_CODE

    def add(self, code: str, message: str, *, line: int = 0, custom_id: str = "") -> None:
        if self.has_room(code):
            severity = SEVERITIES.get(code, Severity.ERROR)
            self.faults.append(Fault(line, presentable(custom_id), severity, code, message))
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
            counts[SEVERITIES.get(code, Severity.ERROR)] += count
        return counts


def presentable(text: str, longest: int = 64) -> str:
    """``text`` fit for one line of a page and for a database: short, nothing unprintable."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(character if character.isprintable() else "�" for character in short)
