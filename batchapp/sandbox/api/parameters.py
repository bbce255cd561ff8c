"""Parsing of paths, query strings and bodies, with the error texts of the provider."""

from datetime import datetime
from uuid import UUID

import msgspec
from starlette.requests import Request

from batchapp.sandbox.api.errors import ApiError, text_error
from batchapp.sandbox.api.json_decoder import JsonError, Shape, decode
from batchapp.sandbox.settings import Settings

PAGE_LIMIT = 101  # the provider's documentation says 100, its code 101


def path_id(request: Request, name: str) -> str:
    """Return the path parameter ``name`` in canonical form.

    Raises:
        ApiError: 400 unless the value is a UUID.
    """
    try:
        return str(UUID(request.path_params[name]))
    except ValueError as exc:
        raise text_error(400, f"Invalid {name.removesuffix('_id')} ID format") from exc


def cursor_id(request: Request) -> str | None:
    """Return the query parameter ``after``, or None unless the value is a UUID."""
    try:
        return str(UUID(request.query_params.get("after", "")))
    except ValueError:
        return None


def page_size(request: Request, default: int | None = 20) -> int | None:
    """Return ``limit`` clamped to 1..101, or ``default`` without a limit."""
    limit = integer(request, "limit")
    return default if limit is None else min(max(limit, 1), PAGE_LIMIT)


def integer(request: Request, name: str) -> int | None:
    value = request.query_params.get(name)
    if value is None:
        return None
    if not value.removeprefix("-").isdecimal():
        raise _query_error(name, "invalid digit found in string")
    return min(max(int(value), -(2**62)), 2**62)


def flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false")
    if value not in {"true", "false"}:
        raise _query_error(name, "provided string was not `true` or `false`")
    return value == "true"


def timestamp(request: Request, name: str) -> float | None:
    """Return an RFC 3339 time as Unix seconds."""
    value = request.query_params.get(name)
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as exc:
        raise _query_error(name, "input contains invalid characters") from exc
    if moment.tzinfo is None:
        raise _query_error(name, "premature end of input")
    return moment.timestamp()


async def json_body(
    request: Request, decoder: msgspec.json.Decoder[Shape], settings: Settings
) -> Shape:
    """Read and decode the body of the request.

    Raises:
        ApiError: 413 if too long, 415 for another media type, 400 for invalid JSON, 422 for
            JSON of another shape.
    """
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise text_error(415, "Expected request with `Content-Type: application/json`")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > settings.json_body_bytes:
            raise text_error(413, "Failed to buffer the request body: length limit exceeded")
    try:
        return decode(raw, decoder)
    except JsonError as exc:
        if exc.is_syntax:
            raise text_error(400, f"Failed to parse the request body as JSON: {exc}") from exc
        text = f"Failed to deserialize the JSON body into the target type: {exc}"
        raise text_error(422, text) from exc


def _query_error(name: str, reason: str) -> ApiError:
    return text_error(400, f"Failed to deserialize query string: {name}: {reason}")
