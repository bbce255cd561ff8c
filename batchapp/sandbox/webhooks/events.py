"""What webhooks are to be told, and when: found in the state of the batches, never announced."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any
from uuid import uuid4

import msgspec

from batchapp.sandbox.batches.progress import Batch, counts
from batchapp.sandbox.faults.switches import Rule
from batchapp.sandbox.settings import Settings

COMPLETED, FAILED = "batch.completed", "batch.failed"
ATTEMPT_DELAYS = (0.0, 5.0, 300.0, 1800.0, 7200.0, 28800.0, 86400.0)
"""How long after an attempt the next one is made."""
MOST_FAILURES = 10
"""In a row; then a webhook is not called any more."""


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery that is due."""

    pk: int
    id: str
    body: str
    attempts: int
    webhook: int
    owner: str
    url: str
    secret: str
    rules: tuple[Rule, ...]


def find_new(connection: sqlite3.Connection, moment: float, settings: Settings) -> None:
    """Write down an event for each webhook and each batch that has ended since it was made."""
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
        wanted = row["event_types"]
        is_wanted = wanted is None or content["type"] in msgspec.json.decode(wanted)
        connection.execute(
            "INSERT INTO webhook_events (id, webhook, batch, settled_at, body, due_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                str(uuid4()),
                row["webhook"],
                batch.pk,
                batch.settled_at,
                msgspec.json.encode(content, order="sorted").decode(),
                at_next_look(noticed_at, settings) if is_wanted else None,
            ),
        )


def due(connection: sqlite3.Connection, moment: float) -> list[Event]:
    """The deliveries to be made, in the order in which they became due."""
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


def record(
    connection: sqlite3.Connection,
    event: Event,
    moment: float,
    settings: Settings,
    *,
    is_delivered: bool,
) -> None:
    """Write down how an attempt went, and when the next one is to be made."""
    attempts, next_at = event.attempts + 1, None
    if not is_delivered and attempts < len(ATTEMPT_DELAYS):
        delay = settings.lasting(ATTEMPT_DELAYS[attempts])
        next_at = at_next_look(moment + delay, settings)
    connection.execute(
        "UPDATE webhook_events SET attempts = ?, due_at = ?, delivered_at = ? WHERE pk = ?",
        (attempts, next_at, moment if is_delivered else None, event.pk),
    )
    connection.execute(
        "UPDATE webhooks SET failures = CASE WHEN :good THEN 0 ELSE failures + 1 END,"
        " is_enabled = is_enabled AND (:good OR failures + 1 < :most) WHERE pk = :pk",
        {"good": is_delivered, "most": MOST_FAILURES, "pk": event.webhook},
    )
    if is_delivered:
        connection.execute(
            "UPDATE webhook_events SET is_held = 0, due_at = ?"
            " WHERE webhook = ? AND is_held AND pk != ?",
            (moment, event.webhook, event.pk),
        )


def postpone(connection: sqlite3.Connection, event: Event, until: float) -> None:
    connection.execute("UPDATE webhook_events SET due_at = ? WHERE pk = ?", (until, event.pk))


def hold(connection: sqlite3.Connection, event: Event) -> bool:
    """Keep an event back until another one was delivered; only one at a time can wait."""
    found = connection.execute(
        "UPDATE webhook_events SET is_held = 1, due_at = NULL WHERE pk = ? AND NOT EXISTS"
        " (SELECT 1 FROM webhook_events WHERE webhook = ? AND is_held)",
        (event.pk, event.webhook),
    )
    return found.rowcount == 1


def at_next_look(moment: float, settings: Settings) -> float:
    """The first look at or after ``moment``; nobody looks in between."""
    step = settings.lasting(settings.webhook_seconds)
    return ceil(moment / step) * step


def rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")


def _content(
    connection: sqlite3.Connection, batch: Batch, noticed_at: float, settings: Settings
) -> dict[str, Any]:
    """An event as the provider writes it, with the prefixes that its API itself does not know."""
    done = counts(connection, batch, noticed_at)
    is_failed = batch.status(noticed_at, settings) == "failed"
    return {
        "type": FAILED if is_failed else COMPLETED,
        "timestamp": rfc3339(noticed_at),
        "data": {
            "batch_id": f"batch_{batch.id}",
            "status": "failed" if is_failed else "completed",
            "request_counts": {
                "total": batch.total,
                "completed": done.completed,
                "failed": done.failed,
                "cancelled": 0,
            },
            "output_file_id": f"file_{batch.output_file_id}",
            "error_file_id": f"file_{batch.error_file_id}",
            "created_at": rfc3339(batch.created_at),
            "finished_at": rfc3339(noticed_at),
        },
    }
