"""Runs a portal whose worker dies at the boundaries of its steps, each of them once."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.faults.orders import Customer
from tests.faults.storm import Plan, Storm, endure, say
from tests.processes.portal import portal

CALM = 8
"""So many batches ended in a row without a death: there is no boundary left to die at."""


def die_everywhere(
    folder: Path,
    plan: Plan,
    *,
    every: int = 1,
    is_complete: bool = False,
    urls: dict[str, str] | None = None,
    announce: Callable[[str], None] = say,
) -> tuple[Storm, list[str], list[str]]:
    """Return what came of it, the boundaries died at, and all that were come to.

    One boundary in ``every`` is died at. If it is to be complete, batches are ordered until they
    end without any death.
    """
    deaths = folder / "deaths"

    def trouble(customer: Customer) -> None:
        over, died = 0, -1
        while is_complete and len(_names(deaths / "died")) > died:
            died = len(_names(deaths / "died"))
            announce(f"{over} batches, {died} deaths")
            while customer.over_batches() < over + CALM:
                time.sleep(1)
            over = customer.over_batches()

    with portal(
        folder / "data",
        speed=20,
        urls=urls,
        keeper=("-m", "tests.faults.dying_portal"),
        # With files as a broker a worker ends with its child; another step would die innocently.
        WORKER_CONCURRENCY="1",
        DEATHS_DIR=str(deaths),
        DEATHS_EVERY=str(every),
        DEATHS_SEED=str(plan.seed),
    ) as running:
        found = endure(running, plan, trouble)
    died, seen = _names(deaths / "died"), _names(deaths / "seen")
    announce(f"died at {len(died)} of {len(seen)} boundaries: {', '.join(died)}")
    return found, died, seen


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*"))
