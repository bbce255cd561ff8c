"""Check one line of a request file by itself: decode it, and collect all its findings."""

from typing import Any

import msgspec

from batchapp.domain.request_files.findings import SEVERITIES, RequestFinding
from batchapp.domain.request_files.limits import Limits
from batchapp.domain.request_files.reading import json_errors, strict_json
from batchapp.domain.request_files.rules import (
    cache_markers,
    model_rules,
    request_rules,
    request_warnings,
)
from batchapp.domain.request_files.rules.envelope_findings import find_what_is_meant

MIB = 1024 * 1024


class CheckedLine(msgspec.Struct):
    """The request on a line, and its findings.

    ``request`` is None if the line could not be read; ``custom_id`` is "" if there is none.
    ``body`` is the body as written in the line.
    """

    request: dict[str, Any] | None
    custom_id: str
    body: bytes
    findings: list[RequestFinding]
    has_error: bool


def check_request_line(data: bytes, limits: Limits, *, explain: bool = True) -> CheckedLine:
    """Check ``data``, a trimmed line.

    ``explain`` gives broken JSON a message, at the price of a second reading.
    """
    request = strict_json.read_object(data, explain=explain)
    if isinstance(request, RequestFinding):
        return _unread(data, request)
    custom_id = request.get("custom_id")
    body = strict_json.read_body(data)
    repeated = strict_json.find_repeated_keys(request, data, body)
    findings = repeated + _check_rules(request, limits)
    # A code without another severity is an error.
    has_error = bool(findings) and any(finding.code not in SEVERITIES for finding in findings)
    if has_error and not repeated:
        findings = find_what_is_meant(request, findings, limits, _check_rules)
    elif not has_error and limits.reads_cache_markers and cache_markers.may_have_markers(body):
        bad_markers = list(cache_markers.find_bad_markers(request["body"], request["url"]))
        findings, has_error = findings + bad_markers, bool(bad_markers)
    if len(body) > limits.max_body_bytes and (large := _check_body_size(request, limits)):
        findings, has_error = [*findings, large], True
    if not has_error:
        findings += request_warnings.find_warnings(request, body, limits)
    custom_id = custom_id if isinstance(custom_id, str) else ""
    return CheckedLine(request, custom_id, body, findings, has_error)


def _check_rules(request: dict[str, Any], limits: Limits) -> list[RequestFinding]:
    findings = request_rules.check_request(request, limits)
    if error := model_rules.find_kind_error(request, limits.models):
        findings.append(error)
    return findings


def refuse_long_line(data: bytes, length: int, limits: Limits) -> CheckedLine:
    """Refuse a line of ``length`` bytes that begins with ``data``."""
    if joined := json_errors.find_carriage_returns(data):
        return _unread(data, joined)
    message = (
        f"The line has {length / MIB:,.1f} MiB and its body may have at most "
        f"{limits.max_body_bytes / MIB:,.1f}; shorten it, or refer to images by address."
    )
    return _unread(data, RequestFinding("line_too_long", message))


def _unread(data: bytes, finding: RequestFinding) -> CheckedLine:
    return CheckedLine(None, strict_json.find_custom_id(data), b"", [finding], has_error=True)


def _check_body_size(request: dict[str, Any], limits: Limits) -> RequestFinding | None:
    size = len(strict_json.encode_compact(request.get("body")))
    if size <= limits.max_body_bytes:
        return None
    message = (
        f"body has {size:,} bytes and at most {limits.max_body_bytes:,} are accepted; shorten it, "
        "or refer to images by address."
    )
    return RequestFinding("body_too_large", message)
