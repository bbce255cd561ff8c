"""The line report: everything that is known of one line without the other lines."""

import msgspec

from batchapp.domain.request_files.findings import RequestFinding


class LineReport(msgspec.Struct, array_like=True, gc=False):
    """The result of the check of one line.

    ``is_request`` is False for a blank line and for a line that cannot be read. The fields from
    ``body_hash`` to ``shape`` are filled in only for a request without errors. ``body_hash`` is
    valid in this process and its forks only. ``max_output_tokens`` is None without a limit.
    ``lines`` is more than 1 only if the report stands for several blank lines in a row;
    ``length`` then excludes the last line ending only. ``text_break`` is "opens" if the line
    breaks off within a text, and "goes on" if an earlier line may have broken off there.
    ``inputs`` is the number of texts to embed.
    """

    length: int
    is_blank: bool = False
    is_request: bool = False
    has_byte_order_mark: bool = False
    has_error: bool = True
    custom_id: str = ""
    findings: list[RequestFinding] = []
    body_hash: int = 0
    has_carriage_return: bool = False
    url: str = ""
    model: str = ""
    input_tokens: int = 0
    attachments: int = 0
    assumed_attachments: int = 0
    is_exact: bool = False
    expected_output_tokens: int = 0
    max_output_tokens: int | None = None
    shape: str = ""
    lines: int = 1
    text_break: str = ""
    inputs: int = 0
