"""What one line comes to, before it is known what the others say."""

import msgspec

from batchapp.domain.request_files.rules import request_rules

NO_LIMIT = -1


class LineReport(msgspec.Struct, array_like=True, gc=False):
    """What becomes of one line, whatever the others are.

    ``is_request`` is false of a blank line, and of one that cannot be read; what follows it in
    the list is of a request without errors only. ``body`` is a hash that holds in this process and
    in its forks; ``limit`` is ``NO_LIMIT`` where nothing bounds the answer. Only blank
    lines are more than one of the ``lines``; their ``length`` is that of all but the last ending.
    """

    length: int
    is_blank: bool = False
    is_request: bool = False
    has_mark: bool = False
    has_error: bool = True
    custom_id: str = ""
    findings: list[request_rules.RequestFinding] = []
    body: int = 0
    has_return: bool = False
    url: str = ""
    model: str = ""
    input_tokens: int = 0
    attachments: int = 0
    assumed: int = 0
    is_exact: bool = False
    expected: int = 0
    limit: int = NO_LIMIT
    shape: str = ""
    lines: int = 1
