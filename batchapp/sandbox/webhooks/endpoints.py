"""Webhooks of the management API: who is told when a batch of an account has ended."""

import base64
import secrets
import sqlite3
from typing import Any
from uuid import uuid4

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import platform_account, watched_account, watched_key
from batchapp.sandbox.api.errors import json_response, refused
from batchapp.sandbox.api.parameters import identifier, json_body
from batchapp.sandbox.faults.switches import rules_of_key
from batchapp.sandbox.state import now, sandbox_of
from batchapp.sandbox.webhooks.events import COMPLETED, FAILED, rfc3339

LOCAL_ADDRESSES = ("http://localhost", "http://127.0.0.1")


class NewWebhook(msgspec.Struct):
    url: str
    event_types: list[str] | None = None
    description: str | None = None


class Change(msgspec.Struct):
    url: str | None = None
    event_types: list[str] | None = None
    description: str | None = None
    enabled: bool | None = None


_NEW = msgspec.json.Decoder(NewWebhook)
_CHANGE = msgspec.json.Decoder(Change)


async def create(request: Request) -> Response:
    """Register a webhook; 201. Its secret is shown now and never again.

    It tells of the batches of ``sk-NAME`` if it was registered with ``pk-NAME``.
    """
    user = _user(request)
    sandbox = sandbox_of(request)
    wanted = await json_body(request, _NEW, sandbox.settings)
    _check(wanted.url, wanted.event_types)
    columns = {
        "id": str(uuid4()),
        "user": user,
        "owner": watched_account(request),
        "rules": msgspec.json.encode(_delivery_rules(request)).decode(),
        "url": wanted.url,
        "event_types": _stored_types(wanted.event_types),
        "description": wanted.description,
        "secret": new_secret(),
        "is_enabled": True,
        "failures": 0,
        "created_at": now(),
    }

    def insert() -> sqlite3.Row:
        with sandbox.store.writing() as connection:
            connection.execute(
                f"INSERT INTO webhooks ({', '.join(columns)})"  # noqa: S608  # our own names
                f" VALUES ({', '.join('?' * len(columns))})",
                tuple(columns.values()),
            )
            return _find(connection, columns["id"], user)

    row = await run_in_threadpool(insert)
    request.app.state.deliveries.begin()
    return json_response(_shown(row) | {"secret": row["secret"]}, 201)


def list_webhooks(request: Request) -> Response:
    user = _user(request)
    with sandbox_of(request).store.reading() as connection:
        rows = connection.execute("SELECT * FROM webhooks WHERE user = ? ORDER BY pk", (user,))
        return json_response([_shown(row) for row in rows])


def get(request: Request) -> Response:
    user, webhook_id = _user(request), identifier(request, "webhook_id")
    with sandbox_of(request).store.reading() as connection:
        return json_response(_shown(_find(connection, webhook_id, user)))


async def change(request: Request) -> Response:
    """Change what is named. Enabling a webhook forgets its failures."""
    user, webhook_id = _user(request), identifier(request, "webhook_id")
    sandbox = sandbox_of(request)
    wanted = await json_body(request, _CHANGE, sandbox.settings)
    _check(wanted.url, wanted.event_types)
    values = {
        "url": wanted.url,
        "event_types": _stored_types(wanted.event_types),
        "description": wanted.description,
        "is_enabled": wanted.enabled,
        "failures": 0 if wanted.enabled else None,
    }

    def update() -> sqlite3.Row:
        with sandbox.store.writing() as connection:
            row = _find(connection, webhook_id, user)
            for column, value in values.items():
                if value is not None:
                    connection.execute(
                        f"UPDATE webhooks SET {column} = ? WHERE pk = ?",  # noqa: S608
                        (value, row["pk"]),
                    )
            return _find(connection, webhook_id, user)

    return json_response(_shown(await run_in_threadpool(update)))


def delete(request: Request) -> Response:
    user, webhook_id = _user(request), identifier(request, "webhook_id")
    with sandbox_of(request).store.writing() as connection:
        row = _find(connection, webhook_id, user)
        connection.execute("DELETE FROM webhook_events WHERE webhook = ?", (row["pk"],))
        connection.execute("DELETE FROM webhooks WHERE pk = ?", (row["pk"],))
    return Response(status_code=204)


def rotate(request: Request) -> Response:
    """Give a new secret; the old one signs nothing any more."""
    user, webhook_id = _user(request), identifier(request, "webhook_id")
    with sandbox_of(request).store.writing() as connection:
        row = _find(connection, webhook_id, user)
        connection.execute(
            "UPDATE webhooks SET secret = ? WHERE pk = ?", (new_secret(), row["pk"])
        )
        row = _find(connection, webhook_id, user)
        return json_response(_shown(row) | {"secret": row["secret"]})


def new_secret() -> str:
    """A secret as the Standard Webhooks write it."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _user(request: Request) -> str:
    """The caller, if the path speaks of the caller and of nobody else."""
    user = platform_account(request)
    if request.path_params["user_id"] not in {"current", user.id, watched_account(request)}:
        raise refused(404, "User not found")
    return user.id


def _find(connection: sqlite3.Connection, webhook_id: object, user: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM webhooks WHERE id = ? AND user = ?", (webhook_id, user)
    ).fetchone()
    if row is None:
        raise refused(404, f"Webhook with ID {webhook_id} not found")
    return row


def _check(url: str | None, event_types: list[str] | None) -> None:
    if url is not None and not url.startswith(("https://", *LOCAL_ADDRESSES)):
        raise refused(400, "Webhook URL must use HTTPS")
    for event_type in event_types or []:
        if event_type not in {COMPLETED, FAILED}:
            raise refused(400, f"Unknown event type '{event_type}'")


def _stored_types(event_types: list[str] | None) -> str | None:
    return None if event_types is None else msgspec.json.encode(event_types).decode()


def _delivery_rules(request: Request) -> list[Any]:
    """The faults of deliveries in the key; with the key itself they would be gone."""
    rules = rules_of_key(watched_key(request))
    return [rule for rule in rules if "webhook" in rule.calls]


def _shown(row: sqlite3.Row) -> dict[str, Any]:
    types = row["event_types"]
    return {
        "id": row["id"],
        "url": row["url"],
        "enabled": bool(row["is_enabled"]),
        "event_types": None if types is None else msgspec.json.decode(types),
        "description": row["description"],
        "scope": "own",
        "created_at": rfc3339(row["created_at"]),
    }
