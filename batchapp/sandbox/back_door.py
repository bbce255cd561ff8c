"""``/_sandbox``: what proofs and people may do behind the provider's back, from this host only."""

import ipaddress
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from batchapp.sandbox.accounts import account_id, bearer
from batchapp.sandbox.api.errors import ApiError, json_response
from batchapp.sandbox.api.parameters import json_body
from batchapp.sandbox.faults.kinds import KINDS
from batchapp.sandbox.faults.switches import SwitchError, Wish, rule_of
from batchapp.sandbox.ledger import ledger
from batchapp.sandbox.state import now, sandbox_of


class NewFaults(msgspec.Struct, forbid_unknown_fields=True):
    faults: list[Wish | str]


_NEW_FAULTS = msgspec.json.Decoder(NewFaults)


def show_ledger(request: Request) -> Response:
    """Every batch; with an inference key, only those of its account."""
    _check_origin(request)
    sandbox, key = sandbox_of(request), bearer(request)
    with sandbox.store.reading() as connection:
        account = account_id(key) if key else None
        return json_response(ledger(connection, now(), sandbox.settings, account))


def list_faults(request: Request) -> Response:
    _check_origin(request)
    book = sandbox_of(request).book
    return json_response({"seed": book.seed, "faults": book.listing(), "kinds": _kinds()})


async def add_faults(request: Request) -> Response:
    """Put ``{"faults": [...]}`` in force, each a switch or an object; all of them or none."""
    _check_origin(request)
    sandbox = sandbox_of(request)
    wanted = await json_body(request, _NEW_FAULTS, sandbox.settings)
    try:
        rules = [rule_of(wish) for wish in wanted.faults]
    except SwitchError as exc:
        raise ApiError(PlainTextResponse(str(exc), 400)) from exc
    await run_in_threadpool(sandbox.book.add, rules, now())
    return json_response({"added": [rule.id for rule in rules]}, 201)


def clear_faults(request: Request) -> Response:
    _check_origin(request)
    sandbox_of(request).book.clear()
    return Response(status_code=204)


def _check_origin(request: Request) -> None:
    host = request.client.host if request.client else ""
    try:
        is_here = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_here = False
    if not is_here:
        raise HTTPException(404)


def _kinds() -> dict[str, dict[str, Any]]:
    return {
        name: {"calls": kind.calls, "value": kind.value, "meaning": kind.meaning}
        for name, kind in KINDS.items()
    }
