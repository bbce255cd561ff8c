"""Hundreds of kills while batches go through all that can be survived; then all is counted.

python -m tests.faults.soak --kills 200 --seed 7 --stack team
"""

import argparse
import os
import platform
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.accidents import Accident, to_postgres, to_redis
from tests.faults.boundaries import die_everywhere
from tests.faults.storm import Plan, Storm, say, storm
from tests.processes.portal import portal
from tests.stack import servers

MILD = ["", "", "lost-reply/create#1", "lost-reply/upload#1~missing=50#1"]
STACKS = {"embedded": "SQLite and files", "team": "PostgreSQL and Redis"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--stack", choices=STACKS, action="append")
    options = parser.parse_args()
    # As Ctrl-C does: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL"):
        os.environ.pop(name, None)
    for stack in options.stack or STACKS:
        _soak(stack, options.kills, options.seed)


def _soak(stack: str, kills: int, seed: int) -> None:
    say(f"{stack} ({STACKS[stack]}): seed {seed}, {kills} kills, {os.cpu_count()} cores")
    say(f"again with: make soak SEED={seed} KILLS={kills} STACK={stack}")
    with _folder() as folder, _services(stack) as (urls, accidents):
        plan = Plan(seed=seed, batches=14, kills=kills, patience=900, accidents=accidents)
        with portal(folder, speed=10, urls=urls) as running:
            found = storm(running, plan, say)
        _tell(f"{stack}, kills at random instants", seed, found)
    with _folder() as folder, _services(stack) as (urls, _):
        plan = Plan(seed=seed, batches=8, requests=(3, 9), patience=900, faults=MILD)
        steps, died, seen = die_everywhere(folder, plan, is_complete=True, urls=urls, announce=say)
        _tell(f"{stack}, deaths at {len(died)} of {len(seen)} boundaries", seed, steps)


@contextmanager
def _folder() -> Iterator[Path]:
    """One that is kept if anything goes wrong: it has the database and the processes' log."""
    folder = Path(tempfile.mkdtemp(prefix="batchapp-soak-"))
    try:
        yield folder
    except BaseException:
        say(f"what is left of it: {folder}")
        raise
    shutil.rmtree(folder)


@contextmanager
def _services(stack: str) -> Iterator[tuple[dict[str, str], list[Accident]]]:
    """The environment of a stack, and what befalls its services."""
    if stack == "embedded":
        yield {}, []
        return
    with servers() as running:
        yield running.urls, 2 * [*to_redis(running), *to_postgres(running)]


def _tell(title: str, seed: int, found: Storm) -> None:
    proof = found.proof
    say("")
    say(f"{title}: seed {seed}, Python {platform.python_version()}, {found.seconds:.0f} s")
    say(f"  killed     {found.killed.total():>6}  {_listed(found.killed)}")
    say(f"  faults     {found.struck.total():>6}  {_listed(found.struck)}")
    say(f"  batches    {proof.batches:>6}  {proof.cancelled} cancelled by a person")
    say(f"  paid       {proof.paid:>6}")
    say(f"  requests   {proof.requests:>6}  {_listed(proof.outcomes)}")
    say(f"  answers    {proof.answers:>6}  lines at the provider, each in the downloads")
    for complaint in proof.complaints:
        say(f"  WRONG      {complaint}")
    if proof.complaints:
        raise SystemExit(1)
    say("  nothing lost, nothing paid twice")


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common())


if __name__ == "__main__":
    main()
