"""Redis and PostgreSQL are lost in mid-run and come back; nobody restarts the portal."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import accidents
from tests.faults.accidents import Accident
from tests.faults.orders import Customer
from tests.faults.storm import Plan, Storm, endure
from tests.processes.portal import Portal, portal, until
from tests.stack import Servers, servers

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        "DATABASE_URL" not in os.environ,
        reason="the embedded stack has no server to restart: its database and broker are files",
    ),
]
PLAN = Plan(
    seed=20_261_124,
    batches=4,
    at_once=3,
    requests=(20, 40),
    faults=["", "lost-reply/create#1"],
    shapes=["plain", "split"],
    actions=["nothing", "cancel", "pause", "nothing"],
)


def after(happened: list[Accident], running: Portal) -> Storm:
    """Let each happen while batches are under way, and see that others end after it."""

    def trouble(customer: Customer) -> None:
        for name, happen in happened:
            over = customer.over_batches()
            until(lambda over=over: customer.over_batches() > over, "a batch to end", running.tail)
            happen()
            over = customer.over_batches() + PLAN.at_once
            until(
                lambda over=over: customer.over_batches() > over,
                f"work after {name}",
                running.tail,
            )

    return endure(running, PLAN, trouble)


@pytest.mark.parametrize(
    "befall", [accidents.to_redis, accidents.to_postgres], ids=["Redis", "PostgreSQL"]
)
def test_a_service_that_is_lost_in_mid_run_costs_time_and_nothing_else(
    tmp_path: Path, befall: Callable[[Servers], list[Accident]]
) -> None:
    with servers() as own, portal(tmp_path, speed=20, urls=own.urls) as running:
        found = after(befall(own), running)

    assert found.proof.complaints == []
    assert found.proof.batches >= PLAN.batches
