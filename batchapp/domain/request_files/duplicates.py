"""Find requests of a file whose custom_id or body an earlier line has already."""

from collections.abc import Sequence

from batchapp.domain.request_files.fast.first_lines import FirstLines
from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.line_report import LineReport
from batchapp.domain.request_files.rules.request_rules import quote


class Duplicates:
    """Keeps the number and two hashes of each line.

    The methods that find return a tuple of at most one finding, which names the first line.
    """

    def __init__(self) -> None:
        self._custom_ids, self._bodies = FirstLines(), FirstLines()

    def are_new(self, requests: Sequence[LineReport], number: int) -> bool:
        """Add consecutive requests without errors, the first of which is on line ``number``.

        Return False if any of them is a duplicate. Some have been added then, and the methods
        below find for all of them what they would find otherwise.
        """
        ids = [hash(request.custom_id) for request in requests]
        bodies = [request.body_hash for request in requests]
        return self._custom_ids.add_new(ids, number) and self._bodies.add_new(bodies, number)

    def find_custom_id(self, custom_id: str, number: int) -> tuple[RequestFinding, ...]:
        if not custom_id or custom_id.isspace():
            return ()
        first_line = self._custom_ids.setdefault(hash(custom_id), number)
        if first_line == number:
            return ()
        message = (
            f"custom_id {quote(custom_id)} of line {number:,} is already used on line "
            f"{first_line:,}; their results could not be told apart, so give each request its own."
        )
        return (RequestFinding("duplicate_custom_id", message, first_line),)

    def find_body(self, body_hash: int, number: int) -> tuple[RequestFinding, ...]:
        first_line = self._bodies.setdefault(body_hash, number)
        if first_line == number:
            return ()
        message = (
            f"Line {number:,} asks word for word what line {first_line:,} asks, and is paid for "
            "again; drop it unless you want another answer."
        )
        return (RequestFinding("identical_body", message, first_line),)
