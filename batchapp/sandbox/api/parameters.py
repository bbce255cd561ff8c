"""Reading paths, query strings and bodies, with the texts of the provider's web framework."""

from datetime import datetime
from uuid import UUID

import msgspec
from starlette.requests import Request

from batchapp.sandbox.api.errors import ApiError, refused
from batchapp.sandbox.api.serde import SerdeError, Shape, decode
from batchapp.sandbox.settings import Settings

PAGE_LIMIT = 101
"""The most items a page has; the documentation says 100."""


def identifier(request: Request, name: str) -> str:
    """The path's id in canonical form.

    Raises:
        ApiError: 400 unless it is a UUID.
    """
    try:
        return str(UUID(request.path_params[name]))
    except ValueError as exc:
        raise refused(400, f"Invalid {name} format") from exc


def cursor(request: Request) -> str | None:
    """``after`` as a UUID; anything else is ignored, as the provider does."""
    try:
        return str(UUID(request.query_params.get("after", "")))
    except ValueError:
        return None


def page_size(request: Request, default: int | None = 20) -> int | None:
    """``limit`` forced into 1..101; ``default`` if there is none."""
    limit = integer(request, "limit")
    return default if limit is None else min(max(limit, 1), PAGE_LIMIT)


def integer(request: Request, name: str) -> int | None:
    value = request.query_params.get(name)
    if value is None:
        return None
    if not value.removeprefix("-").isdecimal():
        raise _undecodable(name, "invalid digit found in string")
    return min(max(int(value), -(2**62)), 2**62)


def flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false")
    if value not in {"true", "false"}:
        raise _undecodable(name, "provided string was not `true` or `false`")
    return value == "true"


def instant(request: Request, name: str) -> float | None:
    """An RFC 3339 time as Unix seconds."""
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as exc:
        raise _undecodable(name, "input contains invalid characters") from exc
    if moment.tzinfo is None:
        raise _undecodable(name, "premature end of input")
    return moment.timestamp()


async def json_body(
    request: Request, decoder: msgspec.json.Decoder[Shape], settings: Settings
) -> Shape:
    """The request's JSON body.

    Raises:
        ApiError: 413, 415, 400 for what is not JSON, 422 for what has another shape.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise refused(415, "Expected request with `Content-Type: application/json`")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > settings.json_body_bytes:
            raise refused(413, "Failed to buffer the request body: length limit exceeded")
    try:
        return decode(raw, decoder)
    except SerdeError as exc:
        if exc.is_syntax:
            raise refused(400, f"Failed to parse the request body as JSON: {exc}") from exc
        text = f"Failed to deserialize the JSON body into the target type: {exc}"
        raise refused(422, text) from exc


def _undecodable(name: str, reason: str) -> ApiError:
    return refused(400, f"Failed to deserialize query string: {name}: {reason}")
