"""Faults that answer a call without processing."""

import zlib
from collections.abc import Callable, Iterator, Mapping

from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse

from batchapp.sandbox.api.errors import openai_error, service_unavailable, too_many_requests
from batchapp.sandbox.faults.switches import Rule

BOMB_BLOCK_BYTES = 1_000_000
WEB_PAGE = "<!doctype html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


def refusal_of(rules: Mapping[str, Rule], path: str) -> Response | None:
    """Return the response of the first fault in ``rules`` that refuses a call of ``path``."""
    for fault, refuse in _REFUSALS.items():
        response = refuse(rules[fault], path) if fault in rules else None
        if response is not None:
            return response
    return None


def web_page(rule: Rule, _path: str = "") -> Response:
    status = int(rule.amount)
    return HTMLResponse(
        WEB_PAGE.format(f"{status} Bad Gateway" if status > 299 else "Welcome"), status
    )


def _unknown_key(_rule: Rule, path: str) -> Response:
    """Return the error that the provider sends if the look-up of the key fails."""
    if path.removeprefix("/ai") == "/v1/models":
        return openai_error(401, "Invalid API key", "invalid_api_key").response
    return PlainTextResponse("Authentication required", 401)


def _busy(_rule: Rule, _path: str) -> Response:
    return too_many_requests("Too many file uploads in progress. Please retry later.").response


def _unavailable(_rule: Rule, _path: str) -> Response:
    return service_unavailable().response


def _unfetched_image(rule: Rule, _path: str) -> Response:
    return service_unavailable(
        f"Line {int(rule.amount)}: image fetch failed after retries, please retry:"
        " origin 503 Service Unavailable"
    ).response


def _error(_rule: Rule, _path: str) -> Response:
    return PlainTextResponse("Internal server error", 500)


def _gone(_rule: Rule, _path: str) -> Response:
    return PlainTextResponse("The content has been purged and is no longer available", 410)


def _not_found(_rule: Rule, path: str) -> Response | None:
    """Return the error of a replica without the object in ``path``, or None without an id."""
    parts = path.removeprefix("/ai").split("/")[2:]
    kind = {"files": "File", "batches": "Batch"}.get(parts[0]) if len(parts) > 1 else None
    return PlainTextResponse(f"{kind} with ID {parts[1]} not found", 404) if kind else None


def _page_without_title(rule: Rule, _path: str) -> Response:
    status = int(rule.amount)
    return HTMLResponse(f"<h1>{status} Bad Gateway</h1>", status)


def _gzip_bomb(rule: Rule, path: str) -> Response:
    headers, media_type = {"Content-Encoding": "gzip"}, "application/json"
    if path.endswith(("/content", "/results")):
        headers |= {"X-Incomplete": "false", "X-Last-Line": "1"}
        media_type = "application/x-ndjson"
    return StreamingResponse(
        _compressed_spaces(int(rule.amount)), headers=headers, media_type=media_type
    )


def _compressed_spaces(size: int) -> Iterator[bytes]:
    compressor = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    for start in range(0, size, BOMB_BLOCK_BYTES):
        yield compressor.compress(b" " * min(BOMB_BLOCK_BYTES, size - start))
    yield compressor.flush()


# In the order in which the provider would refuse; its key check comes first.
_REFUSALS: dict[str, Callable[[Rule, str], Response | None]] = {
    "refuse-key": _unknown_key,
    "busy": _busy,
    "unavailable": _unavailable,
    "line-503": _unfetched_image,
    "error": _error,
    "gone": _gone,
    "not-found": _not_found,
    "html-error": _page_without_title,
    "html": web_page,
    "gzip-bomb": _gzip_bomb,
}
