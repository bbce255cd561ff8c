"""Endpoints that read, cancel, retry and delete one batch."""

import sqlite3
from typing import Any
from uuid import UUID

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import Account, inference_account
from batchapp.sandbox.api.errors import json_response, text_error
from batchapp.sandbox.api.parameters import json_body, path_id
from batchapp.sandbox.batches.objects import batch_object, find_batch
from batchapp.sandbox.batches.progress import TERMINAL, Batch, parse_request_id
from batchapp.sandbox.batches.transitions import (
    cancel_requests,
    failed_lines,
    retry_lines,
    unsuccessful_lines,
)
from batchapp.sandbox.context import Sandbox, sandbox_of
from batchapp.sandbox.faults.kinds import EARLY_CANCEL_KEY


def get_batch(request: Request) -> Response:
    """Return one batch. If the batch has ended, the call records this, as at the provider."""
    owner, batch_id = inference_account(request), path_id(request, "batch_id")
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    with sandbox.store.read_transaction() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        content = batch_object(connection, batch, moment, sandbox.settings, has_context=True)
    if not batch.needs_finalizing(moment):
        return json_response(content)
    with sandbox.store.write_transaction() as connection:
        _record_end(connection, batch, moment)
        batch = find_batch(connection, batch_id, owner.id)
        content = batch_object(connection, batch, moment, sandbox.settings, has_context=True)
    return json_response(content)


def _record_end(connection: sqlite3.Connection, batch: Batch, moment: float) -> None:
    """Store that the end of ``batch`` was noticed at ``moment``, if all requests have settled."""
    connection.execute(
        "UPDATE batches SET finalized_at = ? WHERE pk = ?"
        " AND finalized_at IS NULL AND cancelled_at IS NULL AND settled_at <= ?",
        (moment, batch.pk, moment),
    )


def cancel_batch(request: Request) -> Response:
    """Cancel a batch; 200 in any state, and a finished batch becomes ``cancelled``."""
    owner, batch_id = inference_account(request), path_id(request, "batch_id")
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    is_early = request.scope.get(EARLY_CANCEL_KEY, False)
    with sandbox.store.write_transaction() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        cancel_requests(connection, batch, moment, is_early=is_early)
        batch = find_batch(connection, batch_id, owner.id)
        return json_response(batch_object(connection, batch, moment, sandbox.settings))


def retry_batch(request: Request) -> Response:
    """Run the failed and cancelled requests again.

    A cancelled batch whose requests have all succeeded is ``completed`` at once.
    """
    owner, batch_id = inference_account(request), path_id(request, "batch_id")
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    with sandbox.store.write_transaction() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        lines = unsuccessful_lines(connection, batch, moment)
        if not lines and batch.cancelled_at is None:
            raise text_error(
                400,
                "Nothing to retry: no failed or canceled requests, and the batch is not cancelled",
            )
        retry_lines(connection, batch, lines, now=moment, settings=sandbox.settings)
        _record_end(connection, batch, moment)
        batch = find_batch(connection, batch_id, owner.id)
        return json_response(batch_object(connection, batch, moment, sandbox.settings))


class RequestIds(msgspec.Struct):
    request_ids: list[str]


_REQUEST_IDS = msgspec.json.Decoder(RequestIds)


async def retry_requests(request: Request) -> Response:
    """Run failed requests again by id; ids of other requests are ignored without an error."""
    owner, batch_id = inference_account(request), path_id(request, "batch_id")
    sandbox = sandbox_of(request)
    body = await json_body(request, _REQUEST_IDS, sandbox.settings)
    content = await run_in_threadpool(_retry_requests, sandbox, owner, batch_id, body.request_ids)
    return json_response(content)


def _retry_requests(
    sandbox: Sandbox, owner: Account, batch_id: str, request_ids: list[str]
) -> dict[str, Any]:
    lines: dict[str, list[int]] = {}
    for request_id in request_ids:
        try:
            prefix, line = parse_request_id(UUID(request_id))
        except ValueError:
            continue
        lines.setdefault(prefix, []).append(line)
    moment = sandbox.now()
    with sandbox.store.write_transaction() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        if not lines:
            raise text_error(400, "No valid request IDs provided")
        for prefix, numbers in lines.items():
            # The provider does not check whether the ids belong to the batch in the path.
            row = connection.execute(
                "SELECT * FROM batches WHERE owner = ? AND id LIKE ? AND deleted_at IS NULL",
                (owner.id, f"{prefix}%"),
            ).fetchone()
            if row is None:
                continue
            other_batch = Batch.from_row(row)
            failed = failed_lines(connection, other_batch, numbers, moment)
            if failed:
                retry_lines(connection, other_batch, failed, now=moment, settings=sandbox.settings)
        batch = find_batch(connection, batch_id, owner.id)
        return batch_object(connection, batch, moment, sandbox.settings)


def delete_batch(request: Request) -> Response:
    """Hide a batch and cancel its running requests; 204. The input file remains."""
    owner, batch_id = inference_account(request), path_id(request, "batch_id")
    sandbox = sandbox_of(request)
    moment = sandbox.now()
    with sandbox.store.write_transaction() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        if batch.status(moment, sandbox.settings) not in TERMINAL | {"finalizing"}:
            cancel_requests(connection, batch, moment)
        connection.execute("UPDATE batches SET deleted_at = ? WHERE pk = ?", (moment, batch.pk))
    return Response(status_code=204)
