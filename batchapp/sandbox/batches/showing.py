"""Batches as the provider shows them, and what can be done to one."""

from typing import Any
from uuid import UUID

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import Account, account
from batchapp.sandbox.api.errors import json_response, refused
from batchapp.sandbox.api.parameters import identifier, json_body
from batchapp.sandbox.batches.cancelling import (
    cancel_batch,
    failed_lines,
    run_again,
    unsuccessful_lines,
)
from batchapp.sandbox.batches.objects import batch_object, find_batch
from batchapp.sandbox.batches.progress import TERMINAL, Batch, split_request_id
from batchapp.sandbox.state import Sandbox, now, sandbox_of


def get_batch(request: Request) -> Response:
    """One batch. Looking at it writes down that it has finished, as the provider does."""
    owner, batch_id = account(request), identifier(request, "batch_id")
    sandbox, moment = sandbox_of(request), now()
    with sandbox.store.reading() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        content = batch_object(connection, batch, moment, sandbox.settings, has_context=True)
    if not batch.is_to_be_finalized(moment):
        return json_response(content)
    with sandbox.store.writing() as connection:
        connection.execute(
            "UPDATE batches SET finalized_at = ? WHERE pk = ?"
            " AND finalized_at IS NULL AND cancelled_at IS NULL AND settled_at <= ?",
            (moment, batch.pk, moment),
        )
        batch = find_batch(connection, batch_id, owner.id)
        content = batch_object(connection, batch, moment, sandbox.settings, has_context=True)
    return json_response(content)


def cancel(request: Request) -> Response:
    """Stop a batch; 200 in any state, and a finished batch becomes ``cancelled``."""
    owner, batch_id = account(request), identifier(request, "batch_id")
    sandbox, moment = sandbox_of(request), now()
    with sandbox.store.writing() as connection:
        cancel_batch(connection, find_batch(connection, batch_id, owner.id), moment)
        batch = find_batch(connection, batch_id, owner.id)
        return json_response(batch_object(connection, batch, moment, sandbox.settings))


def retry(request: Request) -> Response:
    """Run again what failed or was cancelled; what succeeded is kept."""
    owner, batch_id = account(request), identifier(request, "batch_id")
    sandbox, moment = sandbox_of(request), now()
    with sandbox.store.writing() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        lines = unsuccessful_lines(connection, batch, moment)
        if not lines and batch.cancelled_at is None:
            raise refused(
                400,
                "Nothing to retry: no failed or canceled requests, and the batch is not cancelled",
            )
        run_again(connection, batch, lines, now=moment, settings=sandbox.settings)
        batch = find_batch(connection, batch_id, owner.id)
        return json_response(batch_object(connection, batch, moment, sandbox.settings))


class RequestIds(msgspec.Struct):
    request_ids: list[str]


_REQUEST_IDS = msgspec.json.Decoder(RequestIds)


async def retry_requests(request: Request) -> Response:
    """Run some failed requests again; ids that do not fit are passed over in silence."""
    owner, batch_id = account(request), identifier(request, "batch_id")
    sandbox = sandbox_of(request)
    wanted = await json_body(request, _REQUEST_IDS, sandbox.settings)
    content = await run_in_threadpool(
        _retry_requests, sandbox, owner, batch_id, wanted.request_ids
    )
    return json_response(content)


def _retry_requests(
    sandbox: Sandbox, owner: Account, batch_id: str, request_ids: list[str]
) -> dict[str, Any]:
    lines: dict[str, list[int]] = {}
    for request_id in request_ids:
        try:
            beginning, line = split_request_id(UUID(request_id))
        except ValueError:
            continue
        lines.setdefault(beginning, []).append(line)
    moment = now()
    with sandbox.store.writing() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        if not lines:
            raise refused(400, "No valid request IDs provided")
        for beginning, numbers in lines.items():
            # The provider does not ask whether the ids belong to the batch in the path.
            row = connection.execute(
                "SELECT * FROM batches WHERE owner = ? AND id LIKE ? AND deleted_at IS NULL",
                (owner.id, f"{beginning}%"),
            ).fetchone()
            if row is None:
                continue
            theirs = Batch.from_row(row)
            failed = failed_lines(connection, theirs, numbers, moment)
            if failed:
                run_again(connection, theirs, failed, now=moment, settings=sandbox.settings)
        batch = find_batch(connection, batch_id, owner.id)
        return batch_object(connection, batch, moment, sandbox.settings)


def delete(request: Request) -> Response:
    """Hide a batch and stop it if it is running; 204. Its input file stays."""
    owner, batch_id = account(request), identifier(request, "batch_id")
    sandbox, moment = sandbox_of(request), now()
    with sandbox.store.writing() as connection:
        batch = find_batch(connection, batch_id, owner.id)
        if batch.status(moment, sandbox.settings) not in TERMINAL | {"finalizing"}:
            cancel_batch(connection, batch, moment)
        connection.execute("UPDATE batches SET deleted_at = ? WHERE pk = ?", (moment, batch.pk))
    return Response(status_code=204)
