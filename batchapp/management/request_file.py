"""The file of requests that a command makes of the rows of a table."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any

from django.core.management.base import CommandError

from batchapp.domain.tables import row_requests
from batchapp.domain.tables.row_requests import PromptSettings

FINDINGS_SHOWN = 20


class RequestFile:
    """A file with a request for each row of a table with these ``columns``.

    Its ``options`` are ``output``, the path of the file, and ``id_map``, that of the list of
    replaced ids or None.

    Raises:
        CommandError: the settings do not fit the columns.
    """

    def __init__(
        self, columns: Sequence[str], prompt_settings: PromptSettings, options: dict[str, Any]
    ) -> None:
        if findings := row_requests.settings_errors(prompt_settings, columns):
            raise CommandError(" ".join(findings))
        self._columns, self._prompt_settings = columns, prompt_settings
        self._id_map: Path | None = options["id_map"]
        self.target: Path = options["output"]
        self.requests = self.left_out = 0

    def write(self, rows: Iterable[Sequence[str]], more: Callable[[], list[str]] = list) -> None:
        """Write all requests or none: the file appears only if no row has an error.

        ``more`` returns further sentences for an error message, once the rows are read.

        Raises:
            CommandError: a row has an error, or there is no request.
        """
        findings: list[str] = []
        replaced: list[tuple[str, str]] = []
        with _new_file(self.target) as file:
            named = (dict(zip(self._columns, row, strict=True)) for row in rows)
            for request in row_requests.build_requests(named, self._prompt_settings):
                if request.error:
                    findings.append(f"row {request.number}: {request.error}")
                elif request.line:
                    self.requests += 1
                    file.write(request.line + b"\n")
                    replaced += [(request.custom_id, request.original)] if request.original else []
                else:
                    self.left_out += 1
            if findings or not self.requests:
                reason = _errors_text(findings) if findings else _no_request_text(self.left_out)
                raise CommandError("\n".join([reason, *more()]))
        if self._id_map:
            with self._id_map.open("w", encoding="utf-8-sig", newline="") as file:
                csv.writer(file).writerows(row_requests.id_map_rows(replaced))


@contextmanager
def _new_file(target: Path) -> Iterator[IO[bytes]]:
    """Open a file that becomes ``target`` at the end, or is deleted after an error."""
    with NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}-", delete=False) as file:
        partial = Path(file.name)
        try:
            yield file
        except BaseException:
            partial.unlink()
            raise
    partial.chmod(0o644)
    partial.replace(target)


def _no_request_text(left_out: int) -> str:
    if left_out:
        return f"Nothing was written: all {left_out:,} rows have an empty cell."
    return "The table has no rows."


def _errors_text(findings: list[str]) -> str:
    shown = "\n".join(f"  {finding}" for finding in findings[:FINDINGS_SHOWN])
    more = len(findings) - FINDINGS_SHOWN
    and_more = f"\n  and {more:,} more" if more > 0 else ""
    return f"Nothing was written:\n{shown}{and_more}"
