"""Collect what the portal, its files, its queue and the provider say at the end of a storm."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import redis

from tests.faults.management_shell import ManagementShell
from tests.faults.orders import Order
from tests.faults.person import Person, patiently
from tests.processes.portal import Portal

PRINT = "from tests.faults import records; records.print_%s()"
PATIENCE_SECONDS = 300  # for the last leases to end and the queue to be worked off
BURNT_READS = 3  # faults of result files are about the first three reads of a key
MAX_QUEUE = 50  # messages: those of a few ticks


@dataclass
class Evidence:
    """JSON values only; lines are texts without their line end."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)  # by the id of the batch
    batches: list[dict[str, Any]] = field(default_factory=list)  # of the portal
    imports: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)  # batches of the provider
    provider_files: dict[str, list[str]] = field(default_factory=dict)  # by the id of the file
    downloads: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # by batch and kind
    standing: list[str] = field(default_factory=list)  # rows that nobody moves
    queue: list[str] = field(default_factory=list)  # what is wrong with the queue
    excesses: list[str] = field(default_factory=list)  # over the slots of a connection


def collect(
    portal: Portal, shell: ManagementShell, person: Person, orders: Mapping[str, Order]
) -> Evidence:
    standing = _wait_until_empty(lambda: json.loads(shell.execute(PRINT % "standing")))
    queue = _wait_until_empty(lambda: [*_queue_troubles(portal)])
    records = json.loads(shell.execute(PRINT % "records"))
    evidence = Evidence(
        orders={batch: asdict(order) for batch, order in orders.items()},
        batches=records["batches"],
        imports=records["imports"],
        ledger=portal.ledger()["batches"],
        standing=standing,
        queue=queue,
    )
    parents = {batch["parent"] for batch in evidence.batches}
    for batch in evidence.batches:
        kinds = ["output", "error"] + ["merged"] * (batch["id"] in parents)
        evidence.downloads[batch["id"]] = {
            kind: person.download(batch["id"], kind) for kind in kinds
        }
        if order := orders.get(batch["id"]):
            evidence.provider_files |= _provider_files(portal, batch, order.key)
    return evidence


def troubles_of(shell: ManagementShell) -> list[str]:
    """Return the provider batches that are not over, to see why a storm does not end."""
    batches = json.loads(shell.execute(PRINT % "records"))["batches"]
    return [
        f"{batch['name']} ({batch['status']}): {row}"
        for batch in batches
        for row in batch["provider_batches"]
        if row["status"] not in {"done", "cancelled"}
    ]


def _wait_until_empty(look: Any) -> list[str]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := look()) and time.monotonic() < deadline:
        time.sleep(1)
    return list(found)


def _provider_files(portal: Portal, batch: dict[str, Any], key: str) -> dict[str, list[str]]:
    """Read the result files with the key of the batch, once its faults are over."""

    def read(file_id: str) -> list[str]:
        content = httpx.get(
            f"{portal.sandbox_url}/v1/files/{file_id}/content",
            headers={"Authorization": f"Bearer {key}"},
            trust_env=False,
            timeout=60,
        ).raise_for_status()
        return content.content.decode(errors="surrogateescape").split("\n")

    files: dict[str, list[str]] = {}
    ids = [row[kind] for row in batch["provider_batches"] for kind in ("output", "error")]
    for file_id in filter(None, ids):
        for _ in range(BURNT_READS if not files else 0):
            patiently(lambda file_id=file_id: _ignoring_cuts(read, file_id))  # type: ignore[misc]
        lines = patiently(lambda file_id=file_id: read(file_id))  # type: ignore[misc]
        files[file_id] = sorted({line for line in lines if line})
    return files


def _ignoring_cuts(read: Any, file_id: str) -> None:
    try:
        read(file_id)
    except httpx.HTTPError:
        time.sleep(0.2)


def _queue_troubles(portal: Portal) -> Iterator[str]:
    """Yield messages that cannot be read, and say so if messages pile up."""
    messages: list[bytes] = []
    if url := portal.env.get("BROKER_URL"):
        with redis.Redis.from_url(url) as broker:
            messages = broker.lrange("celery", 0, -1)  # type: ignore[assignment]
    else:
        for path in (Path(portal.env["DATA_DIR"]) / "queue").rglob("*.msg"):
            try:
                messages.append(path.read_bytes())
            except FileNotFoundError:  # a worker has just taken it
                continue
    if len(messages) > MAX_QUEUE:
        yield f"{len(messages)} messages wait"
    for message in messages:
        try:
            json.loads(message)["headers"]["task"]
        except (ValueError, KeyError, TypeError):
            yield f"a message cannot be read: {message[:200]!r}"
