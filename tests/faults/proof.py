"""Whether every batch was paid once, every request has one end and every answer is in storage."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.desk import Desk
from tests.faults.person import Person
from tests.processes.portal import Portal

BOOKS = """
import json
from django.db.models import Count
from batchapp.models import Batch
print(json.dumps([
    {
        "id": str(batch.pk),
        "status": batch.status,
        "cancelled_by_us": batch.cancel_requested_at is not None,
        "requests": batch.requests,
        "counts": [batch.succeeded, batch.failed, batch.cancelled, batch.missing],
        "outcomes": dict(batch.results.order_by().values_list("outcome").annotate(Count("pk"))),
        "rows": batch.results.count(),
        "ids": batch.results.values("custom_id").distinct().count(),
        "provider_batches": [
            {
                "token": row.token,
                "status": row.status,
                "trouble": row.trouble,
                "claims": row.claims,
                "is_held": row.leased_until is not None,
                "output": row.output_file_id,
                "error": row.error_file_id,
            }
            for row in batch.provider_batches.all()
        ],
    }
    for batch in Batch.objects.all()
]))
"""
"""Every batch as the portal's database has it."""

ENDS = {"completed", "failed", "cancelled"}


@dataclass
class Proof:
    """The figures, and ``complaints`` if anything is not as promised."""

    batches: int = 0
    cancelled: int = 0
    requests: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    """Result lines that the provider has, each found in the portal's downloads."""
    paid: int = 0
    complaints: list[str] = field(default_factory=list)


def books(console: Desk) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        console.run("shell", "--no-imports", "--command", BOOKS)
    )
    return found


def proven(portal: Portal, console: Desk, person: Person, keys: Mapping[str, str]) -> Proof:
    """Compare the portal's books and files with the provider's; ``keys`` are by batch ordered."""
    proof, batches, ledger = Proof(), books(console), portal.ledger()
    if {batch["id"] for batch in batches} != set(keys):
        proof.complaints.append(f"{len(keys)} were ordered, there are {len(batches)}")
    paid = ledger["by_metadata"].get("portal_submission", {})
    for batch in batches:
        proof.complaints += [f"batch {batch['id']}: {text}" for text in _faults(batch, paid)]
        for kind in ("output", "error"):
            there = _at_provider(portal, batch, kind, keys[batch["id"]])
            missing = there - set(person.download(batch["id"], kind))
            proof.answers += len(there) - len(missing)
            if missing:
                proof.complaints.append(
                    f"batch {batch['id']}: {len(missing)} of {len(there)} {kind} lines are not "
                    f"in storage, such as {min(missing)[:300]!r}"
                )
        proof.batches += 1
        proof.cancelled += batch["cancelled_by_us"]
        proof.requests += batch["requests"]
        proof.outcomes.update(batch["outcomes"])
    proof.paid = ledger["total"]["paid"]
    tokens = [
        provider_batch["token"]
        for batch in batches
        for provider_batch in batch["provider_batches"]
    ]
    ours = sum(paid[token]["paid"] for token in tokens if token in paid)
    if proof.paid != ours:
        proof.complaints.append(f"{proof.paid} batches were paid, {ours} of them ours")
    return proof


def _faults(batch: dict[str, Any], paid: dict[str, Any]) -> list[str]:
    found = []
    is_cancelled = batch["cancelled_by_us"]
    for provider_batch in batch["provider_batches"]:
        times = paid.get(provider_batch["token"], {"paid": 0})["paid"]
        if times > 1 or (times == 0 and not is_cancelled):
            found.append(f"paid {times} times")
        if (
            provider_batch["status"] not in {"done", "cancelled"}
            or provider_batch["is_held"]
            or provider_batch["claims"]
        ):
            found.append(f"stuck: {provider_batch}")
    if batch["status"] not in ({"completed"} if not is_cancelled else ENDS):
        found.append(f"is {batch['status']}")
    rows = batch["rows"]
    if not batch["requests"] == sum(batch["counts"]) == rows or rows != batch["ids"]:
        found.append(f"requests and outcomes differ: {batch}")
    missing = batch["counts"][3]
    if missing or "pending" in batch["outcomes"] or (batch["counts"][2] and not is_cancelled):
        found.append(f"requests without an answer: {batch}")
    return found


def _at_provider(portal: Portal, batch: dict[str, Any], kind: str, key: str) -> set[bytes]:
    """The lines of a result file, asked for with the batch's own key, whose faults are over."""
    lines: set[bytes] = set()
    for provider_batch in batch["provider_batches"]:
        if file_id := provider_batch[kind]:
            answer = httpx.get(
                f"{portal.sandbox_url}/v1/files/{file_id}/content",
                headers={"Authorization": f"Bearer {key}"},
                trust_env=False,
                timeout=60,
            ).raise_for_status()
            lines.update(line for line in answer.content.splitlines() if line)
    return lines
