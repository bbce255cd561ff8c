"""Find requests of a file whose custom_id or body an earlier line has already."""

from batchapp.domain.request_files.fast.first_lines import FirstLines
from batchapp.domain.request_files.findings import RequestFinding
from batchapp.domain.request_files.rules.request_rules import quote


class Duplicates:
    """Keeps the number and two hashes of each line.

    Each method returns a tuple of at most one finding, which names the first line.
    """

    def __init__(self) -> None:
        self._custom_ids, self._bodies = FirstLines(), FirstLines()

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
