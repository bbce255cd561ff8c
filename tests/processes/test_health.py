"""What the health checks of a running portal say when one of its processes stops."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.processes.portal import Portal, members_of, portal, until

pytestmark = [pytest.mark.processes]


def ask(running: Portal, path: str) -> httpx.Response:
    return httpx.get(f"{running.url}{path}", trust_env=False, timeout=60)


def troubles(running: Portal) -> dict[str, str]:
    """Return what /healthz says is wrong."""
    response = ask(running, "/healthz")
    answer = response.json()
    assert (answer.pop("status"), response.status_code) in {("ok", 200), ("error", 503)}
    return {name: result for name, result in answer.items() if result != "ok"}


@contextmanager
def stopped(running: Portal, name: str) -> Iterator[None]:
    """Stop a process and its children without ending them, so that nobody starts another."""
    pids = members_of(running.started[name])
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_a_portal_is_well_only_while_beat_and_a_worker_run(tmp_path: Path) -> None:
    with portal(tmp_path, TICK_SECONDS="1") as running:
        until((tmp_path / "files/last-tick").exists, "a tick", running.tail)
        assert ask(running, "/healthz").json()["status"] == "ok"

        for name in ("worker", "beat"):
            with stopped(running, name):
                answer = until(lambda: troubles(running), f"{name} to be missed", running.tail)
                assert list(answer) == ["tick"], answer
                assert "beat or every worker has stopped" in answer["tick"]
                assert ask(running, "/readyz").json()["status"] == "ok"
            until(lambda: not troubles(running), "the portal to be well", running.tail)
