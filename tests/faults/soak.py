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
from datetime import date
from pathlib import Path

from batchapp.sandbox.guise import GUISES
from tests.faults.accidents import Accident, to_postgres, to_redis
from tests.faults.boundaries import die_everywhere
from tests.faults.orders import actions_in
from tests.faults.storm import Plan, Storm, say, storm
from tests.processes.portal import portal
from tests.stack import servers

MILD_FAULTS = ["", "", "lost-reply/create#1", "lost-reply/upload#1~missing=50#1"]
# A batch that must be cancelled and was perhaps created is searched for half an hour.
PATIENCE_SECONDS = 2_400
# What people stop must still run when they press the button, also on a busy host: a batch takes
# more than two seconds, and eight if some of its requests are slow.
SPEED = 4
STACKS = {"embedded": "SQLite and files", "team": "PostgreSQL and Redis"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**9))
    parser.add_argument("--stack", choices=STACKS, action="append")
    parser.add_argument("--guise", choices=GUISES, action="append")
    parser.add_argument("--part", choices=["kills", "boundaries"], action="append")
    options = parser.parse_args()
    parts = options.part or ["kills", "boundaries"]
    # As Ctrl-C does: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL", "STORAGE_URL"):
        os.environ.pop(name, None)
    for stack in options.stack or STACKS:
        again = f"again with: make soak SEED={options.seed} STACK={stack}"
        for guise in options.guise or GUISES if "kills" in parts else ():
            say(f"{stack} ({STACKS[stack]}): {options.kills} kills, {os.cpu_count()} cores")
            say(f"{again} PART=kills KILLS={options.kills} GUISE={guise}")
            _kill_at_random(stack, guise, options.kills, options.seed)
        if "boundaries" in parts:
            say(f"{again} PART=boundaries")
            _die_at_boundaries(stack, options.seed)


def _kill_at_random(stack: str, guise: str, kills: int, seed: int) -> None:
    with _folder() as folder, _services(stack) as (urls, accidents):
        plan = Plan(
            seed=seed,
            batches=21,
            kills=kills,
            patience=PATIENCE_SECONDS,
            actions=actions_in(guise),
            accidents=accidents,
        )
        with portal(folder, speed=SPEED, guise=guise, urls=urls) as running:
            found = storm(running, plan, say)
        _tell(f"Kills at random instants, a provider like {guise}", STACKS[stack], seed, found)


def _die_at_boundaries(stack: str, seed: int) -> None:
    with _folder() as folder, _services(stack) as (urls, _):
        plan = Plan(
            seed=seed, batches=8, requests=(3, 9), patience=PATIENCE_SECONDS, faults=MILD_FAULTS
        )
        steps, died, seen = die_everywhere(folder, plan, is_complete=True, urls=urls, announce=say)
        title = f"Deaths at {len(died)} of {len(seen)} boundaries"
        _tell(title, STACKS[stack], seed, steps)


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


def _tell(title: str, stack: str, seed: int, found: Storm) -> None:
    """Print the figures, then as a column of the table in docs/reliability.md."""
    proof = found.proof
    figures = {
        "seed": seed,
        "processes killed": f"{found.killed.total()}: {_listed(found.killed)}",
        "accidents to PostgreSQL and Redis": found.accidents,
        "faults struck": f"{found.struck.total()}: {_listed(found.struck)}",
        "batches": f"{proof.batches}: {_listed(proof.kinds)}",
        "cancelled by a person": proof.cancelled,
        "provider batches": proof.provider_batches,
        "of these paid by the provider's ledger": proof.paid,
        "duplicates, each cancelled before an answer": proof.duplicates,
        "requests": f"{proof.requests:,}: {_listed(proof.outcomes)}",
        "result lines at the provider, each in the downloads": f"{proof.answers:,}",
        "cost by the portal and by the provider": f"${proof.cost:f}",
        "lost, or paid twice": len(proof.complaints) or "none",
        "forgeries of this evidence, each seen by the proof": found.forgeries,
        "minutes": round(found.seconds / 60),
    }
    say(f"\n{title}, {date.today():%-d %B %Y}, Python {platform.python_version()}\n")  # noqa: DTZ011
    say(f"| | {stack} |\n|---|---|")
    for name, figure in figures.items():
        say(f"| {name} | {figure} |")
    for complaint in proof.complaints:
        say(f"WRONG {complaint}")
    if proof.complaints:
        raise SystemExit(1)


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in counts.most_common() if number)


if __name__ == "__main__":
    main()
