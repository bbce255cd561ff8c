"""One line of a request file judged by itself: what it says, and all that is wrong with it."""

from typing import Any

import msgspec

from batchapp.domain.request_files.findings import SEVERITIES
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import strict_json
from batchapp.domain.request_files.rules import request_rules, request_warnings

MIB = 1024 * 1024


class CheckedLine(msgspec.Struct):
    """``request`` is None if the line could not be read; ``custom_id`` is "" if it has none.

    ``body`` is as it is written in the line.
    """

    request: dict[str, Any] | None
    custom_id: str
    body: bytes
    findings: list[request_rules.RequestFinding]
    has_error: bool


def check_request_line(data: bytes, limits: Limits, *, explain: bool = True) -> CheckedLine:
    """Judge ``data``, a trimmed line.

    ``explain`` gives broken JSON its sentence, at the price of a second reading.
    """
    request = strict_json.read_object(data, explain=explain)
    if isinstance(request, request_rules.RequestFinding):
        return _unread(data, request)
    custom_id = request.get("custom_id")
    body = strict_json.read_body(data)
    findings = strict_json.find_repeated_keys(request, data, body)
    findings += request_rules.check_request(request, limits.urls)
    if len(body) > limits.max_body_bytes:
        findings.extend(_body_size(request.get("body"), limits))
    has_error = bool(findings) and any(each.code not in SEVERITIES for each in findings)
    if not has_error:
        findings += request_warnings.find_warnings(request, body)
    shown = custom_id if isinstance(custom_id, str) else ""
    return CheckedLine(request, shown, body, findings, has_error)


def too_long(data: bytes, length: int, limits: Limits) -> CheckedLine:
    """Refuse a line of ``length`` bytes that begins with ``data``."""
    message = (
        f"The line has {length / MIB:,.1f} MiB and its body may have at most "
        f"{limits.max_body_bytes / MIB:,.1f}; shorten it, or refer to images by address."
    )
    return _unread(data, request_rules.RequestFinding("line_too_long", message))


def _unread(data: bytes, finding: request_rules.RequestFinding) -> CheckedLine:
    return CheckedLine(None, strict_json.find_custom_id(data), b"", [finding], has_error=True)


def _body_size(body: object, limits: Limits) -> tuple[request_rules.RequestFinding, ...]:
    size = len(strict_json.encode_compact(body))
    if size <= limits.max_body_bytes:
        return ()
    message = (
        f"body has {size:,} bytes and at most {limits.max_body_bytes:,} are accepted; shorten it, "
        "or refer to images by address."
    )
    return (request_rules.RequestFinding("body_too_large", message),)
