"""The proof of a storm accepts right evidence, and sees every forgery of it."""

import copy
import json
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from batchapp.sandbox.accounts import account_id
from tests.faults.evidence import Evidence
from tests.faults.forgeries import FORGERIES
from tests.faults.orders import ELSEWHERE_KEY, SHAPES, Order
from tests.faults.proof import TOKEN_KEY, judge
from tests.faults.slot_watch import excesses_in

PRICES = {"24h": ("0.05", "0.20"), "1h": ("0.07", "0.30")}  # USD per million tokens, in and out
TOKENS = 9, 30  # of each answer, in and out
COUNTED = {"ok": "completed", "provider_error": "failed"}


def add_batch(
    evidence: Evidence,
    name: str,
    shape: str,
    parts: Sequence[Sequence[str]],
    *,
    window: str = "24h",
    parent: str = "",
) -> dict[str, Any]:
    """Add a batch to both sides; ``parts`` are the outcomes in its provider batches."""
    is_import = shape == "imported"
    outcomes = Counter(outcome for part in parts for outcome in part)
    order = Order(
        name=name,
        key=f"sk-{name}",
        shape=shape,
        action="nothing",
        window=SHAPES[shape].window if shape in SHAPES else window,
        fallback=SHAPES[shape].fallback if shape in SHAPES else "",
        requests=outcomes.total(),
        max_requests=2 if len(parts) > 1 else None,
        parent=parent,
        remote_id=f"{name}-0" if is_import else "",
    )
    batch: dict[str, Any] = {
        "id": name,
        "name": name,
        "parent": parent or None,
        "created_at": float(len(evidence.batches)),
        "status": "cancelled" if outcomes["cancelled"] else "completed",
        "is_cancel_requested": outcomes["cancelled"] > 0,
        "window": window,
        "requests": outcomes.total(),
        "counts": [outcomes["ok"], outcomes["provider_error"], outcomes["cancelled"], 0],
        "tokens": [outcomes["ok"] * number for number in TOKENS],
        "cost": str(cost(window, outcomes["ok"])),
        "model_costs": [str(cost(window, outcomes["ok"]))],
        "billed": None,
        "provider_batches": [],
        "results": [],
    }
    evidence.orders[name] = vars(order)
    evidence.batches.append(batch)
    evidence.downloads[name] = {"output": [], "error": []}
    if is_import:
        evidence.imports.append({"remote_id": f"{name}-0", "status": "done", "batch_id": name})
    for number, part in enumerate(parts):
        add_provider_batch(evidence, batch, f"{name}-{number}", part, is_import=is_import)
    return batch


def add_provider_batch(
    evidence: Evidence, batch: dict[str, Any], pk: str, part: Sequence[str], *, is_import: bool
) -> None:
    outcomes = Counter(part)
    row = {"token": f"token-{pk}", "remote_id": pk, "status": "done", "total": len(part)}
    row |= {"parked_reason": "", "claims": 0, "is_leased": False, "was_retried_in_place": False}
    batch["provider_batches"].append(row | {"output": f"{pk}-output", "error": f"{pk}-error"})
    evidence.ledger.append(
        {
            "id": pk,
            "metadata": {ELSEWHERE_KEY: pk} if is_import else {TOKEN_KEY: f"token-{pk}"},
            "completion_window": batch["window"],
            "is_deleted": False,
            "status": batch["status"],
            "requests": len(part),
            "completed": outcomes["ok"],
            "failed": outcomes["provider_error"],
            "is_paid": outcomes["ok"] > 0,
            "cost_usd": str(cost(batch["window"], outcomes["ok"])),
        }
    )
    for outcome in part:
        number = len(batch["results"])
        root = batch["parent"] or batch["name"]
        result = {"line": number + 1, "custom_id": f"{root}-{number}", "outcome": outcome}
        result |= dict.fromkeys(["input_tokens", "output_tokens", "retried"])
        result |= {"token": f"token-{pk}", "line_id": ""}
        if outcome == "ok":
            result |= {"input_tokens": TOKENS[0], "output_tokens": TOKENS[1]}
        if outcome != "cancelled":
            result["line_id"] = f"line-{pk}-{number}"
            kind = "output" if outcome == "ok" else "error"
            line = result_line(result)
            evidence.provider_files.setdefault(f"{pk}-{kind}", []).append(line)
            evidence.downloads[batch["id"]][kind].append(line)
        batch["results"].append(result)
    for kind in ("output", "error"):
        evidence.provider_files.setdefault(f"{pk}-{kind}", [])


def result_line(result: dict[str, Any]) -> str:
    usage = {"prompt_tokens": TOKENS[0], "completion_tokens": TOKENS[1]}
    response = {"body": {"usage": usage}} if result["outcome"] == "ok" else None
    line = {"id": result["line_id"] or None, "custom_id": result["custom_id"]}
    return json.dumps(line | {"response": response})


def cost(window: str, answers: int) -> Decimal:
    prices = [Decimal(price) for price in PRICES[window]]
    return sum((n * p for n, p in zip(TOKENS, prices, strict=True)), Decimal(0)) * answers / 10**6


@pytest.fixture
def evidence() -> Evidence:
    """Evidence of one batch of each kind, in which all is right."""
    evidence = Evidence()
    add_batch(evidence, "plain", "plain", [["ok", "ok", "provider_error"]])
    add_batch(evidence, "split", "split", [["ok", "ok"], ["ok", "provider_error"], ["ok"]])
    add_batch(evidence, "moved", "fallback", [["ok", "ok"]])
    add_batch(evidence, "imported", "imported", [["ok", "provider_error"]])
    parent = add_batch(evidence, "parent", "plain", [["cancelled", "provider_error", "ok"]])
    retry = add_batch(evidence, "retry", "retry", [["ok", "provider_error"]], parent="parent")
    parent["results"][0]["retried"] = ["retry", "parent-0"]
    best = [retry["results"][0], retry["results"][1], parent["results"][2]]
    evidence.downloads["parent"]["merged"] = [result_line(result) for result in best]
    return evidence


def test_the_proof_accepts_what_is_right(evidence: Evidence) -> None:
    proof = judge(evidence)

    assert proof.complaints == []
    assert (proof.batches, proof.provider_batches, proof.paid) == (6, 8, 8)
    assert proof.kinds["split into several"] == 1
    assert proof.kinds["moved to the fallback window"] == 1
    assert proof.kinds["answers merged from a retry"] == 1
    assert proof.duplicates == 0


def test_a_duplicate_that_was_cancelled_before_it_answered_is_no_second_payment(
    evidence: Evidence,
) -> None:
    cancelled = {"status": "cancelled", "completed": 0, "is_paid": False, "cost_usd": "0"}
    evidence.ledger.append(evidence.ledger[0] | {"id": "duplicate"} | cancelled)

    proof = judge(evidence)

    assert proof.complaints == []
    assert proof.duplicates == 1


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__)
def test_the_proof_sees_each_forgery(
    evidence: Evidence, forge: Callable[[Evidence], None]
) -> None:
    forged = copy.deepcopy(evidence)
    forge(forged)

    assert judge(forged).complaints


def test_more_batches_at_work_than_slots_are_seen() -> None:
    keys = ["sk-a", "sk-b", "sk-c"]
    orders = [
        Order(key, key, shape, "nothing", "24h", "", 1)
        for key, shape in zip(keys, ["slots", "slots", "plain"], strict=True)
    ]
    ledger = [{"account": account_id(key), "status": "in_progress"} for key in keys]

    assert excesses_in(ledger, orders) == ["One slot had 2 batches in 1 slots"]
    assert excesses_in(ledger[1:], orders) == []
