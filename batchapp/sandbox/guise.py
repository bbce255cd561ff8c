"""Answer as OpenAI does: the same batches, without what Doubleword adds.

No search, order or ``skip``; no retry in place, analytics or management API; result files only
once a batch is over, and an error file only if a request failed; errors as JSON.

Source: https://platform.openai.com/docs/api-reference/batch
"""

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPENAI, DOUBLEWORD = "openai", "doubleword"
GUISES = (DOUBLEWORD, OPENAI)

OVER = {"completed", "failed", "expired", "cancelled"}
LIST_PARAMETERS = {"after", "limit", "purpose", "order"}
UNKNOWN_PATHS = re.compile(
    r"/ai/v1/.*|/admin/(?!api/v1/users/[^/]+/webhooks).*"
    r"|/v1/batches/[^/]+/(?:retry|retry-requests|results|analytics)"
    r"|/v1/files/[^/]+/cost-estimate"
)
BATCH = re.compile(r"/v1/batches/([^/]+)(/cancel)?")
CONTENT = re.compile(r"/v1/files/[^/]+/content")


class OpenAIGuise:
    """ASGI middleware around the application of the sandbox."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith("/_sandbox"):
            await self._app(scope, receive, send)
        elif UNKNOWN_PATHS.fullmatch(path):
            message = f"Unknown request URL: {scope['method']} {path}."
            await _send_json(send, 404, _error(message, "unknown_url"))
        else:
            query = parse_qsl(scope.get("query_string", b"").decode())
            kept = [(name, value) for name, value in query if name in LIST_PARAMETERS]
            scope = {**scope, "query_string": urlencode(kept).encode()}
            await self._app(scope, receive, _Disguised(path, send))


class _Disguised:
    """Changes one response: the content of files is passed on, all else is read and rewritten."""

    def __init__(self, path: str, send: Send) -> None:
        self._path, self._send = path, send
        self._start: Message | None = None
        self._body = b""
        self._is_content = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
            self._is_content = message["status"] == 200 and bool(CONTENT.fullmatch(self._path))
            if self._is_content:
                headers = MutableHeaders(scope=message)
                for name in ("X-Incomplete", "X-Last-Line"):
                    if name in headers:
                        del headers[name]
        if self._is_content:
            await self._send(message)
        elif message["type"] == "http.response.body" and self._start:
            self._body += message.get("body", b"")
            if not message.get("more_body"):
                await self._send_rewritten(self._start)

    async def _send_rewritten(self, start: Message) -> None:
        status, content = rewritten(self._path, start["status"], self._body)
        body = content if isinstance(content, bytes) else msgspec.json.encode(content)
        headers = MutableHeaders(scope=start)
        headers["Content-Length"] = str(len(body))
        if not isinstance(content, bytes):
            headers["Content-Type"] = "application/json"
        await self._send({**start, "status": status})
        await self._send({"type": "http.response.body", "body": body})


def rewritten(path: str, status: int, body: bytes) -> tuple[int, Any]:
    """Return the status and the content of a response as OpenAI gives them."""
    if status >= 400:
        return _refusal(path, status, body)
    try:
        content = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return status, body
    if not isinstance(content, dict):
        return status, body
    if content.get("object") == "batch":
        content = _batch(content)
    elif content.get("object") == "list":
        rows = content.get("data", [])
        content["data"] = [_batch(row) if row.get("object") == "batch" else row for row in rows]
    elif content.get("object") == "file":
        content["status"] = "processed"
    return 200, content


def _batch(batch: dict[str, Any]) -> dict[str, Any]:
    """Return a batch with OpenAI's fields, of which those without a value are null."""
    counts = batch.get("request_counts", {})
    is_over = batch["status"] in OVER
    if batch["status"] == "failed" and counts.get("failed"):
        batch["status"] = "completed"  # OpenAI's batches fail only as a whole
    batch |= {name: batch.get(name) for name in ("errors", "expired_at", "cancelled_at")}
    for name, count in (("output_file_id", "completed"), ("error_file_id", "failed")):
        batch[name] = batch.get(name) if is_over and counts.get(count) else None
    batch.pop("analytics", None)
    batch.pop("dwext", None)
    return batch


def _refusal(path: str, status: int, body: bytes) -> tuple[int, Any]:
    text = body.decode(errors="replace")
    batch = BATCH.fullmatch(path)
    if batch and status in {400, 404}:
        return 404, _error(f"No batch found with id '{batch[1]}'.")
    try:
        content = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return status, _error(text)
    if isinstance(content, dict) and isinstance(content.get("error"), dict):
        return status, content
    message = content.get("message", text) if isinstance(content, dict) else text
    return status, _error(message, "rate_limit_exceeded" if status == 429 else None)


def _error(message: str, code: str | None = None) -> dict[str, Any]:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return {"error": error}


async def _send_json(send: Send, status: int, content: Any) -> None:
    body = msgspec.json.encode(content)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
