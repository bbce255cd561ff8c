"""Endpoints that answer one request: chat completions, embeddings and responses."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from batchapp.sandbox.accounts import Account, models_account
from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.api.errors import NO_MODEL_TEXT, json_response, openai_error
from batchapp.sandbox.context import Sandbox, sandbox_of
from batchapp.sandbox.direct.streams import events_of
from batchapp.sandbox.files.validation import RequestLine
from batchapp.sandbox.language_model.body_checks import body_error
from batchapp.sandbox.language_model.outcomes import NO_CREDIT_TEXT, parse_directive
from batchapp.sandbox.language_model.responses import make_response

EVENT_SECONDS = 0.05  # between two events of a stream, at speed 1
BACKGROUND_SECONDS = 5.0  # of a response in the background, at speed 1


async def answer(request: Request) -> Response:
    """Answer a request of the API in the path of the call."""
    account = models_account(request)
    sandbox = sandbox_of(request)
    line = await _line(request, account)
    body = line.body
    directive = parse_directive(body)
    if directive.startswith("fail="):
        status = int(directive.removeprefix("fail="))
        raise openai_error(status, f"The model server answered {status}.", "model_error")
    if directive == "slow":
        await sandbox.sleep(sandbox.settings.scaled_seconds(BACKGROUND_SECONDS))
    moment, response_id = int(sandbox.now()), uuid4().hex
    content = make_response(line, directive, response_id=response_id, created=moment)
    if line.url == "/v1/responses" and body.get("background") is True:
        return await run_in_threadpool(_keep, sandbox, account, body, content)
    if body.get("stream") is not True:
        return Response(content, media_type="application/json")
    events = events_of(line.url, msgspec.json.decode(content), body)
    return StreamingResponse(
        _paced(events, sandbox.settings.scaled_seconds(EVENT_SECONDS), directive),
        media_type="text/event-stream",
    )


async def _line(request: Request, account: Account) -> RequestLine:
    """Return the request, as a line of a batch would have it.

    Raises:
        ApiError: its body is not what the model server accepts.
    """
    url = request.url.path.removeprefix("/ai")
    try:
        body = msgspec.json.decode(await request.body())
    except msgspec.DecodeError as exc:
        raise openai_error(400, f"Failed to parse the request body: {exc}", "bad_request") from exc
    model = body.get("model") if isinstance(body, dict) else None
    if not isinstance(model, str):
        raise openai_error(400, NO_MODEL_TEXT, "bad_request", "model")
    if model not in MODELS:
        raise openai_error(404, f"The model '{model}' does not exist.", "model_not_found", "model")
    if account.balance_usd <= 0:
        raise openai_error(402, NO_CREDIT_TEXT, "insufficient_credits")
    if error := body_error(url, body):
        raise openai_error(400, error, "bad_request")
    return RequestLine(custom_id="direct", method="POST", url=url, body=body)


async def _paced(events: list[bytes], seconds: float, directive: str) -> AsyncIterator[bytes]:
    """Send the events one by one; the stream of the directive ``break`` ends in the middle."""
    end = len(events) // 2 if directive == "break" else len(events)
    for event in events[:end]:
        yield event
        await asyncio.sleep(seconds)
    if directive == "break":
        raise ConnectionAbortedError


def _keep(sandbox: Sandbox, account: Account, body: dict[str, Any], content: bytes) -> Response:
    """Store a response that is ready later; 202."""
    ready_at = sandbox.now() + sandbox.settings.scaled_seconds(BACKGROUND_SECONDS)
    response_id = msgspec.json.decode(content)["id"]
    with sandbox.store.write_transaction() as connection:
        connection.execute(
            "INSERT INTO responses (id, owner, model, service_tier, content, ready_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                response_id,
                account.id,
                body["model"],
                body.get("service_tier") or "default",
                content,
                ready_at,
            ),
        )
    return json_response(_waiting(response_id, body["model"], body.get("service_tier")), 202)


def _waiting(response_id: str, model: str, tier: str | None) -> dict[str, Any]:
    return {
        "id": response_id,
        "object": "response",
        "status": "queued",
        "model": model,
        "background": True,
        "service_tier": tier or "default",
        "output": [],
    }


def get_response(request: Request) -> Response:
    """Return a response that was made in the background."""
    account, sandbox = models_account(request), sandbox_of(request)
    response_id = request.path_params["response_id"]
    with sandbox.store.read_transaction() as connection:
        row = connection.execute(
            "SELECT * FROM responses WHERE id = ? AND owner = ?", (response_id, account.id)
        ).fetchone()
    if row is None:
        raise openai_error(404, f"Response '{response_id}' not found", "not_found")
    if row["ready_at"] > sandbox.now():
        return json_response(_waiting(response_id, row["model"], row["service_tier"]))
    content = msgspec.json.decode(row["content"])
    return json_response(content | {"background": True, "service_tier": row["service_tier"]})
