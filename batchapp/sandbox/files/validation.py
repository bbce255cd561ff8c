"""The checks of an uploaded line, with the error texts of the provider."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.api.errors import text_error
from batchapp.sandbox.api.json_decoder import JsonError, decode
from batchapp.sandbox.files.reasoning_rules import reasoning_error
from batchapp.sandbox.settings import Settings

# The provider removes these scheduling fields from every body that it stores.
STRIPPED_FIELDS = ("priority", "service_tier", "background")
_CONTROL_CHARACTER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is accepted


class RequestLine(msgspec.Struct):
    """One request; other keys of the line are dropped."""

    custom_id: str
    method: str
    url: str
    body: Any


LINE_DECODER = msgspec.json.Decoder(RequestLine)


@dataclass(frozen=True, slots=True)
class CheckedLine:
    """A valid line, and the bytes to store."""

    request: RequestLine
    stored: bytes
    body_bytes: int

    @property
    def model(self) -> str:
        alias: str = self.request.body["model"]
        return alias


def check_line(raw: bytes, number: int, settings: Settings) -> CheckedLine:
    """Check line ``number`` in the order of the provider.

    The stored body has no scheduling fields, and its keys are in alphabetical order.

    Raises:
        ApiError: 400, or 403 for an unknown model, with the first error of the line.
    """
    try:
        raw.decode()
    except UnicodeDecodeError as exc:
        raise text_error(400, f"File contains invalid UTF-8 on/near line {number}") from exc
    try:
        line = decode(raw, LINE_DECODER)
    except JsonError as exc:
        raise text_error(400, f"Invalid JSON on line {number}: {exc}") from exc
    for check in _LINE_CHECKS:
        error = check(line, settings)
        if error:
            raise text_error(400, f"Line {number}: {error}")
    error = _model_error(line)
    if error:
        status = 400 if line.body["model"] in MODELS else 403
        raise text_error(status, f"Line {number}: {error}")
    error = reasoning_error(line.url, line.body)
    if error:
        raise text_error(400, f"Line {number}: {error}")
    for field in STRIPPED_FIELDS:
        line.body.pop(field, None)
    body = msgspec.json.encode(line.body, order="sorted")
    if len(body) > settings.line_body_bytes:
        raise text_error(400, f"Line {number}: {body_size_error(len(body), settings)}")
    return CheckedLine(line, _stored(line, body), len(body))


def body_size_error(size: int, settings: Settings) -> str:
    return (
        f"Request body is {size} bytes, which exceeds the maximum allowed size of"
        f" {settings.line_body_bytes} bytes"
    )


def _stored(line: RequestLine, body: bytes) -> bytes:
    head = msgspec.json.encode(
        {"custom_id": line.custom_id, "method": line.method, "url": line.url}
    )
    return head[:-1] + b',"body":' + body + b"}\n"


def _custom_id_error(line: RequestLine, _settings: Settings) -> str | None:
    size = len(line.custom_id.encode())
    if size > 64:
        return f"custom_id exceeds maximum length of 64 characters (got {size})"
    if _CONTROL_CHARACTER.search(line.custom_id):
        # The text is wrong: the provider accepts characters beyond ASCII.
        return (
            "custom_id contains invalid characters: must be valid ASCII without control characters"
        )
    return None


def _method_error(line: RequestLine, _settings: Settings) -> str | None:
    if line.method.isascii() and line.method.upper() == "POST":
        return None
    return f"Unsupported HTTP method '{line.method}'. Only POST is currently supported."


def _url_error(line: RequestLine, settings: Settings) -> str | None:
    if line.url in settings.endpoints:
        return None
    allowed = ", ".join(settings.endpoints)
    return f"Unsupported URL path '{line.url}'. Allowed paths are: {allowed}"


def _model_field_error(line: RequestLine, _settings: Settings) -> str | None:
    if isinstance(line.body, dict) and isinstance(line.body.get("model"), str):
        return None
    return "Missing 'model' field in request body"


_LINE_CHECKS: tuple[Callable[[RequestLine, Settings], str | None], ...] = (
    _custom_id_error,
    _method_error,
    _url_error,
    _model_field_error,
)


def _model_error(line: RequestLine) -> str | None:
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
