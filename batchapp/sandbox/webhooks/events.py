"""Webhook events and their delivery times, derived from the state of the batches."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any
from uuid import uuid4

import msgspec

from batchapp.sandbox.batches.progress import Batch, request_counts
from batchapp.sandbox.faults.switches import Rule
from batchapp.sandbox.settings import Settings

COMPLETED, FAILED = "batch.completed", "batch.failed"
ATTEMPT_DELAYS = (0.0, 5.0, 300.0, 1800.0, 7200.0, 28800.0, 86400.0)  # seconds between attempts
MAX_FAILURES = 10  # in a row; then the webhook is disabled


@dataclass(frozen=True, slots=True)
class Event:
    """One due delivery."""

    pk: int
    id: str
    body: str
    attempts: int
    webhook: int
    owner: str
    url: str
    secret: str
    rules: tuple[Rule, ...]


def record_new_events(connection: sqlite3.Connection, moment: float, settings: Settings) -> None:
    """Insert an event for each webhook and each batch that ended after its registration."""
    rows = connection.execute(
        "SELECT batches.*, webhooks.pk AS webhook, webhooks.event_types"
        " FROM webhooks JOIN batches USING (owner)"
        " WHERE is_enabled AND batches.settled_at BETWEEN webhooks.created_at AND ?"
        " AND cancelled_at IS NULL AND deleted_at IS NULL AND NOT EXISTS ("
        "   SELECT 1 FROM webhook_events WHERE webhook = webhooks.pk"
        "   AND batch = batches.pk AND settled_at = batches.settled_at)"
        " ORDER BY batches.settled_at, webhooks.pk",
        (moment,),
    ).fetchall()
    for row in rows:
        batch = Batch.from_row(row)
        noticed_at = batch.finished_at(moment, settings)
        if noticed_at is None:
            continue
        content = _content(connection, batch, noticed_at, settings)
        types = row["event_types"]
        is_subscribed = types is None or content["type"] in msgspec.json.decode(types)
        connection.execute(
            "INSERT INTO webhook_events (id, webhook, batch, settled_at, body, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                str(uuid4()),
                row["webhook"],
                batch.pk,
                batch.settled_at,
                msgspec.json.encode(content, order="sorted").decode(),
                next_search_at(noticed_at, settings) if is_subscribed else None,
            ),
        )


def due_events(connection: sqlite3.Connection, moment: float) -> list[Event]:
    """Return the due deliveries, the earliest first."""
    rows = connection.execute(
        "SELECT e.pk, e.id, e.body, e.attempts, e.webhook, w.owner, w.url, w.secret, w.rules"
        " FROM webhook_events AS e JOIN webhooks AS w ON w.pk = e.webhook"
        " WHERE due_at <= ? AND is_enabled ORDER BY due_at, e.pk",
        (moment,),
    )
    return [
        Event(**{**dict(row), "rules": msgspec.json.decode(row["rules"], type=tuple[Rule, ...])})
        for row in rows
    ]


def record_attempt(
    connection: sqlite3.Connection,
    event: Event,
    moment: float,
    settings: Settings,
    *,
    is_delivered: bool,
) -> None:
    """Store the result of an attempt and the time of the next one."""
    attempts, next_at = event.attempts + 1, None
    if not is_delivered and attempts < len(ATTEMPT_DELAYS):
        delay = settings.scaled_seconds(ATTEMPT_DELAYS[attempts])
        next_at = next_search_at(moment + delay, settings)
    connection.execute(
        "UPDATE webhook_events SET attempts = ?, due_at = ?, delivered_at = ? WHERE pk = ?",
        (attempts, next_at, moment if is_delivered else None, event.pk),
    )
    connection.execute(
        "UPDATE webhooks SET failures = CASE WHEN :success THEN 0 ELSE failures + 1 END,"
        " is_enabled = is_enabled AND (:success OR failures + 1 < :limit) WHERE pk = :pk",
        {"success": is_delivered, "limit": MAX_FAILURES, "pk": event.webhook},
    )
    if is_delivered:
        connection.execute(
            "UPDATE webhook_events SET is_held = 0, due_at = ?"
            " WHERE webhook = ? AND is_held AND pk != ?",
            (moment, event.webhook, event.pk),
        )


def postpone_event(connection: sqlite3.Connection, event: Event, until: float) -> None:
    connection.execute("UPDATE webhook_events SET due_at = ? WHERE pk = ?", (until, event.pk))


def hold_event(connection: sqlite3.Connection, event: Event) -> bool:
    """Hold an event until another one was delivered; return False if one is held already."""
    cursor = connection.execute(
        "UPDATE webhook_events SET is_held = 1, due_at = NULL WHERE pk = ? AND NOT EXISTS"
        " (SELECT 1 FROM webhook_events WHERE webhook = ? AND is_held)",
        (event.pk, event.webhook),
    )
    return cursor.rowcount == 1


def next_search_at(moment: float, settings: Settings) -> float:
    """Return the time of the first search for events at or after ``moment``."""
    step = settings.scaled_seconds(settings.webhook_seconds)
    return ceil(moment / step) * step


def rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def _content(
    connection: sqlite3.Connection, batch: Batch, noticed_at: float, settings: Settings
) -> dict[str, Any]:
    """Return the event. Its ids have prefixes that the ids in the API do not have."""
    counts = request_counts(connection, batch, noticed_at)
    is_failed = batch.status(noticed_at, settings) == "failed"
    return {
        "type": FAILED if is_failed else COMPLETED,
        "timestamp": rfc3339(noticed_at),
        "data": {
            "batch_id": f"batch_{batch.id}",
            "status": "failed" if is_failed else "completed",
            "request_counts": {
                "total": batch.total,
                "completed": counts.completed,
                "failed": counts.failed,
                "cancelled": 0,
            },
            "output_file_id": f"file_{batch.output_file_id}",
            "error_file_id": f"file_{batch.error_file_id}",
            "created_at": rfc3339(batch.created_at),
            "finished_at": rfc3339(noticed_at),
        },
    }
