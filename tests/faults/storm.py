"""Batches go through a provider that misbehaves while processes are killed; then all is counted.

The seed decides every fault and every kill, so that a failure can be played again.
"""

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.processes.portal import Portal, until

FAULTS = [
    "lost-reply/create#1~lost-reply/upload#1",
    "lost-request/create#1~error/batch,batches#20%",
    "error-after/create#1~html/batch,batches#1,3",
    "repeat=20~swap#1-3~cut#1",
    "wrong-types/batches#1~unknown-status/batches#2~lag=3",
    "unavailable/upload#1~empty/batch,batches#2~counts-back#2",
]
"""What the provider does to each key in turn; "" would be one that behaves."""

VICTIMS = ("worker", "worker", "beat", "web", "sandbox")
"""Who is killed; workers twice as often, since they hold the leases."""

STATE = """
import json
from batchapp.models import Batch
print(json.dumps([
    {"id": str(b.pk), "status": b.status, "requests": b.requests,
     "ended": b.succeeded + b.failed + b.cancelled + b.missing, "missing": b.missing,
     "ledger": b.results.count(), "tokens": [p.token for p in b.parts.all()],
     "parts": [p.status + " " + p.trouble for p in b.parts.all()],
     "lines": sum(s.lines for p in b.parts.all() for s in p.segments.all())}
    for b in Batch.objects.all()
]))
"""


@dataclass
class Storm:
    """What came of it."""

    batches: list[dict[str, Any]] = field(default_factory=list)
    ledger: dict[str, Any] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)
    struck: int = 0
    seconds: float = 0.0


def storm(portal: Portal, *, batches: int, kills: int, requests: int, seed: int) -> Storm:
    """Order ``batches``, kill ``kills`` processes at instants that ``seed`` chooses, and wait."""
    chance, started = random.Random(seed), time.monotonic()
    found = Storm()
    for number in range(batches):
        _order(portal, number, requests, chance)
    for _ in range(kills):
        time.sleep(chance.uniform(0.2, 2.5))
        victim = chance.choice(VICTIMS)
        if victim in portal.started:
            portal.kill(victim)
            found.killed[victim] += 1
    until(lambda: _are_over(portal, batches), "all batches to be over", portal.tail)
    found.batches = _state(portal)
    found.ledger = portal.ledger()
    found.struck = portal.faults_struck()
    found.seconds = time.monotonic() - started
    return found


def _order(portal: Portal, number: int, requests: int, chance: random.Random) -> None:
    faults = FAULTS[number % len(FAULTS)]
    name = f"storm{number}"
    portal.bootstrap(key=f"sk-{name}-{chance.getrandbits(32)}~{faults}~slow=0/read", project=name)
    portal.manage("shell", "--no-imports", "--command", SHORT_GRACE)
    file = Path(portal.env["DATA_DIR"]) / f"{name}.jsonl"
    file.write_text("".join(_line(name, n) for n in range(requests)))
    portal.manage("run", str(file), "--project", name, "--json")


SHORT_GRACE = """
from batchapp.models import Connection
Connection.objects.update(create_grace_seconds=4)
"""


def _line(name: str, number: int) -> str:
    body = {
        "model": "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8",
        "max_tokens": 20,
        "messages": [{"role": "user", "content": f"What is {number} in words?"}],
    }
    request = {"custom_id": f"{name}-{number}", "method": "POST"}
    return json.dumps(request | {"url": "/v1/chat/completions", "body": body}) + "\n"


def _state(portal: Portal) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        portal.manage("shell", "--no-imports", "--command", STATE).stdout
    )
    return found


def _are_over(portal: Portal, batches: int) -> bool:
    found = _state(portal)
    over = [each for each in found if each["status"] in {"completed", "failed", "cancelled"}]
    return len(over) == batches
