"""Batches go through a provider that misbehaves while processes are killed.

The seed decides every fault, every victim and every pause, so that a failure can be played again.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from batchapp.management.processes import MIN_UPTIME
from tests.faults import forgeries
from tests.faults.accidents import Accident
from tests.faults.evidence import Evidence, collect, troubles_of
from tests.faults.management_shell import management_shell
from tests.faults.orders import ACTIONS, SHAPES, Customer, Mix, Trouble
from tests.faults.person import Person
from tests.faults.proof import Proof, judge
from tests.faults.provider_faults import FAULTS, NO_ROOM_FAULTS, PASSING_REFUSALS
from tests.faults.slot_watch import slot_watch
from tests.processes.portal import Portal, until

VICTIMS = {"worker": 3, "worker's child": 6, "beat": 2, "web": 2, "web's child": 2, "sandbox": 2}
"""Who is killed, and how often in comparison; most often who holds the leases."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Plan:
    """``batches`` at least are ordered, and more for as long as there is trouble."""

    seed: int
    batches: int
    kills: int = 0
    at_once: int = 6
    requests: tuple[int, int] = (20, 120)
    pauses: tuple[float, float] = (0.3, 3.5)
    """Seconds between two kills."""
    patience: float = 300
    """Seconds for all batches to end once it is calm."""
    faults: Sequence[str] = (*FAULTS, *NO_ROOM_FAULTS, *PASSING_REFUSALS)
    shapes: Sequence[str] = tuple(SHAPES)
    actions: Sequence[str] = tuple(ACTIONS)
    accidents: Sequence[Accident] = ()


@dataclass
class Storm:
    """The outcome of a storm."""

    killed: Counter[str] = field(default_factory=Counter)
    evidence: Evidence = field(default_factory=Evidence)
    proof: Proof = field(default_factory=Proof)
    struck: Counter[str] = field(default_factory=Counter)
    accidents: int = 0
    forgeries: int = 0
    """Forgeries of this very evidence that were tried on the proof."""
    seconds: float = 0.0


def storm(portal: Portal, plan: Plan, announce: Callable[[str], None] = say) -> Storm:
    """Kill what ``plan`` says, at instants that its seed chooses, and prove what came of it."""
    killed: Counter[str] = Counter()
    found = endure(portal, plan, lambda _: _kill_all(portal, plan, killed, announce))
    found.killed, found.accidents = killed, len(plan.accidents)
    return found


def endure(portal: Portal, plan: Plan, trouble: Trouble) -> Storm:
    """Have batches ordered while ``trouble`` lasts, wait until all are over, and prove it.

    What the processes wrote is left in DATA_DIR, however it ends.
    """
    say(f"seed {plan.seed}")
    try:
        return _endure(portal, plan, trouble)
    finally:
        log = Path(portal.env["DATA_DIR"]) / "processes.log"
        log.write_text("\n".join(portal.log))


def _endure(portal: Portal, plan: Plan, trouble: Trouble) -> Storm:
    found, started = Storm(), time.monotonic()
    calm = threading.Event()
    mix = Mix(plan.seed, plan.requests, plan.faults, plan.shapes, plan.actions)
    with (
        management_shell(portal.env) as shell,
        Person(portal.url) as person,
        ThreadPoolExecutor() as threads,
    ):
        customer = Customer(portal, shell, person, mix)
        with slot_watch(portal, customer.orders) as excesses:
            ordering = threads.submit(
                customer.order_until, calm, least=plan.batches, at_once=plan.at_once
            )
            try:
                trouble(customer)
            finally:
                calm.set()
            ordering.result()
            until(
                lambda: customer.open_batches() == 0,
                "all batches to be over",
                lambda: "\n".join([portal.tail(), *troubles_of(shell)]),
                patience=plan.patience,
            )
        found.struck = portal.faults_struck()
        found.evidence = collect(portal, shell, person, customer.orders)
        found.evidence.excesses = sorted(set(excesses))
        evidence_file = Path(portal.env["DATA_DIR"]) / "evidence.json"
        evidence_file.write_text(json.dumps(asdict(found.evidence)))
    found.proof = judge(found.evidence)
    found.forgeries, unseen = forgeries.try_all(found.evidence)
    found.proof.complaints += [f"the proof does not see a forgery: {name}" for name in unseen]
    found.seconds = time.monotonic() - started
    return found


def _kill_all(
    portal: Portal, plan: Plan, killed: Counter[str], announce: Callable[[str], None]
) -> None:
    chance, started = random.Random(f"kills {plan.seed}"), time.monotonic()
    due = _spread(plan)
    while killed.total() < plan.kills:
        time.sleep(chance.uniform(*plan.pauses))
        victim = chance.choices([*VICTIMS], [*VICTIMS.values()])[0]
        if not _kill(portal, victim, chance):
            continue
        killed[victim] += 1
        number = killed.total()
        for name, happen in due.pop(number, []):
            happen()
            announce(f"{time.monotonic() - started:5.0f} s  {name}")
        if number % 20 == 0:
            announce(f"{time.monotonic() - started:5.0f} s  {number} killed of {plan.kills}")


def _spread(plan: Plan) -> dict[int, list[Accident]]:
    """Number of a kill -> the accidents that come with it, evenly over the storm."""
    due: dict[int, list[Accident]] = {}
    for place, accident in enumerate(plan.accidents, 1):
        number = max(1, place * plan.kills // (len(plan.accidents) + 1))
        due.setdefault(number, []).append(accident)
    return due


def _kill(portal: Portal, victim: str, chance: random.Random) -> bool:
    """SIGKILL one process; whether one was there.

    `serve` waits ever longer for what dies at once, so who has just started is spared; so are its
    children, since a worker may end with one of them.
    """
    name, _, is_child = victim.partition("'")
    if name not in portal.started or time.monotonic() - portal.started_at[name] < MIN_UPTIME:
        return False
    if is_child:
        children = portal.children(name)
        if not children:
            return False
        pid = chance.choice(children)
    else:
        pid = portal.started.pop(name)
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True
