"""What a line of an uploaded file must be, and the exact words for what is wrong with it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.api.errors import refused
from batchapp.sandbox.api.serde import SerdeError, decode
from batchapp.sandbox.settings import Settings

STRIPPED_FIELDS = ("priority", "service_tier", "background")
"""Scheduling wishes the provider removes from every body before it stores it."""


class RequestLine(msgspec.Struct):
    """One request; keys of a line other than these are dropped."""

    custom_id: str
    method: str
    url: str
    body: Any


LINE_DECODER = msgspec.json.Decoder(RequestLine)


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A line the provider accepts, and the bytes it stores for it."""

    request: RequestLine
    stored: bytes
    body_bytes: int

    @property
    def model(self) -> str:
        alias: str = self.request.body["model"]
        return alias


def check(raw: bytes, number: int, settings: Settings) -> CheckedLine:
    """Check line ``number`` in the provider's order and strip its body.

    Stored bodies have their keys in alphabetical order.

    Raises:
        ApiError: 400, or 403 for a model that is not there, about the first fault.
    """
    try:
        raw.decode()
    except UnicodeDecodeError as exc:
        raise refused(400, f"File contains invalid UTF-8 on/near line {number}") from exc
    try:
        line = decode(raw, LINE_DECODER)
    except SerdeError as exc:
        raise refused(400, f"Invalid JSON on line {number}: {exc}") from exc
    for find_fault in _FAULT_FINDERS:
        fault = find_fault(line, settings)
        if fault:
            raise refused(400, f"Line {number}: {fault}")
    fault = _model_fault(line)
    if fault:
        status = 400 if line.body["model"] in MODELS else 403
        raise refused(status, f"Line {number}: {fault}")
    for field in STRIPPED_FIELDS:
        line.body.pop(field, None)
    body = msgspec.json.encode(line.body, order="sorted")
    if len(body) > settings.line_body_bytes:
        raise refused(400, f"Line {number}: {body_size_fault(len(body), settings)}")
    return CheckedLine(line, _stored(line, body), len(body))


def body_size_fault(size: int, settings: Settings) -> str:
    return (
        f"Request body is {size} bytes, which exceeds the maximum allowed size of"
        f" {settings.line_body_bytes} bytes"
    )


def _stored(line: RequestLine, body: bytes) -> bytes:
    head = msgspec.json.encode(
        {"custom_id": line.custom_id, "method": line.method, "url": line.url}
    )
    return head[:-1] + b',"body":' + body + b"}\n"


def _custom_id_fault(line: RequestLine, _settings: Settings) -> str | None:
    size = len(line.custom_id.encode())
    if size > 64:
        return f"custom_id exceeds maximum length of 64 characters (got {size})"
    text = line.custom_id.replace("\t", " ")
    if not (text.isascii() and text.isprintable()):
        return (
            "custom_id contains invalid characters: must be valid ASCII without control characters"
        )
    return None


def _method_fault(line: RequestLine, _settings: Settings) -> str | None:
    if line.method.isascii() and line.method.upper() == "POST":
        return None
    return f"Unsupported HTTP method '{line.method}'. Only POST is currently supported."


def _url_fault(line: RequestLine, settings: Settings) -> str | None:
    if line.url in settings.endpoints:
        return None
    allowed = ", ".join(settings.endpoints)
    return f"Unsupported URL path '{line.url}'. Allowed paths are: {allowed}"


def _model_field_fault(line: RequestLine, _settings: Settings) -> str | None:
    if isinstance(line.body, dict) and isinstance(line.body.get("model"), str):
        return None
    return "Missing 'model' field in request body"


_FAULT_FINDERS: tuple[Callable[[RequestLine, Settings], str | None], ...] = (
    _custom_id_fault,
    _method_fault,
    _url_fault,
    _model_field_fault,
)


def _model_fault(line: RequestLine) -> str | None:
    alias = line.body["model"]
    model = MODELS.get(alias)
    if model is None:
        return f"Model '{alias}' has not been configured or is not available to user"
    required = "EMBEDDINGS" if line.url == "/v1/embeddings" else "CHAT"
    if model.kind == required:
        return None
    return (
        f"Model '{alias}' is a {model.kind} model but endpoint '{line.url}' requires a"
        f" {required} model"
    )
