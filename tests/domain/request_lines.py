"""Request lines and files for the tests of the domain."""

import json
from typing import Any

from batchapp.domain.request_files.check_file import Limits, Report, check

LIMITS = Limits(max_bytes=50_000_000)
CHAT = "/v1/chat/completions"


def make_request(**overrides: Any) -> dict[str, Any]:
    """A good request; an override of ... removes the field."""
    request = {"custom_id": "a", "method": "POST", "url": CHAT, "body": make_body()}
    return {name: value for name, value in (request | overrides).items() if value is not ...}


def make_body(**overrides: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 10}
    return {name: value for name, value in (body | overrides).items() if value is not ...}


def make_line(**overrides: Any) -> bytes:
    return json.dumps(make_request(**overrides)).encode()


def make_file(*lines: bytes) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def check_bytes(data: bytes, limits: Limits = LIMITS) -> Report:
    return check([data], limits)


def codes(data: bytes, limits: Limits = LIMITS) -> dict[str, int]:
    return check_bytes(data, limits).finding_totals
