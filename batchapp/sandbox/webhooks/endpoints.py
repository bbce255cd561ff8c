"""Webhook endpoints of the management API."""

import base64
import secrets
import sqlite3
from typing import Any
from uuid import uuid4

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from batchapp.sandbox.accounts import linked_account_id, linked_inference_key, platform_account
from batchapp.sandbox.api.errors import json_response, text_error
from batchapp.sandbox.api.parameters import json_body, path_id
from batchapp.sandbox.context import sandbox_of
from batchapp.sandbox.faults.switches import parse_key_rules
from batchapp.sandbox.store import insert_row
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


async def create_webhook(request: Request) -> Response:
    """Register a webhook; 201. Only this response and ``rotate-secret`` contain the secret.

    A webhook of ``pk-NAME`` receives events about the batches of ``sk-NAME``.
    """
    user = _user_id(request)
    sandbox = sandbox_of(request)
    new_webhook = await json_body(request, _NEW, sandbox.settings)
    _check_fields(new_webhook.url, new_webhook.event_types)
    columns = {
        "id": str(uuid4()),
        "user": user,
        "owner": linked_account_id(request),
        "rules": msgspec.json.encode(_delivery_rules(request)).decode(),
        "url": new_webhook.url,
        "event_types": _encode_event_types(new_webhook.event_types),
        "description": new_webhook.description,
        "secret": new_secret(),
        "is_enabled": True,
        "failures": 0,
        "created_at": sandbox.now(),
    }

    def insert() -> sqlite3.Row:
        with sandbox.store.write_transaction() as connection:
            insert_row(connection, "webhooks", columns)
            return _find_webhook(connection, columns["id"], user)

    row = await run_in_threadpool(insert)
    request.app.state.deliveries.start()
    return json_response(_webhook_object(row) | {"secret": row["secret"]}, 201)


def list_webhooks(request: Request) -> Response:
    user = _user_id(request)
    with sandbox_of(request).store.read_transaction() as connection:
        rows = connection.execute("SELECT * FROM webhooks WHERE user = ? ORDER BY pk", (user,))
        return json_response([_webhook_object(row) for row in rows])


def get_webhook(request: Request) -> Response:
    user, webhook_id = _user_id(request), path_id(request, "webhook_id")
    with sandbox_of(request).store.read_transaction() as connection:
        return json_response(_webhook_object(_find_webhook(connection, webhook_id, user)))


async def update_webhook(request: Request) -> Response:
    """Change the fields in the body. Enabling a webhook resets its count of failures."""
    user, webhook_id = _user_id(request), path_id(request, "webhook_id")
    sandbox = sandbox_of(request)
    change = await json_body(request, _CHANGE, sandbox.settings)
    _check_fields(change.url, change.event_types)
    values = {
        "url": change.url,
        "event_types": _encode_event_types(change.event_types),
        "description": change.description,
        "is_enabled": change.enabled,
        "failures": 0 if change.enabled else None,
    }

    def update() -> sqlite3.Row:
        with sandbox.store.write_transaction() as connection:
            row = _find_webhook(connection, webhook_id, user)
            for column, value in values.items():
                if value is not None:
                    connection.execute(
                        f"UPDATE webhooks SET {column} = ? WHERE pk = ?",  # noqa: S608
                        (value, row["pk"]),
                    )
            return _find_webhook(connection, webhook_id, user)

    return json_response(_webhook_object(await run_in_threadpool(update)))


def delete_webhook(request: Request) -> Response:
    user, webhook_id = _user_id(request), path_id(request, "webhook_id")
    with sandbox_of(request).store.write_transaction() as connection:
        row = _find_webhook(connection, webhook_id, user)
        connection.execute("DELETE FROM webhook_events WHERE webhook = ?", (row["pk"],))
        connection.execute("DELETE FROM webhooks WHERE pk = ?", (row["pk"],))
    return Response(status_code=204)


def rotate_secret(request: Request) -> Response:
    """Replace the secret at once, also for deliveries that are retried."""
    user, webhook_id = _user_id(request), path_id(request, "webhook_id")
    with sandbox_of(request).store.write_transaction() as connection:
        row = _find_webhook(connection, webhook_id, user)
        connection.execute(
            "UPDATE webhooks SET secret = ? WHERE pk = ?", (new_secret(), row["pk"])
        )
        row = _find_webhook(connection, webhook_id, user)
        return json_response(_webhook_object(row) | {"secret": row["secret"]})


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _user_id(request: Request) -> str:
    """Return the id of the caller, who must be the user in the path."""
    user = platform_account(request)
    if request.path_params["user_id"] not in {"current", user.id, linked_account_id(request)}:
        raise text_error(404, "User not found")
    return user.id


def _find_webhook(connection: sqlite3.Connection, webhook_id: object, user: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM webhooks WHERE id = ? AND user = ?", (webhook_id, user)
    ).fetchone()
    if row is None:
        raise text_error(404, f"Webhook with ID {webhook_id} not found")
    return row


def _check_fields(url: str | None, event_types: list[str] | None) -> None:
    if url is not None and not url.startswith(("https://", *LOCAL_ADDRESSES)):
        raise text_error(400, "Webhook URL must use HTTPS")
    for event_type in event_types or []:
        if event_type not in {COMPLETED, FAILED}:
            raise text_error(400, f"Unknown event type '{event_type}'")


def _encode_event_types(event_types: list[str] | None) -> str | None:
    return None if event_types is None else msgspec.json.encode(event_types).decode()


def _delivery_rules(request: Request) -> list[Any]:
    """Return the webhook faults in the key, which are stored because the key is not."""
    rules = parse_key_rules(linked_inference_key(request))
    return [rule for rule in rules if "webhook" in rule.calls]


def _webhook_object(row: sqlite3.Row) -> dict[str, Any]:
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
