"""A line that breaks off within a text, and whether the lines after it go on with that text."""

from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.line_report import LineReport

LINE_BREAK = RequestFinding(
    "line_break_in_text",
    "A text of the request has a line break as it is typed, which ends the line; write it as \\n.",
)


class BrokenText:
    """The line that broke off, at byte ``offset``; without a line there is none.

    Only the next line tells whether it was cut off, or is continued there.
    """

    def __init__(
        self, line_report: LineReport | None = None, number: int = 0, offset: int = 0
    ) -> None:
        self.line_report, self.number, self.offset = line_report, number, offset
        self._is_continued = False

    def has_part(self, line_report: LineReport) -> bool:
        """Return True if a line goes on with the text: it is no line of its own then."""
        goes_on = self.line_report is not None and line_report.common.text_break == "continues"
        self._is_continued |= goes_on
        return goes_on

    @property
    def findings(self) -> list[RequestFinding]:
        if self.line_report is None:
            return []
        return [LINE_BREAK] if self._is_continued else self.line_report.common.findings
