"""The control API under ``/_sandbox``: faults and the ledger, for clients on this host only."""

import ipaddress
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from batchapp.sandbox.accounts import account_id, bearer_key
from batchapp.sandbox.api.errors import ApiError, json_response
from batchapp.sandbox.api.parameters import json_body
from batchapp.sandbox.context import sandbox_of
from batchapp.sandbox.faults.kinds import KINDS
from batchapp.sandbox.faults.switches import RuleSpec, SwitchError, parse_rule
from batchapp.sandbox.ledger import ledger


class NewFaults(msgspec.Struct, forbid_unknown_fields=True):
    faults: list[RuleSpec | str]


_NEW_FAULTS = msgspec.json.Decoder(NewFaults)


def show_ledger(request: Request) -> Response:
    """Return all batches, or with an inference key only the batches of its account."""
    _check_origin(request)
    sandbox, key = sandbox_of(request), bearer_key(request)
    with sandbox.store.read_transaction() as connection:
        account = account_id(key) if key else None
        return json_response(ledger(connection, sandbox.now(), sandbox.settings, account))


def list_faults(request: Request) -> Response:
    _check_origin(request)
    faults = sandbox_of(request).faults
    return json_response({"seed": faults.seed, "faults": faults.describe(), "kinds": _kinds()})


async def add_faults(request: Request) -> Response:
    """Activate all rules of ``{"faults": [...]}``, or none if one is invalid."""
    _check_origin(request)
    sandbox = sandbox_of(request)
    new_faults = await json_body(request, _NEW_FAULTS, sandbox.settings)
    try:
        rules = [parse_rule(spec) for spec in new_faults.faults]
    except SwitchError as exc:
        raise ApiError(PlainTextResponse(str(exc), 400)) from exc
    await run_in_threadpool(sandbox.faults.add, rules, sandbox.now())
    return json_response({"added": [rule.id for rule in rules]}, 201)


def clear_faults(request: Request) -> Response:
    _check_origin(request)
    sandbox_of(request).faults.clear()
    return Response(status_code=204)


def _check_origin(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise HTTPException(404)


def _kinds() -> dict[str, dict[str, Any]]:
    return {
        name: {"calls": kind.calls, "value": kind.value, "meaning": kind.meaning}
        for name, kind in KINDS.items()
    }
